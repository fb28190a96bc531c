"""The parts of a story: a vault of a given size, an agent that dies, a link."""

import errno
import os
from pathlib import Path

from dock_agent.errors import Unreachable
from dock_agent.recording import ReadBack
from dock_agent.sync.destination import (
    Confirmation,
    Destination,
    Look,
    Object,
    Progress,
    Remember,
)
from dock_agent.sync.wrappers import Through
from dock_agent.vault.disk import Beat, Reread, Writer, silent
from dock_agent.vault.real import RealDisk


class StoryDisk(RealDisk):
    """A real directory of a limited size, whose answers are the same anywhere.

    The kernel's count of a read-back differs between file systems; a story's
    custody log must not. `unreadable` are stored names whose blocks are bad.
    """

    def __init__(self, root: Path, capacity: int) -> None:
        super().__init__()
        self._root, self.capacity = root, capacity
        self.unreadable: set[str] = set()

    def free(self, path: Path) -> int:
        del path
        return self.capacity - sum(p.stat().st_size for p in self.listing(self._root))

    def create(self, path: Path, size: int) -> Writer:
        if size > self.free(path):
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return super().create(path, size)

    def reread(self, path: Path, beat: Beat = silent) -> Reread:
        if path.name in self.unreadable:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        found = super().reread(path, beat)
        return Reread(found.digest, found.size, ReadBack.DIRECT, found.size)


class AgentDied(BaseException):
    """The agent was killed: nothing of it runs on, no handler either."""


class Link(Through):
    """A way to a destination that can be cut. Meets `sync.destination.Destination`."""

    def __init__(self, to: Destination) -> None:
        super().__init__(to)
        self.up = True

    def probe(self) -> None:
        self._weather()
        super().probe()

    def check(self) -> str:
        self._weather()
        return super().check()

    def marker(self) -> str | None:
        self._weather()
        return super().marker()

    def mark(self, ident: str) -> None:
        self._weather()
        super().mark(ident)

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        self._weather()
        return super().send(item, done, remember)

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        self._weather()
        return super().confirm(item, done, sent=sent)

    def look(self, item: Object, done: Progress) -> Look | None:
        self._weather()
        return super().look(item, done)

    def _weather(self) -> None:
        if not self.up:
            raise Unreachable("no network")
