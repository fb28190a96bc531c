"""The worker as it really runs, through a faulty way to a real store: one seed.

`Worker.run` with several threads for each of two destinations, on one store, in real
time; the clock is moved on only while nobody sends, so that no back-off is waited for.
Now and then it is told to stop, or killed with its leases held, and begun again.
"""

import sqlite3
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from dock_agent.clock import Instant, SystemClock
from dock_agent.recording import PART_SIZE, DestinationName, Priority, Proof
from dock_agent.store import backlog, custody, destinations
from dock_agent.store.db import connect
from dock_agent.sync.brake import Brake
from dock_agent.sync.carry import Stopping
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
from support.fault_kinds import CALM
from support.fault_proxy import FaultProxy
from support.orphans import begun_too_late, unfinished
from support.place_s3 import Reach, fetched, listed
from support.proxy_storm import DEADLINE_S, PAST_LEASE, weather
from support.queues import CLOUD, Queue
from support.s3_program import BUCKET, S3Program
from support.sending import sha256

OTHER = DestinationName("other")
DOCKINGS, MOST, LARGE = 2, 5000, PART_SIZE + 5  # dockings; bytes of a file
ROUNDS, CLEARING = 30, 20  # lives of the worker, at most
LIFE_S, LAST_LIFE_S = 5.0, 60.0  # seconds until it is told to stop
TICK_S = 0.01
MOVED_ON = timedelta(seconds=20)  # at a time: no stall, and no lease, is as short
NAP_S = 0.02


class Killed(BaseException):
    """The worker's process ends here: nothing of it runs on."""


class Ahead:
    """Meets `clock.Clock`: the machine's clocks, and some time more."""

    def __init__(self) -> None:
        self._inner, self._more = SystemClock(), timedelta()

    def now(self) -> Instant:
        at, more = self._inner.now(), self._more
        later = at.monotonic_ns + more // timedelta(microseconds=1) * 1000
        return replace(at, utc=at.utc + more, monotonic_ns=later)

    def monotonic_ns(self) -> int:
        return self.now().monotonic_ns

    def entropy(self, count: int) -> bytes:
        return self._inner.entropy(count)

    def advance(self, by: timedelta) -> None:
        """Let time pass at once."""
        self._more += by


class Nap(threading.Event):
    """A `stop` whose waiting is short: rests are over when the clock says so."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(min(timeout or 0, NAP_S))


@dataclass
class Life:
    """How a worker ends: with its n-th sign of life, killed or told to stop."""

    left: int
    kill: bool
    stop: Nap = field(default_factory=Nap)
    dead: bool = False
    busy: set[int] = field(default_factory=set)

    def sign(self, count: int = 0) -> None:
        """Live on, or not."""
        del count
        self.left -= 1
        if self.left == 0 and not self.kill:
            self.stop.set()
        self.dead = self.dead or (self.left <= 0 and self.kill)
        if self.dead:
            raise Killed

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Be somebody who sends or reads, for as long as the block lasts."""
        self.busy.add(threading.get_ident())
        try:
            self.sign()
            yield
            self.sign()
        finally:
            self.busy.discard(threading.get_ident())


class Mortal(Through):
    """A destination whose calls are signs of life."""

    def __init__(self, inner: Destination, life: Life) -> None:
        super().__init__(inner)
        self._life = life

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        with self._life.at_work():
            return super().send(item, done, remember)

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        with self._life.at_work():
            return super().confirm(item, done, sent=sent)

    def _heard(self, item: Object, way: Way) -> Object:
        del way
        return replace(item, moved=each(self._life.sign, item.moved))


