"""What every way to a camera's files must do: the mounted one, the simulated one."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from dock_agent.errors import CameraGone
from dock_agent.offload.bench import Tree
from dock_agent.offload.scan import MountedSource
from dock_agent.simulated.camera import SimulatedSource
from support.cards import card, content, digests, hostile

SIZES = {"VIDEO/b.MP4": 3000, "VIDEO/a.MP4": 5000, "LOG/empty.LOG": 0, "a": 7}


class Closable(Tree, Protocol):
    def close(self) -> None: ...


@pytest.fixture(params=[MountedSource, SimulatedSource], ids=["mounted", "simulated"])
def source(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[Callable[[], Closable]]:
    made: list[Closable] = []

    def opened() -> Closable:
        made.append(request.param(tmp_path / "card"))
        return made[-1]

    yield opened
    for one in made:
        one.close()


Opener = Callable[[], Closable]


def whole(tree: Tree, path: bytes, step: int = 1000) -> bytes:
    fd, got, buffer = tree.open(path), b"", bytearray(step)
    while count := tree.read(fd, memoryview(buffer)):
        got += bytes(buffer[:count])
    os.close(fd)
    return got


def test_every_file_is_found_sorted_by_its_raw_path(
    source: Opener, tmp_path: Path
) -> None:
    card(tmp_path / "card", SIZES)

    found = source().scan()

    assert [(f.path, f.size) for f in found] == [
        (b"LOG/empty.LOG", 0),
        (b"VIDEO/a.MP4", 5000),
        (b"VIDEO/b.MP4", 3000),
        (b"a", 7),
    ]


def test_a_file_is_read_to_its_end_and_no_further(
    source: Opener, tmp_path: Path
) -> None:
    card(tmp_path / "card", SIZES)

    tree = source()

    for name, size in SIZES.items():
        assert whole(tree, name.encode()) == content(name, size)


def test_two_files_are_read_at_once_without_mixing(
    source: Opener, tmp_path: Path
) -> None:
    card(tmp_path / "card", SIZES)
    tree, one, two = source(), bytearray(2000), bytearray(2000)

    first, second = tree.open(b"VIDEO/a.MP4"), tree.open(b"VIDEO/b.MP4")
    tree.read(first, memoryview(one))
    tree.read(second, memoryview(two))

    assert bytes(one) == content("VIDEO/a.MP4", 2000)
    assert bytes(two) == content("VIDEO/b.MP4", 2000)
    os.close(first)
    os.close(second)


def test_what_is_no_regular_file_cannot_be_opened(
    source: Opener, tmp_path: Path
) -> None:
    hostile(tmp_path / "card")
    tree = source()

    for path in (
        b"DCIM/link.MP4",
        b"DCIM/pipe.MP4",
        b"socket",
        b"DCIM",
        b"folder/passwd",
        b"../card/DCIM/none",
        b"none",
    ):
        with pytest.raises(OSError, match=r"."):
            tree.open(path)


def test_names_that_are_no_text_are_found_and_read(
    source: Opener, tmp_path: Path
) -> None:
    root = hostile(tmp_path / "card")
    tree = source()

    regular = [f.path for f in tree.scan() if f.skipped is None]

    listed = {path for path in digests(root) if b"hard" not in path}
    assert set(regular) == listed
    assert whole(tree, b"DCIM/not-utf8-\xff\xfe.MP4") == b"not-utf8-\xff\xfe.MP4"


def test_a_camera_that_was_taken_out_is_gone_and_not_empty(
    source: Opener, tmp_path: Path
) -> None:
    card(tmp_path / "card", SIZES)
    tree = source()
    there = tree.alive()

    (tmp_path / "card").rename(tmp_path / "taken")

    assert there
    assert not tree.alive()
    with pytest.raises(CameraGone):
        tree.scan()


def test_a_camera_that_is_not_there_cannot_be_opened(source: Opener) -> None:
    with pytest.raises(CameraGone):
        source()


def test_the_file_system_and_its_time_resolution_are_told(
    source: Opener, tmp_path: Path
) -> None:
    card(tmp_path / "card", SIZES)

    system = source().file_system()

    assert system.kind
    assert system.resolution_ns > 0
