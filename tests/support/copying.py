"""A camera in a folder, and what can go wrong with it while it is read."""

import os
import random
from dataclasses import dataclass, field
from pathlib import Path

from dock_agent.offload.source import Wanted

MIB = 1 << 20


def content(size: int) -> bytes:
    """Return the same `size` bytes each time, no two blocks alike."""
    return random.Random(size).randbytes(size)


@dataclass
class FolderCamera:
    """Meets `offload.source.Source`. `fd` is the descriptor it gave last."""

    root: Path
    present: bool = True
    failures: dict[bytes, int] = field(default_factory=dict)  # errno by path
    fd: int = -1

    def open(self, path: bytes) -> int:
        if path in self.failures:
            raise OSError(self.failures[path], "simulated")
        self.fd = os.open(self.root / os.fsdecode(path), os.O_RDONLY)
        return self.fd

    def read(self, fd: int, buffer: memoryview) -> int:
        return os.readv(fd, [buffer])

    def alive(self) -> bool:
        return self.present

    def record(self, name: str, data: bytes) -> Path:
        """Put a file on the camera."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        os.utime(path, ns=(0, 1_700_000_000_123_456_789))
        return path

    def wanted(self, name: str, bag: Path) -> Wanted:
        """Return the inventory's entry of a file, to be copied into `bag`."""
        facts = (self.root / name).stat()
        return Wanted(
            path=os.fsencode(name),
            target=bag / name,
            size=facts.st_size,
            mtime_ns=facts.st_mtime_ns,
            device=facts.st_dev,
            inode=facts.st_ino,
        )

    def break_medium(self) -> None:
        """Let every further read of the open file fail with EIO."""
        unreadable = os.open("/proc/self/mem", os.O_RDONLY)  # nothing is at 0
        os.dup2(unreadable, self.fd)
        os.close(unreadable)


@dataclass
class After:
    """A beat that does something once, as soon as `size` bytes were read."""

    size: int
    what: list[object] = field(default_factory=list)

    def __call__(self, count: int) -> None:
        self.size -= count
        if self.size <= 0 and self.what:
            action = self.what.pop()
            if callable(action):
                action()