@dataclass
class ProxyRun:
    """One seed at work below `folder`, with so many files for each destination."""

    seed: int
    folder: Path
    store: S3Program
    proxy: FaultProxy
    files: int
    lives: int = 0
    killed: int = 0
    chance: Random = field(init=False)
    clock: Ahead = field(default_factory=Ahead)
    conn: sqlite3.Connection = field(init=False)
    queue: Queue = field(init=False)
    threads: int = field(init=False)
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        self.threads = self.chance.randrange(2, 5)
        self.conn = self._connect()
        self.queue = Queue(self.conn, self.folder / "vault", self.clock, (CLOUD, OTHER))
        for number, large in enumerate(([], [LARGE])):
            sizes = [self.chance.randrange(MOST) for _ in range(self.files // DOCKINGS)]
            marked = self.chance.choice(list(Priority))
            self.queue.docking(DOCKINGS * self.seed + number, [*sizes, *large], marked)

    def rage(self) -> None:
        """Live through the weather, then through what it left."""
        self._try_the_places()
        for number in range(ROUNDS):
            if self._is_over():
                break
            self.proxy.plan = weather(f"{self.seed} {number}")
            signs = self.chance.randrange(50, 100 + 4 * self.files)
            self._live(Life(signs, kill=self.chance.random() < 0.5), LIFE_S)
        self.proxy.plan = lambda _: CALM
        for _ in range(CLEARING):
            if self._is_over():
                break
            self._live(Life(0, kill=False), LAST_LIFE_S)
        self.conn.close()

    def require_truth(self) -> None:
        """What counts as confirmed is there, whole, and nothing of another name is."""
        rows = self.conn.execute(
            "SELECT destination, key FROM transfer WHERE state = 'confirmed'"
        )
        for place in {(row["destination"], row["key"]) for row in rows} - self._seen:
            self._seen.add(place)
            there = fetched(self.store.judge, self._prefix(place[0]) + place[1])
            assert there is not None, f"seed {self.seed}: {place} is not there"
            assert sha256(there) == self.queue.sent[place[1]], f"seed {self.seed}"

    def require_the_end(self) -> None:
        """Everything arrived everywhere, once; nothing is begun, the log is whole."""
        with closing(self._connect()) as conn:
            left = conn.execute(
                "SELECT destination, key, state, failure FROM transfer"
                " WHERE state <> 'confirmed'"
            ).fetchall()
            custody.check(conn)
            told = custody.log(conn).count('"kind":"confirmed"')
        assert [tuple(row) for row in left] == [], f"seed {self.seed}"
        assert told == len(self._seen) == 2 * len(self.queue.sent)
        for name in (CLOUD, OTHER):
            keys = listed(self.store.judge, self._prefix(name) + "dockings/")
            assert len(keys) == len(self.queue.sent), f"seed {self.seed}"
        twice = [key for key, times in self._written().items() if times > 1]
        assert twice == [], f"seed {self.seed}: put there more than once"
        begun = unfinished(self.store.judge, f"run-{self.seed}/")
        assert begun <= begun_too_late(self.proxy.served), f"seed {self.seed}: {begun}"

    def _try_the_places(self) -> None:
        """Find out what they check, as whoever sets a station up does."""
        for name in (CLOUD, OTHER):
            with self._lane(name, Life(0, kill=False)) as lane:
                worker = Worker(self.queue.vault, {name: lane}, self.clock)
                row = destinations.get(self.conn, name)
                worker.contact.ask(self.conn, row, lane, metered=False)

    def _live(self, life: Life, seconds: float) -> None:
        """Begin a worker, and let it run until it ends or its time is over."""
        self.lives += 1
        with ExitStack() as stack:
            lanes = {
                name: stack.enter_context(self._lane(name, life))
                for name in (CLOUD, OTHER)
            }
            worker = Worker(self.queue.vault, lanes, self.clock, stop=life.stop)
            pool = stack.enter_context(ThreadPoolExecutor(1))
            running = pool.submit(worker.run, self._connect)
            self._watch(running, life, seconds)
        error = running.exception()
        if isinstance(error, Killed):
            self.killed += 1
        elif error is not None:
            raise error
        self.require_truth()
        if self.chance.random() < 0.5:
            self.clock.advance(PAST_LEASE)

    def _watch(self, running: Future[Any], life: Life, seconds: float) -> None:
        """Move the clock on while nobody sends; have the worker stop in the end."""
        pause = threading.Event()
        for _ in range(int(seconds / TICK_S)):
            if running.done() or self._is_over():
                break
            if not life.busy:
                self.clock.advance(MOVED_ON)
            pause.wait(TICK_S)
        life.stop.set()

    @contextmanager
    def _lane(self, name: DestinationName, life: Life) -> Iterator[Lane]:
        """Yield the lane of a worker that was just begun."""

        def wait(seconds: float) -> None:
            if life.stop.wait(seconds):
                raise Stopping("the worker was stopped")

        reach = Reach(
            self.proxy.url,
            self.folder,
            self._prefix(name),
            clock=self.clock,
            known=known(destinations.get(self.conn, name)),
            deadline_s=DEADLINE_S,
        )
        brake, meter = Brake(self.clock, wait), Meter(self.clock)
        around = Around(name, self.clock, wait, brake, meter)
        with closing(reach.s3()) as inner:
            yield Lane(
                wrapped(Mortal(inner, life), around),
                least=(Proof.ECHOED, Proof.READ_BACK)[self.seed % 2],
                connections=self.threads,
                limit=brake.limit,
                goodput=meter.goodput,
            )

    def _written(self) -> Counter[str]:
        """Count how often the store put each object there, as the proxy heard it."""
        base = f"/{BUCKET}/run-{self.seed}/"
        return Counter(
            one.target.partition("?")[0]
            for one in self.proxy.served
            if one.target.startswith(base) and one.puts_it_there
            if "/dockings/" in one.target
        )

    def _prefix(self, name: str) -> str:
        return f"run-{self.seed}/{name}/"

    def _connect(self) -> sqlite3.Connection:
        return connect(self.folder / "store.db", create=True)

    def _is_over(self) -> bool:
        return backlog.waiting(self.conn).count == 0
