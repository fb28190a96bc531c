"""Copies off a camera: whole, proven, and without a name until they are."""

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dock_agent.errors import (
    CameraError,
    CameraGone,
    DockError,
    SourceChanged,
    VaultUnusable,
)
from dock_agent.offload.copy import Copied, copy_batch, copy_one, give_names
from dock_agent.offload.source import Wanted, digest_source
from dock_agent.recording import PART_SIZE, ReadBack
from dock_agent.vault.disk import silent
from dock_agent.vault.real import RealDisk
from support.copying import MIB, After, FolderCamera, content
from support.disks import on_a_block_device

SIZES = [
    *(0, 1, 511, 512, 513, 4095, 4096, 4097),
    *(MIB - 1, MIB, MIB + 1, 4 * MIB, 4 * MIB + 1),
    *(8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 16 * MIB - 1, 16 * MIB, 16 * MIB + 1),
]


@pytest.fixture
def camera(tmp_path: Path) -> FolderCamera:
    (tmp_path / "camera").mkdir()
    return FolderCamera(tmp_path / "camera")


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    (tmp_path / "bag").mkdir()
    return tmp_path / "bag"


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def parts_of(data: bytes) -> tuple[str, ...]:
    return tuple(
        digest(data[at : at + PART_SIZE]) for at in range(0, len(data), PART_SIZE)
    )


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_has_the_bytes_and_the_digests_of_its_source(
    camera: FolderCamera, bag: Path, size: int
) -> None:
    data = content(size)
    camera.record("a.mp4", data)

    copied = copy_one(camera, camera.wanted("a.mp4", bag), RealDisk(), silent)

    assert copied.part.read_bytes() == data
    assert copied.digest == digest(data)
    assert copied.parts == parts_of(data)
    assert copied.part.stat().st_mtime_ns == 1_700_000_000_123_456_789


@pytest.mark.parametrize("size", SIZES)
def test_a_copy_in_a_batch_is_no_different(
    camera: FolderCamera, bag: Path, size: int
) -> None:
    data = content(size)
    camera.record("a.mp4", data)

    (copied,) = copy_batch(camera, [camera.wanted("a.mp4", bag)], RealDisk(), silent)

    assert isinstance(copied, Copied)
    assert copied.part.read_bytes() == data
    assert (copied.digest, copied.parts) == (digest(data), parts_of(data))


def test_a_proof_says_how_many_bytes_came_from_the_medium(
    camera: FolderCamera, bag: Path
) -> None:
    if not on_a_block_device(bag):
        pytest.skip("the temporary directory has no block device behind it")
    camera.record("small", content(5000))
    camera.record("large", content(17 * MIB))
    small, large = camera.wanted("small", bag), camera.wanted("large", bag)

    (one,) = copy_batch(camera, [small], RealDisk(), silent)
    other = copy_one(camera, large, RealDisk(), silent)

    assert isinstance(one, Copied)
    assert (one.method, other.method) == (ReadBack.DIRECT, ReadBack.DIRECT)
    assert one.counted >= 5000
    assert other.counted >= 17 * MIB


def test_a_copy_has_no_name_until_it_is_given_one(
    camera: FolderCamera, bag: Path
) -> None:
    camera.record("a", b"bytes")
    wanted = camera.wanted("a", bag)

    copied = copy_one(camera, wanted, RealDisk(), silent)
    unnamed = names(bag)
    give_names(RealDisk(), [(copied.part, wanted.target)])

    assert unnamed == {copied.part.name}
    assert copied.part.name.startswith(".part-")
    assert names(bag) == {"a"}


def test_a_name_that_is_taken_is_left_as_it_is(camera: FolderCamera, bag: Path) -> None:
    camera.record("a", b"new")
    (bag / "a").write_bytes(b"held")
    wanted = camera.wanted("a", bag)
    copied = copy_one(camera, wanted, RealDisk(), silent)

    with pytest.raises(VaultUnusable):
        give_names(RealDisk(), [(copied.part, wanted.target)])

    assert (bag / "a").read_bytes() == b"held"


@pytest.mark.parametrize("size", [5000, 20 * MIB])
def test_every_byte_that_is_read_is_heard_of(
    camera: FolderCamera, bag: Path, size: int
) -> None:
    camera.record("a", content(size))
    heard: list[int] = []

    copy_one(camera, camera.wanted("a", bag), RealDisk(), heard.append)

    assert sum(heard) == size
    assert heard.count(0) >= size // MIB  # the read-back shows that it lives


