"""The bytes of an object, on our own disk, as destinations read them.

What goes wrong here is never the destination's fault. A file that is gone is told
apart from a disk that does not give it: only the first says that evidence is missing.
"""

import errno
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dock_agent.errors import DockError, FixityError, VaultUnread

PIECE = 1 << 20  # bytes read from the disk at a time
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
# No file of that name: nothing, a link, a directory, a pipe, a socket.
NO_FILE = {errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.EISDIR}
NO_FILE |= {errno.ESPIPE, errno.ENXIO}


class Content(Protocol):
    """Where an object's bytes come from."""

    def blocks(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield `length` bytes from `offset`.

        Raises `FixityError` if they are gone, `VaultUnread` if the disk does not
        give them.
        """
        ...


@dataclass(frozen=True, slots=True)
class FileContent:
    """Meets `Content` with a file of the vault; a symbolic link is none."""

    path: Path

    def blocks(self, offset: int, length: int) -> Iterator[bytes]:
        try:
            yield from self._read(offset, length)
        except OSError as error:
            raise unread(self.path, error) from error

    def _read(self, offset: int, length: int) -> Iterator[bytes]:
        at, end = offset, offset + length
        fd = os.open(self.path, READ)
        try:
            while at < end:
                block = os.pread(fd, min(PIECE, end - at), at)
                if not block:
                    raise FixityError(f"{self.path} is shorter than it was")
                at += len(block)
                yield block
        finally:
            os.close(fd)


def unread(path: Path, error: OSError) -> DockError:
    """Return what it means that a file of ours could not be read."""
    kind = FixityError if error.errno in NO_FILE else VaultUnread
    return kind(f"{path}: {error.strerror}")


Moved = Callable[[int], None]
"""Called with each count of bytes before they are sent, or after they came.

Progress, the sign of life, the meter and the brake all hear it; what it raises
ends the sending.
"""


def unheard(count: int) -> None:
    """Hear nothing."""
    del count


Keep = Callable[[int, bytes], None]
"""Called with each piece that is fetched of an object, and where in it that begins.

A piece may come again: then what came before it counts no more. Whether all of them
are the object, only its digest tells.
"""


def unkept(offset: int, piece: bytes) -> None:
    """Keep nothing."""
    del offset, piece


def kept(keep: Keep, pieces: Iterable[bytes], offset: int = 0) -> Iterator[bytes]:
    """Yield pieces, and have each kept."""
    for piece in pieces:
        keep(offset, piece)
        offset += len(piece)
        yield piece


def each(*hearers: Moved) -> Moved:
    """Return a `Moved` that tells all of these, in order."""

    def tell(count: int) -> None:
        for hear in hearers:
            hear(count)

    return tell
