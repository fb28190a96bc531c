"""Write one file of an export: new, in constant memory, hashed on its way.

It is not lasting yet: the export is flushed once, as a whole.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from dock_agent.errors import VaultUnread
from dock_agent.recording import Digest

BLOCK = 1 << 20  # bytes
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
MODE, FOLDER = 0o440, 0o750  # given when made: a FAT stick refuses a later chmod


@dataclass(frozen=True, slots=True)
class Written:
    """A file as it was written; `sha512` where it was asked for, `mtime_ns` of data."""

    size: int
    sha256: Digest
    sha512: bytes | None = None
    mtime_ns: int | None = None


def save(path: Path, content: bytes) -> Written:
    """Write a small file that must not exist yet. Raises `OSError`."""
    path.parent.mkdir(FOLDER, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, NEW, MODE), "wb") as out:
        out.write(content)
    return Written(len(content), Digest(hashlib.sha256(content).hexdigest()))


def copy(source: Path, target: Path, mtime_ns: int, *, more: bool) -> Written:
    """Copy a file of the vault; `more`: with its SHA-512 too.

    Raises `VaultUnread`, and `OSError` where the target cannot be written.
    """
    sha256, sha512, size = hashlib.sha256(), hashlib.sha512(), 0
    target.parent.mkdir(FOLDER, parents=True, exist_ok=True)
    with os.fdopen(os.open(target, NEW, MODE), "wb", 0) as out:
        block = memoryview(bytearray(BLOCK))
        fd = _opened(source)
        try:
            while count := _read(fd, block, source):
                piece = block[:count]
                sha256.update(piece)
                if more:
                    sha512.update(piece)
                _write(out.fileno(), piece)
                size += count
        finally:
            os.close(fd)
        os.utime(out.fileno(), ns=(mtime_ns, mtime_ns))
    told = sha512.digest() if more else None
    return Written(size, Digest(sha256.hexdigest()), told, mtime_ns)


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise VaultUnread(f"{path}: {error.strerror}") from error


def _read(fd: int, block: memoryview, path: Path) -> int:
    try:
        return os.readv(fd, [block])
    except OSError as error:
        raise VaultUnread(f"{path}: {error.strerror}") from error


def _write(fd: int, piece: memoryview) -> None:
    while piece:
        piece = piece[os.write(fd, piece) :]
