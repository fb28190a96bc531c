"""What only a real file system can show: the medium, the cache, and the lack of room."""

import errno
import hashlib
import mmap
import os
import resource
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from support.copying import MIB, content
from support.disks import (
    MAY_MOUNT,
    SHARED_MEMORY,
    on_a_block_device,
    put,
    small_file_system,
)

from dock_agent.recording import ReadBack
from dock_agent.vault.real import BIG, RealDisk

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
