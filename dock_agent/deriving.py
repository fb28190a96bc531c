"""Look at what was sealed: facts of each file, tracks, and what is odd in the timeline.

It never stands in the way of an offload, and nothing of the evidence rests on it. A
file that cannot be read for its facts is evidence as any other; it says why.
"""

import logging
import selectors
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

import msgspec

from dock_agent.cameras.profile import Profile, find
from dock_agent.clock import Clock
from dock_agent.config import Config
from dock_agent.errors import DockError, VaultUnusable
from dock_agent.media.child import Answer, Ask
from dock_agent.media.facts import Facts, VideoFacts, is_derived_from
from dock_agent.media.timeline import Video, odd
from dock_agent.recording import DockingId
from dock_agent.store import facts
from dock_agent.store.db import transaction
from dock_agent.store.facts import Source
from dock_agent.store.files import shown
from dock_agent.vault.layout import MARKER

log = logging.getLogger(__name__)

EVERY = 5.0  # seconds between two looks for something that was sealed
DEADLINE = 60.0  # seconds that one file may take
FOLDERS = 1000  # that tracks are spread over
STEP = 0.5  # seconds between two looks whether it is still wanted
ODD_MOST = 200  # sentences kept of one docking

# Modules are found where the agent finds them, whatever its command did to its path.
BEGIN = """\
import sys
sys.path[:] = sys.argv[1:]
from dock_agent.media.child import main
main()
"""

Connect = Callable[[], sqlite3.Connection]


class Stopped(DockError):
    """What derives was asked to stop in the midst of a file."""


class Reader:
    """Asks a process of its own for each file; ends it when it takes too long."""

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._child: subprocess.Popen[bytes] | None = None

    def ask(self, ask: Ask, stop: threading.Event | None = None) -> Answer:
        """Return the facts of a file, or why there are none.

        Raises `Stopped` where it is told to stop meanwhile.
        """
        child = self._child = self._child or self._begin()
        assert child.stdin is not None  # noqa: S101  both were asked for
        assert child.stdout is not None  # noqa: S101
        with suppress(BrokenPipeError):
            child.stdin.write(msgspec.json.encode(ask) + b"\n")
            child.stdin.flush()
        if not self._answers(child.stdout, stop):
            self.end()
            return Answer(reason=f"it took over {self._deadline:.0f} s")
        line = child.stdout.readline()
        if not line.endswith(b"\n"):
            self.end()
            return Answer(reason="what reads it died of it")
        return msgspec.json.decode(line, type=Answer)

    def _answers(self, out: IO[bytes], stop: threading.Event | None) -> bool:
        """Whether an answer comes before the deadline."""
        with selectors.DefaultSelector() as ready:
            ready.register(out, selectors.EVENT_READ)
            for _ in range(round(self._deadline / STEP)):
                if ready.select(STEP):
                    return True
                if stop is not None and stop.is_set():
                    self.end()
                    raise Stopped("it is read again next time")
        return False

    def end(self) -> None:
        """End the process, if there is one."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.communicate()

    @staticmethod
    def _begin() -> "subprocess.Popen[bytes]":
        # It dies with us by its own doing, and ends when nobody can ask it any more.
        return subprocess.Popen(  # noqa: S603  our own words
            [sys.executable, "-sP", "-c", BEGIN, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the evidence lies, where tracks go, and how the cameras tell time."""

    vault: Path
    derived: Path
    zone: ZoneInfo
    profiles: Sequence[Profile]

    @classmethod
    def of(cls, config: Config, profiles: Sequence[Profile]) -> "Ground":
        """Return the ground of a station."""
        return cls(config.vault_path, config.derived_path, config.zone, profiles)


class Deriver:
    """Works through the sealed dockings, the oldest first."""

    def __init__(self, conn: sqlite3.Connection, clock: Clock, ground: Ground) -> None:
        self._conn, self._clock, self._ground = conn, clock, ground
        self._reader = Reader()

    def turn(self, stop: threading.Event) -> bool:
        """Look at one docking; return whether there was one, and it is done.

        Raises `VaultUnusable` where the vault is out, and what the store raises.
        """
        due = facts.due(self._conn)
        if due is None:
            return False
        for source in facts.sources(self._conn, due.docking):
            if stop.is_set():
                return False
            if source.looked_at is None and is_derived_from(source.stored):
                self._look(source, stop)
        profile = find(self._ground.profiles, due.camera.partition(":")[0])
        found = odd(self._videos(due.docking, profile), self._ground.zone)
        told = [finding.text for finding in found[:ODD_MOST]]
        with transaction(self._conn):
            facts.finish(self._conn, due.docking, told, self._clock.now())
        return True

    def close(self) -> None:
        """End what reads the files."""
        self._reader.end()

    def _look(self, source: Source, stop: threading.Event) -> None:
        folder = self._ground.derived / f"{source.file % FOLDERS:03d}"
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        path = self._ground.vault / source.bag / "data" / source.stored
        ask = Ask(str(path), str(folder / str(source.file)))
        answer = self._reader.ask(ask, stop)
        if answer.gone and not (self._ground.vault / MARKER).is_file():
            raise VaultUnusable(f"{self._ground.vault} is not there just now")
        told = None if answer.facts is None else encode(answer.facts)
        with transaction(self._conn):
            at = self._clock.now()
            facts.keep(self._conn, source.file, told, answer.reason, at)

    def _videos(self, docking: DockingId, profile: Profile) -> list[Video]:
        videos = []
        for source in facts.sources(self._conn, docking):
            known = None if source.told is None else read(source.told)
            if isinstance(known, VideoFacts):
                name = shown(source.path)
                named = profile.named(name)
                videos.append(Video(name, source.mtime_ns, named, known))
        return videos


def encode(known: Facts) -> str:
    """Return facts as they are kept."""
    return msgspec.json.encode(known).decode()


def read(told: str) -> Facts:
    """Return facts as they were kept."""
    known: Facts = msgspec.json.decode(told, type=Facts)
    return known


@contextmanager
def beside(connect: Connect, clock: Clock, ground: Ground) -> Iterator[None]:
    """Derive for the length of the block, on a thread of its own."""
    stop = threading.Event()
    args = connect, clock, ground, stop
    thread = threading.Thread(target=_work, args=args, name="deriving")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _work(
    connect: Connect, clock: Clock, ground: Ground, stop: threading.Event
) -> None:
    """Derive until told to stop; a fault is told, and tried again later."""
    with closing(connect()) as conn:
        deriver = Deriver(conn, clock, ground)
        try:
            while not stop.is_set():
                if not _turn(deriver, stop):
                    stop.wait(EVERY)
        finally:
            deriver.close()


def _turn(deriver: Deriver, stop: threading.Event) -> bool:
    try:
        return deriver.turn(stop)
    except (DockError, OSError) as error:
        log.warning("nothing was derived just now: %s", error)
        return False
