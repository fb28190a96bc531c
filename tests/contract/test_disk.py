"""What every `Disk` promises, held against each that there is."""

import errno
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dock_agent.simulated.disk import SimulatedDisk
from dock_agent.vault.disk import Disk
from dock_agent.vault.real import BIG, RealDisk
from support.copying import MIB, content
from support.disks import SHARED_MEMORY, put


@pytest.fixture(params=["simulated", "real", "in memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    if request.param == "in memory":
        with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as folder:
            yield Path(folder)
    else:
        yield tmp_path


@pytest.fixture
def disk(request: pytest.FixtureRequest, root: Path) -> Disk:
    if request.node.callspec.params["root"] != "simulated":
        return RealDisk()
    made = SimulatedDisk()
    made.make_directory(root)
    return made


@pytest.mark.parametrize(
    "size", [0, 1, 4095, 4096, 4097, MIB + 1, BIG - 1, BIG, BIG + 1]
)
def test_what_was_written_is_what_is_read_back(
    disk: Disk, root: Path, size: int
) -> None:
    data = content(size)
    put(disk, root / "a", data)

    found = disk.reread(root / "a")

    assert found.digest == hashlib.sha256(data).hexdigest()
    assert found.size == disk.size(root / "a") == size
    assert disk.read(root / "a") == data


@pytest.mark.parametrize("size", [0, 5000, 4 * MIB + 3])
def test_a_read_back_shows_every_byte_to_the_reader_that_was_begun_last(
    disk: Disk, root: Path, size: int
) -> None:
    put(disk, root / "a", content(size))
    readings: list[bytearray] = []

    def begin() -> Callable[[memoryview], None]:
        readings.append(bytearray())
        return readings[-1].extend

    found = disk.study(root / "a", begin)

    assert bytes(readings[-1]) == content(size)
    again = disk.reread(root / "a")
    assert (found.digest, found.size) == (again.digest, again.size)


def test_a_read_back_is_heard_block_by_block(disk: Disk, root: Path) -> None:
    put(disk, root / "a", content(3 * MIB + 5))
    heard: list[int] = []

    disk.reread(root / "a", heard.append)

    assert sum(heard) == 3 * MIB + 5


def test_blocks_may_arrive_in_any_order(disk: Disk, root: Path) -> None:
    data = content(BIG + 100)
    writer = disk.create(root / "a", len(data))
    for offset in reversed(range(0, len(data), MIB)):
        writer.write(memoryview(data)[offset : offset + MIB], offset)
    writer.finish(len(data), 0)
    writer.sync()
    writer.close()

    assert disk.read(root / "a") == data


def test_nothing_is_created_where_something_is(disk: Disk, root: Path) -> None:
    put(disk, root / "a", b"first")

    with pytest.raises(FileExistsError):
        disk.create(root / "a", 1)

    assert disk.read(root / "a") == b"first"


def test_nothing_is_created_in_a_directory_that_is_not_there(
    disk: Disk, root: Path
) -> None:
    with pytest.raises(FileNotFoundError):
        disk.create(root / "absent" / "a", 1)


def test_a_file_larger_than_the_disk_is_refused_before_its_first_byte(
    disk: Disk, root: Path
) -> None:
    with pytest.raises(OSError, match=r".") as caught:
        disk.create(root / "a", disk.free(root) + (1 << 44))

    assert caught.value.errno in {errno.ENOSPC, errno.EFBIG}
    assert not disk.exists(root / "a")


def test_a_rename_moves_and_never_replaces(disk: Disk, root: Path) -> None:
    put(disk, root / "part", b"new")
    put(disk, root / "held", b"old")

    with pytest.raises(FileExistsError):
        disk.rename(root / "part", root / "held")
    disk.rename(root / "part", root / "given")

    assert disk.read(root / "held") == b"old"
    assert disk.read(root / "given") == b"new"
    assert not disk.exists(root / "part")


def test_a_rename_of_nothing_is_an_error(disk: Disk, root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        disk.rename(root / "absent", root / "given")


def test_directories_are_made_with_their_parents_and_again(
    disk: Disk, root: Path
) -> None:
    disk.make_directory(root / "a" / "b" / "c")
    disk.make_directory(root / "a" / "b" / "c")
    put(disk, root / "a" / "b" / "c" / "x", b"x")

    assert disk.exists(root / "a" / "b")
    assert disk.read(root / "a" / "b" / "c" / "x") == b"x"


def test_no_directory_is_made_below_a_file(disk: Disk, root: Path) -> None:
    put(disk, root / "a", b"x")

    with pytest.raises(OSError, match=r"."):
        disk.make_directory(root / "a" / "b")


def test_a_listing_has_every_file_in_order_and_no_directory(
    disk: Disk, root: Path
) -> None:
    disk.make_directory(root / "b" / "c")
    disk.make_directory(root / "empty")
    for name in ("z", "b/c/2", "b/1"):
        put(disk, root / name, b"x")

    found = list(disk.listing(root))

    assert found == [root / "b/1", root / "b/c/2", root / "z"]


def test_what_is_not_there_is_empty_or_an_error_as_promised(
    disk: Disk, root: Path
) -> None:
    absent = root / "absent"

    assert list(disk.listing(absent)) == []
    assert not disk.exists(absent)
    for ask in (disk.reread, disk.read, disk.size, disk.unlink):
        with pytest.raises(FileNotFoundError):
            ask(absent)
    for ask in (disk.sync_directory, disk.free):
        with pytest.raises(FileNotFoundError):
            ask(absent)


def test_what_was_unlinked_is_gone_and_its_room_is_free(disk: Disk, root: Path) -> None:
    put(disk, root / "a", content(MIB))
    disk.sync_directory(root)

    disk.unlink(root / "a")

    assert not disk.exists(root / "a")


def test_a_barrier_covers_what_its_block_wrote(disk: Disk, root: Path) -> None:
    with disk.barrier(root):
        for name in ("a", "b"):
            put(disk, root / name, name.encode(), sync=False)

    assert disk.read(root / "a") == b"a"
    assert disk.read(root / "b") == b"b"


def test_a_block_that_fails_ends_its_barrier(disk: Disk, root: Path) -> None:
    with pytest.raises(ZeroDivisionError), disk.barrier(root):
        raise ZeroDivisionError

    with disk.barrier(root):
        put(disk, root / "a", b"a", sync=False)

    assert disk.exists(root / "a")


def test_directories_are_told_apart_from_files(disk: Disk, root: Path) -> None:
    disk.make_directory(root / "a/b")
    put(disk, root / "a/file", b"x")

    assert list(disk.directories(root)) == [root / "a", root / "a/b"]
    assert list(disk.names(root / "absent")) == []
    assert {"a"} <= set(disk.names(root))
    assert "b" not in set(disk.names(root))
    assert "b" in set(disk.names(root / "a"))
    assert list(disk.oddities(root)) == []
    assert list(disk.directories(root / "absent")) == []
