"""What only a real file system shows: the medium, the cache, the lack of room."""

import errno
import hashlib
import mmap
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dock_agent.recording import ReadBack
from dock_agent.vault.real import BIG, RealDisk
from support.copying import MIB, content
from support.disks import (
    MAY_MOUNT,
    SHARED_MEMORY,
    no_direct_io,
    no_direct_open,
    on_a_block_device,
    put,
    small_file_system,
)

needs_root = pytest.mark.skipif(not MAY_MOUNT, reason="mounting needs root and loops")


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    if not on_a_block_device(tmp_path):
        pytest.skip("the temporary directory has no block device behind it")
    return tmp_path


@pytest.mark.parametrize(
    "size", [1, 511, 512, 513, 4095, 4096, 4097, MIB - 1, MIB + 1, BIG + 1]
)
def test_a_read_back_past_the_cache_is_counted_by_the_kernel(
    medium: Path, size: int
) -> None:
    put(RealDisk(), medium / "a", content(size))

    found = RealDisk().reread(medium / "a")

    assert found.method is ReadBack.DIRECT
    assert found.counted >= size


def test_a_read_back_sees_the_medium_although_the_file_is_cached(medium: Path) -> None:
    put(RealDisk(), medium / "a", content(2 * MIB))
    cached = (medium / "a").read_bytes()

    found = RealDisk().reread(medium / "a")

    assert found.counted >= len(cached)
    assert found.method is ReadBack.DIRECT


def test_room_taken_but_never_written_is_not_called_read_from_the_medium(
    medium: Path,
) -> None:
    writer = RealDisk().create(medium / "a", MIB)
    writer.finish(MIB, 0)
    writer.sync()
    writer.close()

    found = RealDisk().reread(medium / "a")

    assert found.digest == hashlib.sha256(bytes(MIB)).hexdigest()
    assert found.method is ReadBack.CACHED


def test_a_file_system_in_memory_is_never_called_a_medium() -> None:
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        path = Path(folder, "a")
        put(RealDisk(), path, content(BIG + 1))

        found = RealDisk().reread(path)

    assert found.digest == hashlib.sha256(content(BIG + 1)).hexdigest()
    assert found.method is ReadBack.CACHED


@needs_root
def test_without_direct_reads_the_cache_is_dropped_and_seen_to_be(
    tmp_path: Path,
) -> None:
    with no_direct_io(tmp_path) as root:
        put(RealDisk(), root / "a", content(3 * MIB + 1))

        found = RealDisk().reread(root / "a")

    assert found.digest == hashlib.sha256(content(3 * MIB + 1)).hexdigest()
    assert found.method is ReadBack.DROPPED
    assert found.counted >= 3 * MIB + 1


@needs_root
def test_a_cache_that_another_program_holds_is_called_a_cache(tmp_path: Path) -> None:
    with no_direct_io(tmp_path) as root:
        put(RealDisk(), root / "a", content(MIB))
        with (root / "a").open("rb") as file:
            held = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
            touched = sum(held[::4096])

            found = RealDisk().reread(root / "a")

            held.close()

    assert touched
    assert found.method is ReadBack.CACHED


@needs_root
def test_where_direct_reads_are_refused_a_copy_is_still_checked(tmp_path: Path) -> None:
    with no_direct_open(tmp_path) as root:
        put(RealDisk(), root / "a", content(BIG + 1))

        found = RealDisk().reread(root / "a")

    assert found.digest == hashlib.sha256(content(BIG + 1)).hexdigest()
    assert found.method is ReadBack.CACHED


def test_a_part_of_another_program_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"x")
    (tmp_path / "a").symlink_to("elsewhere")

    with pytest.raises(FileExistsError):
        RealDisk().create(tmp_path / "a", 1)
    with pytest.raises(OSError, match=r".") as caught:
        RealDisk().reread(tmp_path / "a")

    assert caught.value.errno == errno.ELOOP


