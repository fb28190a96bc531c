"""The small file in the root of a share that says which place it is.

An empty directory is what is left where a share is not mounted: it has no marker.
Every function may raise `OSError`.
"""

import secrets
from contextlib import suppress
from pathlib import Path

import msgspec

from dock_agent.errors import Barred
from dock_agent.vault.disk import Disk
from dock_agent.vault.layout import PART

MARKER = "dock-agent.destination"
LONGEST = 4096  # bytes


class Named(msgspec.Struct, frozen=True):
    """What is in it, as JSON."""

    id: str


def read(disk: Disk, root: Path) -> str | None:
    """Return the id of a place; None if it has none.

    Raises `Barred` for a file that is none of ours.
    """
    path = root / MARKER
    try:
        size = disk.size(path)
    except FileNotFoundError:
        return None
    if size > LONGEST:
        raise Barred(f"{path} is not one of ours")
    try:
        return msgspec.json.decode(disk.read(path), type=Named).id
    except msgspec.MsgspecError as error:
        raise Barred(f"{path} is not one of ours: {error}") from error


def write(disk: Disk, root: Path, ident: str) -> None:
    """Give a place its id, durably, unless it has one by now."""
    part = root / f"{PART}{secrets.token_hex(8)}"
    try:
        put(disk, part, msgspec.json.encode(Named(ident)))
        with suppress(FileExistsError):  # another station was faster
            disk.rename(part, root / MARKER)
        disk.sync_directory(root)
    finally:
        remove(disk, part)


def put(disk: Disk, path: Path, content: bytes) -> None:
    """Write a small file that must not exist, durably."""
    writer = disk.create(path, len(content))
    try:
        writer.write(memoryview(content), 0)
        writer.finish(len(content), 0)
        writer.sync()
    finally:
        writer.close()


def remove(disk: Disk, path: Path) -> None:
    """Remove what was not to stay; it is in nobody's way if it cannot be removed."""
    with suppress(OSError):
        disk.unlink(path)
