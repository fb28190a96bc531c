"""Look at the vault beside everything else: never in the way, and done in time.

Each file is read once in `[vault] scrub_days`, spread over that time, by a thread that
the disk and the processor serve last. While a bay copies, it rests, in mid-file too;
only what is late is read all the same.
"""

import ctypes
import logging
import os
import platform
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from dock_agent.clock import Clock
from dock_agent.config import Config
from dock_agent.errors import AlreadyRunning, DockError
from dock_agent.recording import BayState
from dock_agent.station import Station
from dock_agent.store import scrubs
from dock_agent.store.db import connect, translated
from dock_agent.store.scrubs import OPENING, Item
from dock_agent.vault import lock
from dock_agent.vault.heal import Healer
from dock_agent.vault.real import RealDisk
from dock_agent.vault.scrub import Scrubber, require_vault
from dock_agent.vault.verify import Failure

log = logging.getLogger(__name__)

BEGIN, SPREAD, LATE = 0.1, 0.8, 0.9  # parts of the time in which all is read once
IDLE_S = 5.0  # seconds between two looks for something to do
TEND_S = 60.0  # seconds between two looks for what was sealed, and what can be healed
GIVE_WAY_S = 0.5  # seconds between two looks whether a bay still copies
NICEST = 19
IOPRIO_SET = {"x86_64": 251, "aarch64": 30}  # ioprio_set(2), the number of the call
BUSY = {BayState.COPYING, BayState.CHECKING, BayState.CLEARING}
WHO_THREAD, IDLE_CLASS = 1, 3 << 13

Connect = Callable[[], sqlite3.Connection]


class Stopped(DockError):
    """The scrub was asked to stop; the file is read again next time."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the readings are spread. `period`: in which every file is read once."""

    period: timedelta

    def due_before(self, now: datetime) -> datetime:
        """Return the moment since which a file need not be read again yet."""
        return now - BEGIN * self.period

    def is_late(self, item: Item, now: datetime) -> bool:
        """Whether a file has to be read now, whatever else goes on."""
        return now - item.checked_at > LATE * self.period

    def pause(self, item: Item, whole: int) -> float:
        """Return how many seconds a file takes its share of; `whole` as `weight`."""
        share = (item.size + OPENING) / max(whole, item.size + OPENING)
        return SPREAD * self.period.total_seconds() * share


@dataclass(frozen=True, slots=True)
class Ground:
    """What the worker needs besides its database. `busy`: whether a bay copies."""

    vault: Path
    fetched: Path
    plan: Plan
    busy: Callable[[], bool]

    @classmethod
    def of(cls, config: Config, station: Station) -> "Ground":
        """Return the ground of a station."""

        def busy() -> bool:
            return any(bay.state in BUSY for bay in station.bays.values())

        plan = Plan(timedelta(days=config.vault.scrub_days))
        return cls(config.vault_path, config.fetched_path, plan, busy)


@dataclass(slots=True)
class Scrubbing:
    """The worker: one turn is one file at most."""

    conn: sqlite3.Connection
    clock: Clock
    ground: Ground
    stop: threading.Event
    scrubber: Scrubber = field(init=False)
    healer: Healer = field(init=False)
    whole: int = 0
    tended: float | None = None
    next_at: float = 0.0
    late: bool = False

    def __post_init__(self) -> None:
        disk = RealDisk(within=self.ground.vault)
        parts = self.conn, disk, self.ground.vault
        self.scrubber = Scrubber(*parts, self.clock, self._beat)
        self.healer = Healer(*parts, self.ground.fetched, self.clock, self._beat)

    def turn(self) -> bool:
        """Do what is due; return whether a file was read.

        Raises `Stopped`, `NoRoom`, `VaultUnusable`, and what the store raises.
        """
        now, uptime = self.clock.now().utc, self.clock.monotonic_ns() / 1e9
        plan, tend = self.ground.plan, self._is_time_to_tend(uptime)
        if tend and (self.scrubber.enrol() or not self.whole):
            self.whole = scrubs.weight(self.conn)
        item = scrubs.oldest(self.conn, now, plan.due_before(now))
        self.late = item is not None and plan.is_late(item, now)
        if self.ground.busy() and not self.late:
            return False
        if tend:
            self.tended = uptime
            self.healer.run()
        if item is None or (uptime < self.next_at and not self.late):
            return False
        if self.scrubber.look(item) is not None:
            self.tended = None  # heal it at once
        self.next_at = uptime + plan.pause(item, self.whole)
        return True

    def _is_time_to_tend(self, uptime: float) -> bool:
        return self.tended is None or uptime - self.tended >= TEND_S

    def _beat(self, count: int) -> None:
        """Give way to a bay that copies, in the midst of a file."""
        del count
        while self.ground.busy() and not self.late and not self.stop.is_set():
            self.stop.wait(GIVE_WAY_S)
        if self.stop.is_set():
            raise Stopped


