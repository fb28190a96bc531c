"""A camera that misbehaves as real ones do, to the byte, and without hardware."""

import errno
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dock_agent.errors import CameraGone
from dock_agent.offload.messages import Found
from dock_agent.offload.scan import FileSystem, MountedSource

VFAT = FileSystem("vfat", 2_000_000_000)  # what most cards are


@dataclass(slots=True)
class Faults:
    """What is wrong with a camera. Change it while it is read.

    `gone_after`: bytes it gives in all before it is gone, with `gone_error` from
    then on. `unreadable`: by path, the offset from which reads fail with EIO.
    `fickle`: files that give other bytes whenever they are opened again.
    `grows`: by path, how many bytes the camera itself adds to a file, once, while
    it is open. `pace`: bytes a second, 0 for no limit.
    """

    gone_after: int | None = None
    gone_error: int = errno.ENODEV
    unreadable: dict[bytes, int] = field(default_factory=dict)
    fickle: set[bytes] = field(default_factory=set)
    grows: dict[bytes, int] = field(default_factory=dict)
    pace: int = 0


@dataclass(slots=True)
class _Opened:
    path: bytes
    first: bool
    offset: int = 0


def ignore(*told: object) -> None:
    """Do nothing about it."""
    del told


@dataclass(slots=True)
class SimulatedSource:
    """The card in a directory as a camera with `faults`. Meets `child.Tree`.

    `wait` is given the seconds that its pace costs, `beat` the bytes it gave so
    far, before each read, and `left` is called once when it is gone. The
    directory is written only where the camera itself would: to let a file grow.
    """

    root: Path
    faults: Faults = field(default_factory=Faults)
    wait: Callable[[float], None] = ignore
    beat: Callable[[int], None] = ignore
    left: Callable[[], None] = ignore
    given: int = 0
    gone: bool = False
    _tree: MountedSource = field(init=False)
    _files: dict[int, _Opened] = field(default_factory=dict)
    _known: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._tree = MountedSource(self.root)

    def close(self) -> None:
        self._tree.close()

    def file_system(self) -> FileSystem:
        return VFAT

    def alive(self) -> bool:
        return not self.gone and self._tree.alive()

    def scan(self) -> tuple[Found, ...]:
        if self.gone:
            raise CameraGone(f"{self.root}: it left")
        return self._tree.scan()

    def open(self, path: bytes) -> int:
        self._still_there()
        fd = self._tree.open(path)
        self._files[fd] = _Opened(path, first=path not in self._known)
        self._known.add(path)
        return fd

    def read(self, fd: int, buffer: memoryview) -> int:
        self.beat(self.given)
        self._still_there()
        file = self._files[fd]
        count = self._tree.read(fd, buffer[: self._most(file, len(buffer))])
        if count and not file.first and file.path in self.faults.fickle:
            buffer[0] ^= 1
        file.offset += count
        self.given += count
        self._grow(file)
        if self.faults.pace:
            self.wait(count / self.faults.pace)
        return count

    def _most(self, file: _Opened, wanted: int) -> int:
        """Return how much may be read before something happens; EIO if nothing."""
        most = wanted
        if self.faults.gone_after is not None:
            most = min(most, self.faults.gone_after - self.given)
        bad = self.faults.unreadable.get(file.path)
        if bad is None:
            return most
        if file.offset >= bad:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return min(most, bad - file.offset)

    def _still_there(self) -> None:
        if self.faults.gone_after is not None and not self.gone:
            self.gone = self.given >= self.faults.gone_after
            if self.gone:
                self.left()
        if self.gone:
            code = self.faults.gone_error
            raise OSError(code, os.strerror(code))

    def _grow(self, file: _Opened) -> None:
        more = self.faults.grows.pop(file.path, 0)
        if more:
            with (self.root / os.fsdecode(file.path)).open("ab") as recording:
                recording.write(bytes(more))
