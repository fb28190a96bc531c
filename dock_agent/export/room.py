"""Where an export is written: beside its place, and nothing stays that has no name."""

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dock_agent.errors import ConfigError, NoRoom
from dock_agent.vault.disk import FULL
from dock_agent.vault.real import RealDisk

BESIDES = 1 << 20  # bytes that are wanted besides the files', at least
MODE = 0o750


class ExportUnusable(ConfigError):
    """An export cannot be written to this place."""

    hint = "Name a directory that is not there yet, where there is room for it."


@contextmanager
def room(to: Path, need: int) -> Iterator[Path]:
    """Have a new directory beside `to`, on a disk that has `need` bytes and some more.

    What is left there at the end is removed, as is what an export to the same place
    left that was killed. Raises `ExportUnusable` where the place is taken or cannot
    be written, and `NoRoom`; also for an `OSError` of the block.
    """
    _require_free(to)
    root = to.with_name(f"{to.name}.part-{secrets.token_hex(4)}")
    try:
        _clean(to)
        root.mkdir(MODE)
        with _held(root):
            _require_room(root, need)
            yield root
    except OSError as error:
        if error.errno in FULL:
            raise NoRoom(f"{to.parent}: {error.strerror}") from error
        raise ExportUnusable(f"{error.filename or to}: {error.strerror}") from error
    finally:
        shutil.rmtree(root, ignore_errors=True)


def take_place(part: Path, to: Path) -> None:
    """Give the directory its name, lastingly; an empty one makes way for it."""
    disk = RealDisk()
    for folder in (part, *disk.directories(part)):
        disk.sync_directory(folder)
    part.rename(to)
    disk.sync_directory(to.parent)


def _require_free(to: Path) -> None:
    if to.is_mount():
        raise ExportUnusable(f"{to} is a whole file system: name a directory below it")
    if to.is_symlink() or (to.exists() and (not to.is_dir() or any(to.iterdir()))):
        raise ExportUnusable(f"{to} is there already")


def _require_room(root: Path, need: int) -> None:
    facts = os.statvfs(root)
    missing = need + BESIDES - facts.f_bavail * facts.f_frsize
    if missing > 0:
        raise NoRoom(f"{root.parent} lacks {missing} bytes", missing)


def _clean(to: Path) -> None:
    """Remove what killed exports left: nobody holds it any more."""
    for left in to.parent.iterdir():
        if left.name.startswith(f"{to.name}.part-") and not left.is_symlink():
            with suppress(BlockingIOError), _held(left):
                shutil.rmtree(left)


@contextmanager
def _held(root: Path) -> Iterator[None]:
    """Hold a directory while it is written; raise `BlockingIOError` if another does."""
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK}:
                raise
        yield
    finally:
        os.close(fd)
