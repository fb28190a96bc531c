"""What the vault needs of a file system, and nothing more.

`RealDisk` (`vault/real.py`) and `SimulatedDisk` (`simulated/disk.py`) pass the
same contract suite. Paths are absolute. Errors of the medium are `OSError`s,
as the kernel gives them; the caller turns them into the project's own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dock_agent.recording import Digest, ReadBack


@dataclass(frozen=True, slots=True)
class Reread:
    """What a read-back found: digest, bytes read, how, and the kernel's count.

    `counted` is how much `/proc/thread-self/io` read_bytes grew: the proof that
    the bytes came from the medium.
    """

    digest: Digest
    size: int
    method: ReadBack
    counted: int


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

    def barrier(self, directory: Path) -> None:
        """Make everything written so far durable (syncfs), errors reported."""
        ...

    def reread(self, path: Path) -> Reread:
        """Read the file again from the medium, not from the page cache."""
        ...

    def rename(self, source: Path, target: Path) -> None:
        """Give a file its name; raise `FileExistsError` rather than replace."""
        ...

    def sync_directory(self, path: Path) -> None:
        """Make the directory's names durable."""
        ...

    def unlink(self, path: Path) -> None: ...

    def listing(self, path: Path) -> Iterable[Path]:
        """Every regular file below `path`, in sorted order."""
        ...

    def exists(self, path: Path) -> bool: ...

    def free(self, path: Path) -> int:
        """Bytes an unprivileged writer may still use there."""
        ...
