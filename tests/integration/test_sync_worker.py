"""The worker with a real store and a cloud in memory, in virtual time."""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent.errors import StoreError
from dock_agent.recording import (
    PART_SIZE,
    DestinationName,
    LinkState,
    Priority,
    TransferId,
    TransferState,
)
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.cloud import Lie, SimulatedCloud
from dock_agent.store import custody, destinations, transfers
from dock_agent.store.db import connect, transaction
from dock_agent.sync.destination import (
    Confirmation,
    Destination,
    Object,
    Progress,
    Remember,
)
from dock_agent.sync.policy import CEILING, LEASE
from dock_agent.sync.worker import Outcome, Worker
from support.queues import CLOUD, SEAL, Queue, states
from support.sending import sha256

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LARGE = 2 * PART_SIZE + 5
OTHER = DestinationName("other")


@dataclass
class Bench:
    """A station's sending side."""

    conn: sqlite3.Connection
    queue: Queue
    clock: ManualClock
    cloud: SimulatedCloud
    worker: Worker

    def send_for(self, time: timedelta, step: timedelta = timedelta(seconds=1)) -> None:
        """Let the worker run for so long, in virtual time."""
        for _ in range(time // step):
            self.worker.run_once(self.conn)
            self.clock.advance(step)

    def arrived(self) -> dict[str, str]:
        """Return the digest of each object that the cloud keeps."""
        return {key: sha256(data) for key, data in self.cloud.objects.items()}

    def link(self) -> LinkState:
        """Return what the station believes of the way to the cloud."""
        return destinations.get(self.conn, CLOUD).link


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clock = ManualClock()
    cloud = SimulatedCloud(clock)
    vault = tmp_path / "vault"
    with closing(connect(tmp_path / "store.db", create=True)) as conn:
        worker = Worker(vault, {CLOUD: cloud}, clock)
        yield Bench(conn, Queue(conn, vault, clock), clock, cloud, worker)


def test_everything_that_is_queued_arrives_and_the_chain_tells_of_it(
    bench: Bench,
) -> None:
    bench.queue.docking(1, [0, 1, 1000, LARGE])

    told = bench.worker.run_once(bench.conn)

    assert (told.confirmed, told.waiting, told.refused) == (5, 0, 0)
    assert bench.arrived() == bench.queue.sent
    custody.check(bench.conn)
    kinds = [row[0] for row in bench.conn.execute("SELECT line FROM custody")]
    assert sum('"confirmed"' in line for line in kinds) == 5


def test_after_an_outage_of_an_hour_everything_arrives_exactly_once(
    bench: Bench,
) -> None:
    bench.queue.docking(1, [1000] * 20)
    bench.queue.docking(2, [LARGE, 5])
    bench.cloud.weather.out_until = bench.clock.now().utc + HOUR

    bench.send_for(HOUR)
    during = dict(bench.cloud.objects)
    bench.send_for(2 * CEILING)

    assert during == {}
    assert bench.arrived() == bench.queue.sent
    assert set(bench.cloud.written.values()) == {1}
    assert set(states(bench.conn).values()) == {TransferState.CONFIRMED}
    assert bench.link() is LinkState.ONLINE
    custody.check(bench.conn)


def test_a_destination_that_rests_is_probed_with_one_call_and_not_for_every_file(
    bench: Bench,
) -> None:
    bench.queue.docking(1, [10] * 50)
    bench.cloud.weather.out_until = bench.clock.now().utc + HOUR

    bench.send_for(HOUR)

    assert 12 <= bench.cloud.calls <= 40  # every 150 to 300 s, sooner at first
    assert bench.link() is LinkState.OFFLINE


def test_a_step_while_the_destination_rests_asks_nothing(bench: Bench) -> None:
    bench.queue.docking(1, [10, 10])
    bench.cloud.weather.out_until = bench.clock.now().utc + HOUR

    outcomes = [bench.worker.step(bench.conn, CLOUD) for _ in range(10)]

    assert outcomes == [Outcome.POSTPONED] + [Outcome.IDLE] * 9
    assert bench.cloud.calls == 1


def test_the_seal_goes_last_and_only_when_all_else_is_there(bench: Bench) -> None:
    bench.queue.docking(1, [10, LARGE, 10])
    bench.cloud.weather.outages = {7, 12, 20}

    bench.send_for(HOUR)

    assert list(bench.cloud.objects)[-1].endswith(SEAL)
    assert bench.arrived() == bench.queue.sent


def test_a_refused_object_goes_to_a_person_and_does_not_stop_the_others(
    bench: Bench,
) -> None:
    docking = bench.queue.docking(1, [10, 20, 30])
    unwanted = f"dockings/{docking}/data/0001.MP4"
    bench.queue.docking(2, [10])
    bench.cloud.weather.refuses = {unwanted}

    told = bench.worker.run_once(bench.conn)
    bench.send_for(HOUR, MINUTE)

    assert (told.confirmed, told.refused) == (4, 1)
    assert states(bench.conn)[unwanted] is TransferState.REFUSED
    assert states(bench.conn)[f"dockings/{docking}/{SEAL}"] is TransferState.BLOCKED
    assert f"dockings/{docking}/{SEAL}" not in bench.cloud.objects
    custody.check(bench.conn)


def test_a_refused_object_that_is_asked_for_again_frees_the_seal(bench: Bench) -> None:
    docking = bench.queue.docking(1, [10, 20])
    bench.cloud.weather.refuses = {f"dockings/{docking}/data/0001.MP4"}
    bench.worker.run_once(bench.conn)

    bench.cloud.weather.refuses = set()
    with transaction(bench.conn):
        transfers.ask_again(bench.conn, TransferId(2), bench.clock.now())
    bench.worker.run_once(bench.conn)

    assert bench.arrived() == bench.queue.sent


def test_a_portal_makes_the_link_captive_until_it_lets_us_through(
    bench: Bench,
) -> None:
    bench.queue.docking(1, [10])
    bench.cloud.weather.portal = True

    bench.worker.run_once(bench.conn)
    captive = bench.link()
    bench.cloud.weather.portal = False
    bench.send_for(MINUTE)

    assert captive is LinkState.CAPTIVE
    assert bench.link() is LinkState.ONLINE
    assert bench.arrived() == bench.queue.sent


def test_an_object_whose_lease_ran_out_is_claimed_again(bench: Bench) -> None:
    bench.queue.docking(1, [10])
    with transaction(bench.conn):
        transfers.claim(bench.conn, CLOUD, bench.clock.now().utc, LEASE)

    early = bench.worker.step(bench.conn, CLOUD)
    bench.clock.advance(LEASE)
    bench.worker.run_once(bench.conn)

    assert early is Outcome.IDLE
    assert bench.arrived() == bench.queue.sent


def test_lost_replies_lose_nothing_and_double_nothing(bench: Bench) -> None:
    bench.queue.docking(1, [10, LARGE, 0])
    bench.cloud.weather.lost_replies = 5

    bench.send_for(HOUR)

    assert bench.arrived() == bench.queue.sent
    assert set(bench.cloud.written.values()) == {1}
    assert set(states(bench.conn).values()) == {TransferState.CONFIRMED}


def test_an_upload_that_was_interrupted_sends_only_what_is_missing(
    bench: Bench,
) -> None:
    bench.queue.docking(1, [4 * PART_SIZE])
    bench.cloud.weather.outages = {5}  # asked, begun, two parts, then nothing

    bench.send_for(MINUTE)

    assert bench.arrived() == bench.queue.sent
    assert bench.cloud.part_calls == 5  # four, and the one that was not answered


@pytest.mark.parametrize("lie", Lie)
@pytest.mark.parametrize("size", [1000, LARGE])
def test_a_destination_that_keeps_other_bytes_is_never_confirmed(
    bench: Bench, lie: Lie, size: int
) -> None:
    bench.queue.docking(1, [size])
    bench.cloud.weather.lies = lie

    bench.send_for(HOUR, MINUTE)

    assert TransferState.CONFIRMED not in states(bench.conn).values()
    assert TransferState.SENDING not in states(bench.conn).values()
    assert not any(key.endswith(SEAL) for key in bench.cloud.objects)


def test_our_own_file_that_changed_is_never_confirmed(bench: Bench) -> None:
    bench.queue.docking(1, [10, LARGE])
    for key in list(bench.queue.sent)[:2]:
        path = bench.queue.vault / key
        path.write_bytes(path.read_bytes()[:-1] + b"?")

    told = bench.worker.run_once(bench.conn)

    assert (told.confirmed, told.refused) == (0, 2)
    assert bench.cloud.objects == {}


@pytest.mark.parametrize("harm", ["gone", "longer", "a link", "a directory"])
def test_our_own_file_that_cannot_be_read_goes_to_a_person(
    bench: Bench, harm: str
) -> None:
    bench.queue.docking(1, [10, 10])
    path = bench.queue.vault / next(iter(bench.queue.sent))
    path.rename(path.with_name("elsewhere"))
    match harm:
        case "longer":
            path.write_bytes(path.with_name("elsewhere").read_bytes() + b"?")
        case "a link":
            path.symlink_to("elsewhere")
        case "a directory":
            path.mkdir()

    told = bench.worker.run_once(bench.conn)

    assert (told.confirmed, told.refused) == (1, 1)


def test_a_marked_object_that_always_fails_does_not_keep_the_others_waiting(
    bench: Bench,
) -> None:
    marked = bench.queue.docking(1, [10], Priority.MARKED)
    bench.queue.docking(2, [10] * 5)
    poison = f"dockings/{marked}/data/0000.MP4"
    stubborn = Stubborn(bench.cloud, poison)

    worker = Worker(bench.queue.vault, {CLOUD: stubborn}, bench.clock)
    for _ in range(HOUR // MINUTE):
        worker.run_once(bench.conn)
        bench.clock.advance(MINUTE)

    left = [k for k, s in states(bench.conn).items() if s is TransferState.QUEUED]
    assert left == [poison]


def test_a_rest_that_was_written_before_the_clock_was_set_back_ends(
    bench: Bench,
) -> None:
    bench.queue.docking(1, [10])
    bench.cloud.weather.portal = True
    bench.clock.advance(timedelta(hours=10))
    bench.worker.run_once(bench.conn)
    bench.cloud.weather.portal = False
    bench.clock.advance(timedelta(hours=-5))

    resting = destinations.get(bench.conn, CLOUD).try_after
    asked = bench.cloud.calls
    bench.queue.docking(2, [10])
    bench.worker.step(bench.conn, CLOUD)

    assert resting is not None
    assert resting > bench.clock.now().utc
    assert bench.cloud.calls > asked


def test_a_file_sent_while_another_process_took_the_row_is_not_confirmed_twice(
    bench: Bench,
) -> None:
    bench.queue.docking(1, [10])
    thief = Thief(bench.cloud, bench.conn)

    first = Worker(bench.queue.vault, {CLOUD: thief}, bench.clock)
    with pytest.raises(StoreError, match="no longer this worker's"):
        first.step(bench.conn, CLOUD)
    bench.clock.advance(LEASE)
    bench.worker.run_once(bench.conn)

    assert set(states(bench.conn).values()) == {TransferState.CONFIRMED}
    assert set(bench.cloud.written.values()) == {1}
    custody.check(bench.conn)


def test_one_destination_that_is_out_does_not_hold_up_another(
    bench: Bench, tmp_path: Path
) -> None:
    other = SimulatedCloud(bench.clock)
    names: Sequence[DestinationName] = (CLOUD, OTHER)
    queue = Queue(bench.conn, tmp_path / "vault", bench.clock, names)
    queue.docking(1, [10, 10])
    bench.cloud.weather.out_until = bench.clock.now().utc + HOUR

    worker = Worker(queue.vault, {CLOUD: bench.cloud, OTHER: other}, bench.clock)
    told = worker.run_once(bench.conn)

    assert (told.confirmed, told.waiting) == (3, 3)
    assert len(other.objects) == 3
    assert bench.cloud.objects == {}


def test_a_worker_that_runs_sends_and_ends_when_it_is_told(
    bench: Bench, tmp_path: Path
) -> None:
    bench.queue.docking(1, [10, LARGE])
    stop = threading.Event()
    ending = Ending(bench.cloud, stop, after=3)
    worker = Worker(bench.queue.vault, {CLOUD: ending}, bench.clock)

    worker.run(lambda: connect(tmp_path / "store.db"), stop)

    assert bench.arrived() == bench.queue.sent


def test_a_thread_that_fails_unforeseen_ends_the_worker_and_is_heard(
    bench: Bench, tmp_path: Path
) -> None:
    Queue(bench.conn, tmp_path / "vault", bench.clock, [CLOUD, OTHER]).docking(1, [10])
    broken, other = Broken(bench.cloud), SimulatedCloud(bench.clock)
    both: dict[DestinationName, Destination] = {CLOUD: broken, OTHER: other}
    worker = Worker(bench.queue.vault, both, bench.clock)

    with pytest.raises(ZeroDivisionError):
        worker.run(lambda: connect(tmp_path / "store.db"), threading.Event())


@dataclass
class Through:
    """Meets `Destination`: another one, as it is."""

    inner: SimulatedCloud

    def check(self) -> str:
        return self.inner.check()

    def send(self, item: Object, done: Progress, remember: Remember) -> Confirmation:
        return self.inner.send(item, done, remember)

    def confirm(self, item: Object) -> Confirmation | None:
        return self.inner.confirm(item)

    def close(self) -> None:
        self.inner.close()


@dataclass
class Stubborn(Through):
    """Has one object that never arrives as it was sent."""

    poison: str

    def send(self, item: Object, done: Progress, remember: Remember) -> Confirmation:
        if item.key == self.poison:
            self.inner.weather.out_until = self.inner.clock.now().utc + MINUTE
            try:
                return super().send(item, done, remember)
            finally:
                self.inner.weather.out_until = None
        return super().send(item, done, remember)


@dataclass
class Thief(Through):
    """While it sends, another process finds the lease run out and takes the row."""

    conn: sqlite3.Connection

    def send(self, item: Object, done: Progress, remember: Remember) -> Confirmation:
        told = super().send(item, done, remember)
        with transaction(self.conn):
            self.conn.execute("UPDATE transfer SET state = 'queued'")
        return told


@dataclass
class Ending(Through):
    """Ends the worker once so many objects were sent."""

    stop: threading.Event
    after: int

    def send(self, item: Object, done: Progress, remember: Remember) -> Confirmation:
        self.after -= 1
        if self.after == 0:
            self.stop.set()
        return super().send(item, done, remember)


@dataclass
class Broken(Through):
    """Has a mistake in it."""

    def send(self, item: Object, done: Progress, remember: Remember) -> Confirmation:
        del item, done, remember
        raise ZeroDivisionError