def test_a_finished_file_is_read_only_and_keeps_its_time(tmp_path: Path) -> None:
    put(RealDisk(), tmp_path / "a", content(5))

    facts = (tmp_path / "a").stat()

    assert stat.S_IMODE(facts.st_mode) == 0o440
    assert facts.st_mtime_ns == 1_700_000_000_123_456_789


@needs_root
@pytest.mark.parametrize("size", [30 * MIB, 400 * MIB])
def test_a_full_disk_is_known_before_the_first_byte(tmp_path: Path, size: int) -> None:
    with small_file_system(tmp_path, 40 * MIB) as root:
        put(RealDisk(), root / "held", content(10 * MIB))

        with pytest.raises(OSError, match=r".") as caught:
            RealDisk().create(root / "a", size)

        assert caught.value.errno == errno.ENOSPC
        assert {path.name for path in root.iterdir()} == {"held", "lost+found"}
        assert RealDisk().reread(root / "held").method is ReadBack.DIRECT


@needs_root
def test_room_is_asked_for_where_it_cannot_be_taken(tmp_path: Path) -> None:
    with small_file_system(tmp_path, 40 * MIB, kind="ext2") as root:
        put(RealDisk(), root / "held", content(MIB))

        with pytest.raises(OSError, match=r".") as caught:
            RealDisk().create(root / "a", 400 * MIB)

        assert caught.value.errno == errno.ENOSPC
        assert {path.name for path in root.iterdir()} == {"held", "lost+found"}


@needs_root
def test_a_read_only_vault_takes_nothing(tmp_path: Path) -> None:
    with small_file_system(tmp_path, 40 * MIB) as root:
        put(RealDisk(), root / "a", b"x")
        subprocess.run(["mount", "-o", "remount,ro", root], check=True)

        for attempt in (
            lambda: RealDisk().create(root / "b", 1),
            lambda: RealDisk().make_directory(root / "c"),
            lambda: RealDisk().rename(root / "a", root / "d"),
        ):
            with pytest.raises(OSError, match=r".") as caught:
                attempt()
            assert caught.value.errno == errno.EROFS


LIMITED = """
import errno, resource, signal, sys
from pathlib import Path
from dock_agent.vault.real import RealDisk

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
try:
    RealDisk().create(Path(sys.argv[1]), (1 << 20) + 1)
except OSError as error:
    sys.exit(error.errno)
"""


def test_a_limit_on_file_sizes_is_known_before_the_first_byte(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "a")]

    code = subprocess.run(command, check=False).returncode

    assert code == errno.EFBIG
    assert not (tmp_path / "a").exists()


def test_a_large_text_of_our_own_needs_no_aligned_buffer(tmp_path: Path) -> None:
    text = b" " + content(BIG + 5)
    writer = RealDisk().create(tmp_path / "a", BIG + 5)

    writer.write(memoryview(text)[1:], 0)
    writer.finish(BIG + 5, 0)
    writer.sync()
    writer.close()

    assert (tmp_path / "a").read_bytes() == content(BIG + 5)


def test_a_large_copy_leaves_nothing_in_the_page_cache(medium: Path) -> None:
    block = memoryview(mmap.mmap(-1, BIG + 5))
    block[:] = content(BIG + 5)
    writer = RealDisk().create(medium / "a", BIG + 5)

    writer.write(block, 0)
    writer.finish(BIG + 5, 0)
    writer.sync()
    writer.close()
    with (medium / "a").open("rb") as file:
        before = read_from_the_medium()
        file.read()

    assert read_from_the_medium() - before >= BIG


def read_from_the_medium() -> int:
    account = Path("/proc/thread-self/io").read_text("ascii")
    return int(account.partition("\nread_bytes: ")[2].split()[0])


def test_what_is_neither_a_file_nor_a_directory_is_an_oddity(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_bytes(b"x")
    (tmp_path / "link").symlink_to("folder/file")
    (tmp_path / "way").symlink_to("folder")
    os.mkfifo(tmp_path / "folder/pipe")

    found = list(RealDisk().oddities(tmp_path))

    assert found == [tmp_path / name for name in ("folder/pipe", "link", "way")]
    assert list(RealDisk().directories(tmp_path)) == [tmp_path / "folder"]
