"""Send what is due, some objects at a time for each destination.

Each step is one claim, one errand, one commit. Whatever happens in between, the row
says what to do next: a lease that ran out is claimed again, an upload goes on where
the destination has it, and a destination that is silent rests as a whole, so that
one question finds it again and not every file.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from dock_agent.clock import Clock, ulid
from dock_agent.errors import DockError, SyncError
from dock_agent.recording import DestinationName, TransferId
from dock_agent.store import backlog, configured, destinations, transfers
from dock_agent.store.db import transaction
from dock_agent.store.destinations import DestinationRow
from dock_agent.store.transfers import Claim
from dock_agent.sync.backfill import backfill
from dock_agent.sync.carry import (
    Carrier,
    Errand,
    Outcome,
    Stopping,
    require_vault,
)
from dock_agent.sync.contact import Contact
from dock_agent.sync.content import unheard
from dock_agent.sync.fetch import Fetcher
from dock_agent.sync.lane import Lane
from dock_agent.sync.policy import LEASE, resting
from dock_agent.sync.reconcile import Reconciler
from dock_agent.sync.route import Routes, routes
from dock_agent.sync.stamping import Stamping
from dock_agent.sync.witness import Witnessing

log = logging.getLogger(__name__)

FILL_EVERY_NS = 60 * 10**9
LONGEST_NAP = 2.0  # seconds a worker sleeps while there is nothing to do


@dataclass(frozen=True, slots=True)
class Summary:
    """What `sync --once` prints."""

    confirmed: int
    waiting: int
    refused: int


@dataclass(frozen=True, slots=True)
class Network:
    """Which way the network goes, and which interfaces cost."""

    look: Callable[[], Routes] = routes
    costly: Collection[str] = ()

    def is_metered(self) -> bool:
        return self.look().is_metered(self.costly)


@dataclass(frozen=True, slots=True)
class Worker:
    """Sends for every destination that the configuration names.

    `fetched` is where what rotted in the vault is fetched back to; None: nowhere.
    """

    vault: Path
    lanes: Mapping[DestinationName, Lane]
    clock: Clock
    network: Network = field(default_factory=Network)
    stop: threading.Event = field(default_factory=threading.Event)
    fetched: Path | None = None
    stamping: Stamping | None = None
    contact: Contact = field(init=False)
    carrier: Carrier = field(init=False)
    filled: dict[DestinationName, int] = field(default_factory=dict, init=False)
    asked: dict[TransferId, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        contact = Contact(self.clock)
        object.__setattr__(self, "contact", contact)
        carrier = Carrier(self.vault, self.clock, contact, self.stop.is_set)
        object.__setattr__(self, "carrier", carrier)

    def begin(self, conn: sqlite3.Connection, kinds: Mapping[str, str]) -> None:
        """Know every destination, and no other; queue what was sealed before that."""
        with transaction(conn):
            for name, lane in self.lanes.items():
                destinations.ensure(conn, name, kinds[name], lane.where())
            configured.tell(conn, self.lanes, self.clock.now())
        for name in self.lanes:
            self.fill(conn, name)

    def fill(self, conn: sqlite3.Connection, name: DestinationName) -> None:
        """Queue what was sealed by an agent that does not know this destination.

        Nothing, for one that was left out by whoever started later than we did.
        """
        at = self.clock.now()
        self.filled[name] = at.monotonic_ns
        if not destinations.get(conn, name).configured:
            return
        count = backfill(conn, self.vault, name, at)
        if count:
            log.info("queued for a destination name=%s dockings=%d", name, count)

    def step(
        self, conn: sqlite3.Connection, name: DestinationName, owner: str = "worker"
    ) -> Outcome:
        """Send one object that is due, and commit what came of it."""
        lane, row = self.lanes[name], destinations.get(conn, name)
        if self._is_to_wait(row):
            return Outcome.IDLE
        metered = self.network.is_metered()
        if self.contact.is_due(row, lane.where()):
            ended = self._asked(conn, row, lane, metered=metered)
            if ended is not None:
                return ended
        now = self.clock.now().utc  # to ask may have taken minutes
        allowed = lane.policy.allowed(now, metered=metered)
        lane.limit(allowed.rate)
        if not allowed.priorities:
            return Outcome.IDLE
        require_vault(self.vault)
        with transaction(conn):
            before = destinations.get(conn, name)  # another thread's rest counts too
            wish = Claim(name, owner, now, LEASE, allowed.priorities)
            wait = self._is_to_wait(before)
            transfer = None if wait else transfers.claim(conn, wish)
        if transfer is None:
            return Outcome.IDLE
        return self.carrier.carry(Errand(conn, transfer, lane, metered, before))

    def _asked(
        self,
        conn: sqlite3.Connection,
        row: DestinationRow,
        lane: Lane,
        *,
        metered: bool,
    ) -> Outcome | None:
        """Ask a destination; return what the step comes to if nothing may be sent."""
        try:
            ready = self.contact.ask(conn, row, lane, metered=metered)
        except Stopping:
            return Outcome.IDLE
        except SyncError as error:
            self.contact.failed(conn, row.name, error)
            return Outcome.POSTPONED
        return None if ready else Outcome.IDLE

    def _is_to_wait(self, row: DestinationRow) -> bool:
        """Whether nothing goes there now.

        One that is not configured was left out by whoever started later than we did.
        """
        rests = resting(row.try_after, self.clock.now().utc)
        return self.stop.is_set() or not row.configured or row.paused or rests

    def run_once(
        self, conn: sqlite3.Connection, show: Callable[[int], None] = unheard
    ) -> Summary:
        """Send until nothing is due any more, or a destination has to rest.

        `show` hears how many objects are confirmed so far.
        """
        confirmed, owner = 0, ulid(self.clock)
        for name in self.lanes:
            while (outcome := self.step(conn, name, owner)) is not Outcome.IDLE:
                confirmed += outcome is Outcome.CONFIRMED
                show(confirmed)
            self._witness(conn, name)
            self._fetch(conn, name)
        if self.stamping is not None:
            self.stamping.step(conn)
        left = backlog.waiting(conn)
        return Summary(confirmed, left.count - left.refused, left.refused)

    def run(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Send until `stop` is set, on some threads for each destination.

        A thread that fails in a way nobody foresaw sets `stop` for all of them:
        the process is started again, and no destination is forgotten quietly.
        """
        threads = [
            name for name, lane in self.lanes.items() for _ in range(lane.connections)
        ]
        with ThreadPoolExecutor(len(threads) + 1) as pool:
            if self.stamping is not None:  # if it fails, evidence still goes
                pool.submit(self.stamping.keep_asking, connect, self.stop)
            sending = [pool.submit(self.keep_sending, connect, n) for n in threads]
        for one in sending:
            one.result()  # raises what ended it

    def keep_sending(
        self, connect: Callable[[], sqlite3.Connection], name: DestinationName
    ) -> None:
        """Send for one destination until `stop` is set: what each thread does."""
        owner, before = ulid(self.clock), self.network.look()
        try:
            with closing(connect()) as conn:
                while not self.stop.is_set():
                    now = self.network.look()
                    if now != before:
                        before = now
                        self._network_changed(conn, name)
                    if self._one_step(conn, name, owner) is Outcome.IDLE:
                        self.stop.wait(LONGEST_NAP)
        finally:
            self.stop.set()

    def _network_changed(self, conn: sqlite3.Connection, name: DestinationName) -> None:
        with transaction(conn):
            destinations.wake(conn, name)
        log.info("network changed destination=%s", name)

    def _one_step(
        self, conn: sqlite3.Connection, name: DestinationName, owner: str
    ) -> Outcome:
        try:
            outcome = self.step(conn, name, owner)
            if outcome is Outcome.IDLE and not self.stop.is_set():
                self._look_again(conn, name)
        except DockError as error:
            log.warning("sync step failed destination=%s %s", name, error)
            return Outcome.IDLE
        return outcome

    def _look_again(self, conn: sqlite3.Connection, name: DestinationName) -> None:
        """While nothing is to be sent: see what else there is, here and there."""
        if self.clock.now().monotonic_ns - self.filled.get(name, 0) > FILL_EVERY_NS:
            self.fill(conn, name)
        if self._is_to_wait(destinations.get(conn, name)):
            return
        self._witness(conn, name)
        self._fetch(conn, name)
        reconciler = Reconciler(self.vault, self.clock, self._go_on)
        self._ask(conn, name, reconciler.look)

    def _witness(self, conn: sqlite3.Connection, name: DestinationName) -> None:
        """Leave there what is new of the custody log's checkpoints."""
        if not self._is_to_wait(destinations.get(conn, name)):
            witnessing = Witnessing(self.vault, self.clock, self._go_on)
            self._ask(conn, name, witnessing.send)

    def _fetch(self, conn: sqlite3.Connection, name: DestinationName) -> None:
        """Fetch back what rotted here, if it is there."""
        if self.fetched and not self._is_to_wait(destinations.get(conn, name)):
            parts = self.vault, self.fetched, self.clock, self._go_on
            fetcher = Fetcher(*parts, self.asked)
            self._ask(conn, name, fetcher.fetch)

    def _ask(
        self,
        conn: sqlite3.Connection,
        name: DestinationName,
        ask: Callable[[sqlite3.Connection, DestinationName, Lane], object],
    ) -> None:
        """Do something else there; a destination that fails rests."""
        try:
            ask(conn, name, self.lanes[name])
        except Stopping:
            return
        except SyncError as error:
            self.contact.failed(conn, name, error)

    def _go_on(self, count: int) -> None:
        del count
        if self.stop.is_set():
            raise Stopping("the worker was stopped")
