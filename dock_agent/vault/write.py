"""Write a small file of our own so that it is whole and lasting, or not there."""

from pathlib import Path

from dock_agent.vault.disk import Disk
from dock_agent.vault.layout import PART


def part_of(path: Path) -> Path:
    """Return what a file is called until it is whole."""
    return path.with_name(f"{PART}own-{path.name}")


def write_file(disk: Disk, path: Path, content: bytes, mtime_ns: int = 0) -> None:
    """Write by part, flush, rename, flush the directory. Replaces nothing.

    Raises `OSError`, `FileExistsError` among them.
    """
    part = part_of(path)
    if disk.exists(part):
        disk.unlink(part)
    writer = disk.create(part, len(content))
    try:
        writer.write(memoryview(content), 0)
        writer.finish(len(content), mtime_ns)
        writer.sync()
    finally:
        writer.close()
    disk.rename(part, path)
    disk.sync_directory(path.parent)