@contextmanager
def beside(connect: Connect, clock: Clock, ground: Ground) -> Iterator[None]:
    """Scrub for the length of the block, on a thread of its own."""
    stop = threading.Event()
    args = connect, clock, ground, stop
    thread = threading.Thread(target=_work, args=args, name="scrub")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _work(
    connect: Connect, clock: Clock, ground: Ground, stop: threading.Event
) -> None:
    """Scrub until told to stop; a fault is told, and tried again later."""
    be_last()
    with closing(connect()) as conn:
        scrubbing = Scrubbing(conn, clock, ground, stop)
        while not stop.is_set():
            if not _turn(scrubbing):
                stop.wait(IDLE_S)


def _turn(scrubbing: Scrubbing) -> bool:
    try:
        with translated("the station's database"):
            return scrubbing.turn()
    except Stopped:
        return False
    except DockError as error:
        log.warning("the vault is not looked at just now: %s", error)
        return False


def be_last() -> bool:
    """Have this thread served last, by the disk and the processor; False if not both.

    What it begins inherits that. A sandbox may forbid it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    number = IOPRIO_SET.get(platform.machine())
    idle = number is not None and not libc.syscall(number, WHO_THREAD, 0, IDLE_CLASS)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, NICEST)
    except OSError:
        idle = False
    if not idle:
        log.info("the vault is read at the usual priority: it may not be lowered")
    return idle


class Scrubbed(msgspec.Struct, frozen=True, kw_only=True):
    """What a scrub by hand found, as `--json` prints it.

    `damaged` is all that is damaged now; `healed` counts what it put right.
    """

    checked: int
    bytes: int
    damaged: tuple[Failure, ...]
    healed: int


def scrub(
    config: Config, clock: Clock, show: Callable[[int, int], None], *, everything: bool
) -> Scrubbed:
    """Read what is due by now, or everything, and heal what can be healed.

    While the agent runs, what is damaged is left for it to heal. `show` hears how many
    bytes are done, of how many. Raises `VaultUnusable` and what the store raises.
    """
    with closing(connect(config.store_path)) as conn:
        disk = RealDisk(within=config.vault_path)
        require_vault(conn, disk, config.vault_path)
        scrubber = Scrubber(conn, disk, config.vault_path, clock)
        scrubber.enrol()
        begun, count, size = clock.now().utc, 0, 0
        period = timedelta(0 if everything else config.vault.scrub_days)
        whole = scrubs.weight(conn)
        while (
            item := scrubs.oldest(conn, clock.now().utc, begun - period)
        ) is not None:
            scrubber.look(item)
            count, size = count + 1, size + item.size
            show(size + count * OPENING, whole)
        healer = Healer(conn, disk, config.vault_path, config.fetched_path, clock)
        healed = _heal(config, healer)
        left = tuple(Failure(i.path, told) for i, told in scrubs.told(conn))
    return Scrubbed(checked=count, bytes=size, damaged=left, healed=healed)


def _heal(config: Config, healer: Healer) -> int:
    try:
        with lock.held(config.vault_path):
            return healer.run()
    except AlreadyRunning:
        return 0  # the agent does it within a minute