def grown(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def cut(path: Path) -> None:
    os.truncate(path, 100)


def rewritten(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"other")


@pytest.mark.parametrize("change", [grown, cut, rewritten])
@pytest.mark.parametrize("size", [3 * MIB, 20 * MIB])
@pytest.mark.parametrize("when", ["before", "during"])
def test_a_file_that_changes_is_not_kept(
    camera: FolderCamera,
    bag: Path,
    change: Callable[[Path], None],
    size: int,
    when: str,
) -> None:
    path = camera.record("a", content(size))
    wanted = camera.wanted("a", bag)
    beat = After(0 if when == "during" else size * 2, [lambda: change(path)])
    if when == "before":
        change(path)

    with pytest.raises(SourceChanged):
        copy_one(camera, wanted, RealDisk(), beat)

    assert names(bag) == set()


def test_another_file_under_the_same_name_is_not_the_one_that_was_listed(
    camera: FolderCamera, bag: Path
) -> None:
    path = camera.record("a", b"first")
    wanted = camera.wanted("a", bag)
    path.rename(path.with_name("b"))
    camera.record("a", b"other")

    with pytest.raises(SourceChanged):
        copy_one(camera, wanted, RealDisk(), silent)

    assert names(bag) == set()


@pytest.mark.parametrize("size", [3 * MIB, 20 * MIB])
def test_a_camera_pulled_midway_leaves_nothing(
    camera: FolderCamera, bag: Path, size: int
) -> None:
    camera.record("a", content(size))

    def pulled() -> None:
        camera.break_medium()
        camera.present = False

    with pytest.raises(CameraGone):
        copy_one(camera, camera.wanted("a", bag), RealDisk(), After(MIB, [pulled]))

    assert names(bag) == set()


def test_a_medium_that_fails_is_told_from_a_camera_that_is_gone(
    camera: FolderCamera, bag: Path
) -> None:
    camera.record("a", content(3 * MIB))

    with pytest.raises(CameraError) as caught:
        copy_one(
            camera,
            camera.wanted("a", bag),
            RealDisk(),
            After(MIB, [camera.break_medium]),
        )

    assert not isinstance(caught.value, CameraGone)
    assert names(bag) == set()


@pytest.mark.parametrize("code", [errno.ENODEV, errno.ENXIO, errno.ENOTCONN])
def test_some_errors_mean_that_the_camera_is_gone_whatever_it_looks_like(
    camera: FolderCamera, bag: Path, code: int
) -> None:
    camera.record("a", b"bytes")
    camera.failures[b"a"] = code

    with pytest.raises(CameraGone):
        copy_one(camera, camera.wanted("a", bag), RealDisk(), silent)


def test_a_source_that_reads_differently_the_second_time_shows(
    camera: FolderCamera, bag: Path
) -> None:
    path = camera.record("a", content(2 * MIB))
    wanted = camera.wanted("a", bag)
    copied = copy_one(camera, wanted, RealDisk(), silent)

    again = digest_source(camera, wanted, silent)
    decayed = bytearray(content(2 * MIB))
    decayed[MIB] ^= 1
    path.write_bytes(decayed)
    os.utime(path, ns=(0, wanted.mtime_ns))
    later = digest_source(camera, wanted, silent)

    assert again == copied.digest
    assert later == digest(bytes(decayed)) != copied.digest


def test_a_source_is_not_digested_if_it_is_no_longer_what_was_listed(
    camera: FolderCamera, bag: Path
) -> None:
    path = camera.record("a", b"bytes")
    wanted = camera.wanted("a", bag)
    grown(path)

    with pytest.raises(SourceChanged):
        digest_source(camera, wanted, silent)


def batch(camera: FolderCamera, bag: Path, count: int) -> list[Wanted]:
    for number in range(count):
        camera.record(f"{number}", content(1000 + number))
    return [camera.wanted(f"{number}", bag) for number in range(count)]


def test_one_file_that_fails_does_not_fail_its_batch(
    camera: FolderCamera, bag: Path
) -> None:
    wanted = batch(camera, bag, 4)
    camera.failures[b"1"] = errno.EIO
    grown(camera.root / "2")

    found = copy_batch(camera, wanted, RealDisk(), silent)

    assert [type(one) for one in found] == [Copied, CameraError, SourceChanged, Copied]
    kept = {one.part.name for one in found if isinstance(one, Copied)}
    assert names(bag) == kept


def test_a_file_that_fails_midway_leaves_no_part_in_its_batch(
    camera: FolderCamera, bag: Path
) -> None:
    camera.record("long", content(3 * MIB))
    camera.record("next", b"bytes")
    wanted = [camera.wanted(name, bag) for name in ("long", "next")]

    found = copy_batch(camera, wanted, RealDisk(), After(MIB, [camera.break_medium]))

    assert [isinstance(one, DockError) for one in found] == [True, False]
    assert len(names(bag)) == 1


def test_a_camera_that_is_gone_costs_the_batch_only_what_was_not_read(
    camera: FolderCamera, bag: Path
) -> None:
    wanted = batch(camera, bag, 4)
    camera.failures[b"2"] = errno.ENODEV

    found = copy_batch(camera, wanted, RealDisk(), silent)

    kinds = [type(one) for one in found]
    assert kinds == [Copied, Copied, CameraGone, CameraGone]
    assert len(names(bag)) == 2


def test_a_batch_of_nothing_is_nothing(camera: FolderCamera) -> None:
    assert copy_batch(camera, [], RealDisk(), silent) == []


def test_a_copy_never_writes_to_the_camera(camera: FolderCamera, bag: Path) -> None:
    path = camera.record("a", content(20 * MIB))
    before = path.stat()

    copy_one(camera, camera.wanted("a", bag), RealDisk(), silent)

    assert path.read_bytes() == content(20 * MIB)
    assert path.stat().st_ctime_ns == before.st_ctime_ns
    assert names(camera.root) == {"a"}
