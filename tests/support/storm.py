"""Random weather over a whole queue, in virtual time: one seed, one story.

A station with 200 files in four dockings, a cloud in memory that misbehaves as the
seed says, and a worker that is killed and begun again. Whatever happens: what counts
as confirmed is there, whole; in the end everything is, once.
"""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random

from dock_agent.recording import Priority, TransferState
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.cloud import SimulatedCloud
from dock_agent.simulated.weather import Weather
from dock_agent.store import backlog, custody
from dock_agent.store.db import connect
from dock_agent.sync.destination import (
    Confirmation,
    Object,
    Progress,
    Remember,
)
from dock_agent.sync.lane import Lane
from dock_agent.sync.worker import Worker
from dock_agent.sync.wrappers import Through
from support.queues import CLOUD, Queue, states
from support.sending import sha256

DOCKINGS, FILES = 4, 50
PART = 600  # bytes: most files have several parts
ROUNDS = 200  # of bad weather, at most
FORGETS = 0.02  # of the questions
MOST = 400  # rounds until everything must have arrived


class Killed(BaseException):
    """The worker's process ends here: nothing of it runs on."""


class Deadly(Through):
    """A cloud at whose n-th step the worker is killed; 0: never.

    Now and then it forgets what it took, before it is asked what it has.
    """

    def __init__(self, cloud: SimulatedCloud, at: int, chance: Random) -> None:
        super().__init__(cloud)
        self._cloud, self._left, self._chance = cloud, at, chance

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        def remembered(progress: Progress) -> None:
            self._step()
            remember(progress)
            self._step()

        self._step()
        told = super().send(item, done, remembered)
        self._step()
        return told

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        if self._chance.random() < FORGETS and item.key in self._cloud.objects:
            self._cloud.forget(item.key)
            del self._cloud.written[item.key]
        told = super().confirm(item, done, sent=sent)
        self._step()
        return told

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise Killed


@dataclass
class Storm:
    """One seed at work below `folder`."""

    seed: int
    folder: Path
    chance: Random = field(init=False)
    clock: ManualClock = field(init=False)
    cloud: SimulatedCloud = field(init=False)
    conn: sqlite3.Connection = field(init=False)
    queue: Queue = field(init=False)
    kills: int = 0

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        self.clock = ManualClock(seed=self.seed)
        self.cloud = SimulatedCloud(self.clock, part_size=PART, wait=self._pass)
        self.conn = books(self.folder)
        self.queue = Queue(self.conn, self.folder / "vault", self.clock)
        for number in range(DOCKINGS):
            sizes = [self.chance.randrange(5 * PART) for _ in range(FILES)]
            self.queue.docking(number, sizes, self.chance.choice(list(Priority)))

    def rage(self) -> None:
        """Live through the weather, then through what it left."""
        for _ in range(ROUNDS):
            if backlog.waiting(self.conn).count == 0:
                break
            self.cloud.weather = bad_weather(self.chance, self.cloud, self.queue.sent)
            self._round(self.chance.choice([0, 0, self.chance.randrange(1, 60)]))
        self.cloud.weather = Weather()
        for _ in range(MOST):
            if backlog.waiting(self.conn).count == 0:
                break
            self._round(0)
            self.clock.advance(timedelta(minutes=10))
        self.conn.close()

    def _round(self, kill_at: int) -> None:
        worker = self._worker(kill_at)
        try:
            worker.run_once(self.conn)
        except Killed:
            self.kills += 1
            self.conn.close()
            self.conn = books(self.folder)
            self.queue.conn = self.conn
        self.require_truth()
        self.clock.advance(timedelta(seconds=self.chance.randrange(1, 1200)))

    def _worker(self, kill_at: int) -> Worker:
        lane = Lane(Deadly(self.cloud, kill_at, self.chance))
        return Worker(self.queue.vault, {CLOUD: lane}, self.clock)

    def require_truth(self) -> None:
        """What counts as confirmed is there, whole; each name was written once."""
        for key, state in states(self.conn).items():
            if state is TransferState.CONFIRMED:
                there = self.cloud.objects.get(key)
                assert there is not None, f"seed {self.seed}: {key} is not there"
                assert sha256(there) == self.queue.sent[key], f"seed {self.seed}: {key}"
        assert set(self.cloud.written.values()) <= {1}, f"seed {self.seed}"

    def _pass(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))


def books(folder: Path) -> sqlite3.Connection:
    """Open the store; no power is cut here, so no flush is waited for."""
    conn = connect(folder / "store.db", create=True)
    conn.execute("PRAGMA synchronous = OFF")
    return conn


def bad_weather(chance: Random, cloud: SimulatedCloud, keys: Iterable[str]) -> Weather:
    """Return what the next hour or so is like."""
    calls = range(cloud.calls, cloud.calls + 120)
    now, hours = cloud.clock.now().utc, timedelta(minutes=chance.randrange(90))
    weather = Weather(
        outages=set(chance.sample(calls, chance.choice([0, 0, 1, 3]))),
        lost=set(chance.sample(calls, chance.choice([0, 1, 2]))),
        lost_replies=chance.choice([0, 0, 0, 2]),
        portal=chance.random() < 0.05,
        busy=[chance.choice([None, 1.0, 700.0])] * chance.choice([0, 0, 0, 2]),
        slow=chance.choice([None, None, 100, 5000]),
        cut_after=chance.choice([None, None, chance.randrange(1, 60 * PART)]),
    )
    match chance.randrange(20):
        case 0:
            weather.out_until = now + hours
        case 1:
            weather.barred_until = now + hours
        case 2:
            weather.full_until = now + hours
    for key in chance.sample(sorted(keys), chance.choice([0, 0, 10])):
        weather.not_taken[key] = chance.randrange(1, 4)
    return weather


def require_the_end(storm: Storm) -> None:
    """Everything arrived, exactly once, and the custody log is whole."""
    with closing(connect(storm.folder / "store.db")) as conn:
        found = states(conn)
        assert set(found.values()) == {TransferState.CONFIRMED}, f"seed {storm.seed}"
        custody.check(conn)
    arrived = {key: sha256(data) for key, data in storm.cloud.objects.items()}
    assert arrived == storm.queue.sent, f"seed {storm.seed}"
    assert set(storm.cloud.written.values()) == {1}, f"seed {storm.seed}"
