"""What is on a camera and no footage: never opened, and never the end of a docking."""

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dock_agent.bays.machine import Failed, Sealed
from dock_agent.offload.scan import DEEPEST, MountedSource
from dock_agent.recording import DockingState, FileState
from support.bench import Bench
from support.cards import card, digests
from support.faultcard import FaultCard, mounted

SIZES = {"DCIM/1.MP4": 5000, "DCIM/2.MP4": 6000}
ZERO, NO_LOOP = os.makedev(1, 5), os.makedev(7, 254)  # endless; of no disk
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mknod(2) needs root")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return card(tmp_path / "card", SIZES)


def make_character_device(path: Path) -> None:
    os.mknod(path, stat.S_IFCHR | 0o666, ZERO)


def make_block_device(path: Path) -> None:
    os.mknod(path, stat.S_IFBLK | 0o666, NO_LOOP)


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def make_link_to_a_neighbour(path: Path) -> None:
    path.symlink_to("2.MP4")


def make_directory(path: Path) -> None:
    path.mkdir()


@needs_root
def test_a_device_on_a_camera_is_recorded_and_never_opened(
    bench: Bench, source: Path
) -> None:
    make_character_device(source / "DCIM/zero.MP4")
    make_block_device(source / "DCIM/disk.MP4")

    docking = bench.dock(source)

    kept = bench.files(docking)
    skipped = {n: f.reason for n, f in kept.items() if f.state is FileState.SKIPPED}
    assert skipped == {
        "DCIM/zero.MP4": "character device",
        "DCIM/disk.MP4": "block device",
    }
    assert docking.complete
    assert bench.events[-1] == Sealed(len(SIZES))


ODD = [
    pytest.param(make_character_device, marks=needs_root),
    pytest.param(make_block_device, marks=needs_root),
    make_pipe,
    make_link,
    make_link_to_a_neighbour,
    make_directory,
]


@pytest.mark.parametrize("make", ODD)
def test_what_is_no_file_is_not_opened_as_one(
    source: Path, make: Callable[[Path], None]
) -> None:
    make(source / "DCIM/odd")

    with closing(MountedSource(source)) as tree, pytest.raises(OSError, match=r"."):
        tree.open(b"DCIM/odd")


def test_no_file_is_reached_through_a_link(source: Path) -> None:
    (source / "way").symlink_to("DCIM")

    with closing(MountedSource(source)) as tree, pytest.raises(OSError, match=r"."):
        tree.open(b"way/1.MP4")


@pytest.mark.parametrize("make", ODD)
def test_a_file_that_was_exchanged_for_something_else_gives_nothing(
    bench: Bench, source: Path, make: Callable[[Path], None]
) -> None:
    class Exchanged(MountedSource):
        def open(self, path: bytes) -> int:
            if path == b"DCIM/1.MP4" and (source / "DCIM/1.MP4").is_file():
                (source / "DCIM/1.MP4").unlink()
                make(source / "DCIM/1.MP4")
            return super().open(path)

    docking = bench.dock(source, Exchanged)

    assert bench.files(docking)["DCIM/1.MP4"].state is FileState.MISSED
    assert bench.files(docking)["DCIM/2.MP4"].state is FileState.VERIFIED
    assert set(digests(bench.bag(docking) / "data")) == {b"DCIM/2.MP4"}
    assert not docking.complete
    assert isinstance(bench.events[-1], Failed)


def test_a_folder_that_was_exchanged_for_a_link_leads_nowhere(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    outside = card(tmp_path / "outside", SIZES)

    class Exchanged(MountedSource):
        def open(self, path: bytes) -> int:
            if not (source / "DCIM").is_symlink():
                (source / "DCIM").rename(tmp_path / "aside")
                (source / "DCIM").symlink_to(outside / "DCIM")
            return super().open(path)

    docking = bench.dock(source, Exchanged)

    assert {f.state for f in bench.files(docking).values()} <= {
        FileState.MISSED,
        FileState.LISTED,
        FileState.SKIPPED,
    }
    assert set(digests(bench.bag(docking) / "data")) == {b"=held-sha256.txt"}
    assert not docking.complete


@pytest.mark.parametrize(("depth", "whole"), [(DEEPEST, True), (DEEPEST + 1, False)])
def test_directories_are_followed_as_deep_as_any_cameras(
    bench: Bench, tmp_path: Path, depth: int, *, whole: bool
) -> None:
    name = "/".join(["d"] * depth) + "/1.MP4"
    source = card(tmp_path / "card", {name: 100})

    docking = bench.dock(source)

    states = {file.state for file in bench.files(docking).values()}
    assert states == {FileState.VERIFIED if whole else FileState.MISSED}
    assert docking.state is DockingState.SEALED
    assert docking.complete is whole


class Bottomless(FaultCard):
    """A card whose every directory holds a file and one more directory."""

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        return super().getattr(self._first(path), fh)

    def readdir(self, path: str, fh: int) -> list[str]:
        return [*super().readdir(self._first(path), fh), "deeper"]

    def open(self, path: str, flags: int) -> int:
        return super().open(self._first(path), flags)

    def _first(self, path: str) -> str:
        return path.replace("/deeper", "") or "/"


def test_a_loop_of_directories_has_an_end_and_is_told_of(
    bench: Bench, tmp_path: Path
) -> None:
    card(tmp_path / "source", {"1.MP4": 100})
    job = bench.job(tmp_path / "card")
    with mounted(tmp_path / "source", job.source, Bottomless):
        bench.offload(job)

    docking = bench.docking(job.docking)
    states = [file.state for file in bench.files(docking).values()]
    assert states.count(FileState.VERIFIED) == DEEPEST + 1
    assert states.count(FileState.MISSED) == 1
    assert docking.complete is False


def test_a_camera_whose_directory_cannot_be_read_at_all_is_no_empty_camera(
    bench: Bench, tmp_path: Path
) -> None:
    class Unreadable(FaultCard):
        def readdir(self, path: str, fh: int) -> list[str]:
            del path, fh
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    card(tmp_path / "source", SIZES)
    job = bench.job(tmp_path / "card")
    with mounted(tmp_path / "source", job.source, Unreadable):
        bench.offload(job)

    assert bench.docking(job.docking).state is DockingState.FAULT
    assert isinstance(bench.events[-1], Failed)
    assert bench.events[-1].code == "D-10"
    assert "cannot be listed" in bench.events[-1].reason
    assert "dock-agent bays image" in bench.events[-1].reason
