"""Real file systems to test on, where this machine lets us have them."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dock_agent.vault.disk import Disk

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  a tmpfs on every Linux
LOOP = Path("/dev/loop-control")
MAY_MOUNT = os.geteuid() == 0 and LOOP.exists()


def on_a_block_device(path: Path) -> bool:
    """Whether the file system at `path` has a medium behind it."""
    device = path.stat().st_dev
    return Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").exists()


def put(disk: Disk, path: Path, data: bytes, *, sync: bool = True) -> None:
    """Write a file the way a copy is written, in blocks of 1 MiB."""
    writer = disk.create(path, len(data))
    for offset in range(0, len(data), 1 << 20):
        writer.write(memoryview(data)[offset : offset + (1 << 20)], offset)
    writer.finish(len(data), 1_700_000_000_123_456_789)
    if sync:
        writer.sync()
    writer.close()


@contextmanager
def small_file_system(
    folder: Path, size: int, options: str = "", kind: str = "ext4"
) -> Iterator[Path]:
    """Make a file system of `size` bytes in a file, and mount it. Needs root."""
    image = folder / "image"
    with image.open("wb") as file:
        file.truncate(size)
    subprocess.run(["mke2fs", "-q", "-t", kind, image], check=True)
    with _mounted(folder, ["-o", f"loop{options}", str(image)]) as root:
        yield root


@contextmanager
def no_direct_io(folder: Path) -> Iterator[Path]:
    """Mount a file system whose O_DIRECT reads come from the page cache."""
    with small_file_system(folder, 64 << 20, ",data=journal") as root:
        yield root


@contextmanager
def no_direct_open(folder: Path) -> Iterator[Path]:
    """Mount a file system that refuses O_DIRECT."""
    with _mounted(folder, ["-t", "ramfs", "none"]) as root:
        yield root


@contextmanager
def _mounted(folder: Path, arguments: list[str]) -> Iterator[Path]:
    root = folder / "mounted"
    root.mkdir()
    subprocess.run(["mount", *arguments, root], check=True)
    try:
        yield root
    finally:
        subprocess.run(["umount", root], check=True)
