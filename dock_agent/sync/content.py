"""The bytes of an object, on our own disk, as destinations read them.

What goes wrong here is never the destination's fault: it raises `FixityError`.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dock_agent.errors import FixityError

PIECE = 1 << 20  # bytes read from the disk at a time


class Content(Protocol):
    """Where an object's bytes come from."""

    def blocks(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield `length` bytes from `offset`; raise `FixityError` if they are gone."""
        ...


@dataclass(frozen=True, slots=True)
class FileContent:
    """Meets `Content` with a file of the vault; a symbolic link is none."""

    path: Path

    def blocks(self, offset: int, length: int) -> Iterator[bytes]:
        try:
            yield from self._read(offset, length)
        except OSError as error:
            raise FixityError(f"{self.path}: {error.strerror}") from error

    def _read(self, offset: int, length: int) -> Iterator[bytes]:
        at, end = offset, offset + length
        fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            while at < end:
                block = os.pread(fd, min(PIECE, end - at), at)
                if not block:
                    raise FixityError(f"{self.path} is shorter than it was")
                at += len(block)
                yield block
        finally:
            os.close(fd)


Moved = Callable[[int], None]
"""Called with each count of bytes before they are sent, or after they came.

Progress, the sign of life, the meter and the brake all hear it; what it raises
ends the sending.
"""


def unheard(count: int) -> None:
    """Hear nothing."""
    del count


def each(*hearers: Moved) -> Moved:
    """Return a `Moved` that tells all of these, in order."""

    def tell(count: int) -> None:
        for hear in hearers:
            hear(count)

    return tell
