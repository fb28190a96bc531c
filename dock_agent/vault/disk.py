"""What the vault needs of a file system, and nothing more.

`RealDisk` (`vault/real.py`) and `SimulatedDisk` (`simulated/disk.py`) pass the
same contract suite. Paths are absolute. Errors of the medium are `OSError`s,
as the kernel gives them; the caller turns them into the project's own.
"""

import errno
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dock_agent.errors import NoRoom, VaultUnusable
from dock_agent.recording import Digest, ReadBack

UNREADABLE = {errno.EIO, errno.EBADMSG, errno.EUCLEAN, errno.ENODATA}
UNREADABLE |= {errno.ELOOP, errno.EISDIR, errno.ENXIO}  # a link, a directory, a socket
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@dataclass(frozen=True, slots=True)
class Reread:
    """What a read-back found: digest, bytes read, how, and the kernel's count.

    `counted` is how much `/proc/thread-self/io` read_bytes grew: the proof that
    the bytes came from the medium. `dropped`: nothing of the file was in the page
    cache when it was read.
    """

    digest: Digest
    size: int
    method: ReadBack
    counted: int
    dropped: bool = False


Beat = Callable[[int], None]
"""Called with the bytes just read: progress, and the sign of life."""


Begin = Callable[[], Callable[[memoryview], None]]
"""Begins a reading: what it returns is given each block of the file, in order."""


def silent(count: int) -> None:
    """Hear nothing."""
    del count


def unseen() -> Callable[[memoryview], None]:
    """Begin a reading that nobody looks at."""

    def show(block: memoryview) -> None:
        del block

    return show


class Writer(Protocol):
    """A new file that has no lasting name yet. Any method may raise `OSError`."""

    def write(self, block: memoryview, offset: int) -> None:
        """Write all of `block` at `offset` (a multiple of 4096)."""
        ...

    def finish(self, size: int, mtime_ns: int) -> None:
        """Set length, modification time and mode 0440. Not durable yet."""
        ...

    def sync(self) -> None:
        """Make bytes and facts durable. After an error the file counts as lost."""
        ...

    def close(self) -> None: ...


class Disk(Protocol):
    """The file system that holds the vault."""

    def make_directory(self, path: Path) -> None:
        """Make it and its parents, durably. One that is there is fine."""
        ...

    def create(self, path: Path, size: int) -> Writer:
        """Create a file that must not exist, with room for `size` bytes.

        Raises `OSError` ENOSPC before the first byte is written.
        """
        ...

    def barrier(self, directory: Path) -> AbstractContextManager[None]:
        """Make everything that the block writes durable when it ends.

        Entered before the first write, so that a write-back error that happens
        in between is reported: it is raised when the block ends.
        """
        ...

    def reread(self, path: Path, beat: Beat = silent) -> Reread:
        """Read the file again from the medium, not from the page cache.

        `beat` hears the bytes of each block: a long read shows that it lives.
        """
        ...

    def study(self, path: Path, begin: Begin, beat: Beat = silent) -> Reread:
        """Read the file again as `reread` does, and show every block to a reader.

        Each reading asks `begin` for a new one: where the first cannot be told from
        one of the page cache there is a second.
        """
        ...

    def read(self, path: Path) -> bytes:
        """Return a small file whole."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Give a file its name; raise `FileExistsError` rather than replace."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Make the directory's names durable."""
        ...

    def unlink(self, path: Path) -> None: ...

    def listing(self, path: Path) -> Iterable[Path]:
        """Every regular file below `path`, in sorted order; none if it is absent."""
        ...

    def names(self, path: Path) -> Iterable[str]:
        """Every name directly in `path`, in sorted order; none if it is absent."""
        ...

    def directories(self, path: Path) -> Iterable[Path]:
        """Every directory below `path`, in sorted order."""
        ...

    def oddities(self, path: Path) -> Iterable[Path]:
        """Every name below `path` of neither a regular file nor a directory."""
        ...

    def exists(self, path: Path) -> bool:
        """Whether the name is taken, by whatever."""
        ...

    def size(self, path: Path) -> int:
        """Return a file's length in bytes."""
        ...

    def free(self, path: Path) -> int:
        """Bytes an unprivileged writer may still use there."""
        ...


def readable(
    disk: Disk, path: Path, beat: Beat = silent, begin: Begin | None = None
) -> Reread | None:
    """Read a file again; None where the medium no longer gives its bytes.

    With `begin` every block is shown. Raises any other `OSError`.
    """
    try:
        if begin is not None:
            return disk.study(path, begin, beat)
        return disk.reread(path, beat)
    except OSError as error:
        if error.errno in UNREADABLE:
            return None
        raise


@contextmanager
def vault_errors() -> Iterator[None]:
    """Turn the vault's own `OSError`s into what an operator reads."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise NoRoom(f"vault: {error.strerror}") from error
        raise VaultUnusable(f"vault: {error.strerror}: {error.filename}") from error
