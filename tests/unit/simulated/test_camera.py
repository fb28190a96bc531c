"""A camera that misbehaves does so to the byte."""

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.errors import CameraError, CameraGone, SourceChanged
from dock_agent.offload.source import Wanted, digest_source
from dock_agent.simulated.camera import Faults, SimulatedSource
from support.cards import card, content

SIZES = {"a.MP4": 5000, "b.MP4": 7000}


@pytest.fixture
def camera(tmp_path: Path) -> Iterator[SimulatedSource]:
    source = SimulatedSource(card(tmp_path / "card", SIZES))
    yield source
    source.close()


def take(camera: SimulatedSource, name: bytes, step: int = 1024) -> bytes:
    """Read a file to its end; what was read until an error is in its notes."""
    fd, got, buffer = camera.open(name), b"", bytearray(step)
    try:
        while count := camera.read(fd, memoryview(buffer)):
            got += bytes(buffer[:count])
    except OSError as error:
        error.add_note(got.hex())
        raise
    finally:
        os.close(fd)
    return got


def read_before(error: OSError) -> bytes:
    return bytes.fromhex(error.__notes__[0])


def wanted(camera: SimulatedSource, name: str) -> Wanted:
    found = next(f for f in camera.scan() if f.path == name.encode())
    facts = found.size, found.mtime_ns, found.device, found.inode
    return Wanted(found.path, Path("unused"), *facts)


def digest(camera: SimulatedSource, name: str) -> str:
    return digest_source(camera, wanted(camera, name), lambda _: None)


def test_without_faults_a_file_is_what_it_is(camera: SimulatedSource) -> None:
    assert take(camera, b"a.MP4") == content("a.MP4", 5000)
    assert camera.given == 5000
    assert camera.alive()


@pytest.mark.parametrize("code", [errno.ENODEV, errno.EIO])
def test_a_pulled_camera_gives_its_bytes_to_the_last_and_then_none(
    camera: SimulatedSource, code: int
) -> None:
    left: list[int] = []
    camera.left = lambda: left.append(camera.given)
    camera.faults = Faults(gone_after=6001, gone_error=code)
    first = take(camera, b"a.MP4")

    with pytest.raises(OSError, match=os.strerror(code)) as pulled:
        take(camera, b"b.MP4")

    assert len(first) == 5000
    assert read_before(pulled.value) == content("b.MP4", 7000)[:1001]
    assert left == [6001]
    assert not camera.alive()
    with pytest.raises(OSError, match=os.strerror(code)):
        camera.open(b"a.MP4")
    with pytest.raises(CameraGone):
        camera.scan()


@pytest.mark.parametrize("code", [errno.ENODEV, errno.EIO])
def test_a_pull_is_told_from_a_bad_medium_by_its_being_gone(
    camera: SimulatedSource, code: int
) -> None:
    camera.faults = Faults(gone_after=100, gone_error=code)

    with pytest.raises(CameraGone):
        digest(camera, "a.MP4")


def test_a_bad_block_fails_its_file_from_there_on_and_no_other(
    camera: SimulatedSource,
) -> None:
    camera.faults = Faults(unreadable={b"a.MP4": 2048})

    with pytest.raises(OSError, match="Input/output error") as broken:
        take(camera, b"a.MP4", step=1500)

    assert read_before(broken.value) == content("a.MP4", 5000)[:2048]
    assert take(camera, b"b.MP4") == content("b.MP4", 7000)
    with pytest.raises(CameraError) as told:
        digest(camera, "a.MP4")
    assert not isinstance(told.value, CameraGone)


def test_a_fickle_file_gives_other_bytes_when_it_is_opened_again(
    camera: SimulatedSource,
) -> None:
    camera.faults = Faults(fickle={b"a.MP4"})
    whole = hashlib.sha256(content("a.MP4", 5000)).hexdigest()

    first, second = digest(camera, "a.MP4"), digest(camera, "a.MP4")

    assert first == whole
    assert second != whole
    assert digest(camera, "b.MP4") == digest(camera, "b.MP4")


def test_a_file_that_grows_while_it_is_read_is_no_longer_what_was_listed(
    camera: SimulatedSource,
) -> None:
    camera.faults = Faults(grows={b"a.MP4": 10})

    with pytest.raises(SourceChanged, match="5000 bytes were listed"):
        digest(camera, "a.MP4")

    assert wanted(camera, "a.MP4").size == 5010
    assert digest(camera, "a.MP4")


def test_a_slow_camera_takes_as_long_as_its_bytes(camera: SimulatedSource) -> None:
    waited: list[float] = []
    camera.faults, camera.wait = Faults(pace=1000), waited.append

    take(camera, b"a.MP4")

    assert sum(waited) == pytest.approx(5.0)


def test_who_plays_with_it_hears_how_far_it_is(camera: SimulatedSource) -> None:
    heard: list[int] = []
    camera.beat = heard.append

    take(camera, b"a.MP4", step=2500)

    assert heard == [0, 2500, 5000]


def test_it_says_to_be_a_card_of_two_seconds_resolution(
    camera: SimulatedSource,
) -> None:
    system = camera.file_system()

    assert (system.kind, system.resolution_ns) == ("vfat", 2_000_000_000)
