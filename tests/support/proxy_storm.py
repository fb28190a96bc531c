"""A queue, a real S3 store, and a faulty way between them: one seed, one story.

All is real but the clock, that is moved on between the rounds, so that no back-off
is waited for. The worker is killed now and then, and begun again. What arrived is
judged by boto3, past the proxy.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from dock_agent.recording import PART_SIZE, Proof, TransferState
from dock_agent.simulated.clock import ManualClock
from dock_agent.store import backlog, custody, destinations
from dock_agent.store.db import connect
from dock_agent.sync.brake import Brake
from dock_agent.sync.content import each
from dock_agent.sync.destination import (
    Confirmation,
    Destination,
    Object,
    Progress,
    Remember,
)
from dock_agent.sync.lane import Lane
from dock_agent.sync.meter import Meter, Way
from dock_agent.sync.tryout import known
from dock_agent.sync.worker import Worker
from dock_agent.sync.wrappers import Around, Through, wrapped
from support.fault_kinds import CALM, Fault, Kind, Plan
from support.fault_proxy import FaultProxy
from support.orphans import begun_too_late, unfinished
from support.place_s3 import Reach, fetched, listed
from support.queues import CLOUD, Queue, states
from support.s3_program import BUCKET, S3Program
from support.sending import sha256

SMALL, MOST = 10, 5000  # files of each docking, and their bytes
LARGE = PART_SIZE + 5, 2 * PART_SIZE + 5  # bytes; most seeds have the first
ROUNDS = 40  # of bad weather, at most
CLEARING = 60  # rounds until everything must have arrived
DEADLINE_S = 3.0  # for a small answer; a busy machine is no fault
GIVES_UP_S = *[0.1] * 9, DEADLINE_S + 0.5  # until a hole's connection is reset
CALM_SHARE = 0.25  # of the connections of bad weather: they end now and then
FAULTS = [
    *(kind for kind in Kind if kind not in {Kind.CALM, Kind.END}),
    *[Kind.LOST, Kind.CUT, *[Kind.LATE] * 4],  # what may be done twice
]
PAST_LEASE = timedelta(minutes=11)


class Killed(BaseException):
    """The worker's process ends here: nothing of it runs on."""


class Deadly(Through):
    """A destination at whose n-th sign of life the worker is killed; 0: never."""

    def __init__(self, inner: Destination, at: int) -> None:
        super().__init__(inner)
        self._left = at

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        def remembered(progress: Progress) -> None:
            self._step()
            remember(progress)
            self._step()

        told = super().send(item, done, remembered)
        self._step()
        return told

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        told = super().confirm(item, done, sent=sent)
        self._step()
        return told

    def _heard(self, item: Object, way: Way) -> Object:
        del way
        return replace(item, moved=each(self._step, item.moved))

    def _step(self, count: int = 0) -> None:
        del count
        self._left -= 1
        if self._left == 0:
            raise Killed


def weather(seed: str) -> Plan:
    """Return a plan that gives the same fault to the same connection each time."""

    def plan(number: int) -> Fault:
        chance = Random(f"{seed} {number}")
        after = chance.choice([0, 0, 1, 2, 3, 5, 8])
        if chance.random() < CALM_SHARE:
            return Fault(Kind.END, after + 1)
        kind = chance.choice(FAULTS)
        most = chance.choice([1, 64, 400, MOST, PART_SIZE])
        seconds = 0.05 if kind is Kind.DELAY else chance.choice(GIVES_UP_S)
        return Fault(
            kind,
            after,
            at=chance.randrange(min(most, 20) if kind is Kind.DRIP else most),
            seconds=0.002 if kind is Kind.DRIP else seconds,
            status=chance.choice([500, 502, 503, 503, 504, 429]),
            retry_after=chance.choice([None, "1", "700"]),
        )

    return plan


@dataclass
class ProxyStorm:
    """One seed at work below `folder`, against a store that is shared."""

    seed: int
    folder: Path
    store: S3Program
    proxy: FaultProxy
    kills: int = 0
    chance: Random = field(init=False)
    clock: ManualClock = field(init=False)
    conn: sqlite3.Connection = field(init=False)
    queue: Queue = field(init=False)
    least: Proof = field(init=False)
    _seen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        self.clock = ManualClock(datetime.now(UTC), self.seed)
        self.least = self.chance.choice([Proof.ECHOED, Proof.READ_BACK])
        self.conn = connect(self.folder / "store.db", create=True)
        self.queue = Queue(self.conn, self.folder / "vault", self.clock)
        for number, large in enumerate(([], [LARGE[self.seed % 4 == 0]])):
            sizes = [self.chance.randrange(MOST) for _ in range(SMALL)]
            self.queue.docking(2 * self.seed + number, [0, *sizes, *large])

    @property
    def prefix(self) -> str:
        """Return what the store's keys of this seed begin with."""
        return f"seed-{self.seed}/"

    def rage(self) -> None:
        """Live through the weather, then through what it left."""
        self._begin()
        for number in range(ROUNDS):
            if self._is_over():
                break
            self.proxy.plan = weather(f"{self.seed} {number}")
            refused = self.chance.random() < 0.05
            with self.proxy.shut() if refused else nullcontext():
                self._round(self.chance.choice([0, 0, self.chance.randrange(1, 40)]))
        self.proxy.plan = lambda _: CALM
        for _ in range(CLEARING):
            if self._is_over():
                break
            self._round(0)
            self.clock.advance(timedelta(hours=1))
        self.conn.close()

    def require_truth(self) -> None:
        """What counts as confirmed is there, whole, and nothing of another name is."""
        for key, state in states(self.conn).items():
            if state is TransferState.CONFIRMED and key not in self._seen:
                self._seen.add(key)
                self._require(key)
        names = set(listed(self.store.judge, self.prefix + "dockings/"))
        assert names <= {key.removeprefix("dockings/") for key in self.queue.sent}

    def require_the_end(self) -> None:
        """Everything arrived, exactly once, and the custody log is whole."""
        with closing(connect(self.folder / "store.db")) as conn:
            found = states(conn)
            custody.check(conn)
            told = confirmations(conn)
        assert set(found.values()) == {TransferState.CONFIRMED}, self._about(found)
        assert told == sorted(self.queue.sent), f"seed {self.seed}"
        for key in self.queue.sent:
            self._require(key)
        keys = listed(self.store.judge, self.prefix + "dockings/")
        assert len(keys) == len(self.queue.sent), f"seed {self.seed}"
        twice = {key for key, times in self.written().items() if times > 1}
        assert twice == set(), f"seed {self.seed}: put there more than once"
        left = unfinished(self.store.judge, self.prefix)
        assert left <= begun_too_late(self.proxy.served), f"seed {self.seed}: {left}"

    def written(self) -> Counter[str]:
        """Count how often the store put each object there, as the proxy heard it."""
        base = f"/{BUCKET}/{self.prefix}dockings/"
        return Counter(
            served.target.partition("?")[0]
            for served in self.proxy.served
            if served.target.startswith(base) and served.puts_it_there
        )

    def _begin(self) -> None:
        """Find the place and try it, as whoever sets a station up does."""
        with self._lane() as lane:
            worker = Worker(self.queue.vault, {CLOUD: lane}, self.clock)
            row = destinations.get(self.conn, CLOUD)
            worker.contact.ask(self.conn, row, lane, metered=False)

    def _round(self, kill_at: int) -> None:
        try:
            with self._lane(kill_at) as lane:
                worker = Worker(self.queue.vault, {CLOUD: lane}, self.clock)
                worker.run_once(self.conn)
        except Killed:
            self.kills += 1
            self.conn.close()
            self.conn = connect(self.folder / "store.db")
            self.queue.conn = self.conn
            self.clock.advance(PAST_LEASE)
        self.require_truth()
        self.clock.advance(timedelta(seconds=self.chance.randrange(1, 1200)))

    @contextmanager
    def _lane(self, kill_at: int = 0) -> Iterator[Lane]:
        """Yield the lane of a worker that was just begun."""
        reach = Reach(
            self.proxy.url,
            self.folder,
            self.prefix,
            clock=self.clock,
            known=known(destinations.get(self.conn, CLOUD)),
            deadline_s=DEADLINE_S,
        )
        brake, meter = Brake(self.clock, self._pass, 0), Meter(self.clock)
        with closing(reach.s3()) as inner:
            around = Around(CLOUD, self.clock, self._pass, brake, meter)
            yield Lane(wrapped(Deadly(inner, kill_at), around), least=self.least)

    def _pass(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    def _is_over(self) -> bool:
        return backlog.waiting(self.conn).count == 0

    def _require(self, key: str) -> None:
        there = fetched(self.store.judge, self.prefix + key)
        assert there is not None, f"seed {self.seed}: {key} is not there"
        assert sha256(there) == self.queue.sent[key], f"seed {self.seed}: {key}"

    def _about(self, found: dict[str, TransferState]) -> str:
        with closing(connect(self.folder / "store.db")) as conn:
            rows = conn.execute("SELECT key, failure FROM transfer").fetchall()
        failures = {row["key"]: row["failure"] for row in rows}
        left = {
            key: (state.value, failures[key])
            for key, state in found.items()
            if state is not TransferState.CONFIRMED
        }
        return f"seed {self.seed}: {left}"


def confirmations(conn: sqlite3.Connection) -> list[str]:
    """Return the key of each confirmation that the custody chain tells of."""
    rows = conn.execute(
        "SELECT json_extract(line, '$.facts.key') AS key FROM custody"
        " WHERE json_extract(line, '$.kind') = 'confirmed'"
    )
    return sorted(row["key"] for row in rows)
