"""Several threads and one destination: what one is told, and how long asking takes."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dock_agent.clock import stamp
from dock_agent.config_tables import Window
from dock_agent.errors import Busy, Unreachable
from dock_agent.sync.carry import Outcome
from dock_agent.sync.destination import Destination, Object
from dock_agent.sync.lane import Lane
from dock_agent.sync.policy import FIRST, LEASE, Policy
from dock_agent.sync.route import Routes
from dock_agent.sync.s3.upload import PUT_TOGETHER_S
from dock_agent.sync.worker import Network, Worker
from dock_agent.sync.wrappers import Through
from support.outbox import HOUR, MINUTE, Around, Outbox, outbox
from support.queues import CLOUD

LATER = timedelta(seconds=700)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Outbox]:
    with outbox(tmp_path) as made:
        yield made


class SlowToAnswer(Through):
    """A destination that is asked in vain for ten minutes, and answers."""

    def __init__(self, inner: Destination, bench: Outbox) -> None:
        super().__init__(inner)
        self._bench = bench

    def probe(self) -> None:
        self._bench.clock.advance(10 * MINUTE)
        super().probe()


def test_a_lease_outlasts_the_longest_silence_of_a_destination() -> None:
    assert LEASE.total_seconds() >= 1.5 * PUT_TOGETHER_S


def test_a_lease_begins_with_the_claim_however_long_the_place_was_asked_before(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])
    leases = []

    def look(item: Object) -> None:
        del item
        leases.append((bench.column("lease_until")[0], bench.clock.now().utc))

    worker = bench.through(Around(SlowToAnswer(bench.cloud, bench), before=look))
    worker.step(bench.conn, CLOUD)

    assert [until for until, _ in leases] == [stamp(now + LEASE) for _, now in leases]


def test_a_window_that_closes_while_the_place_is_asked_lets_nothing_go(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])
    now = bench.clock.now().utc
    closing = now + 5 * MINUTE
    window = Window(days="mon-sun", begin=f"{now:%H:%M}", end=f"{closing:%H:%M}")
    policy = Policy(ZoneInfo("UTC"), (window,), marked_pass=False)

    worker = bench.through(SlowToAnswer(bench.cloud, bench), policy=policy)
    outcome = worker.step(bench.conn, CLOUD)

    assert outcome is Outcome.IDLE
    assert bench.cloud.objects == {}


def test_a_rest_that_begins_while_it_is_seen_whether_to_ask_is_kept(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])

    def look() -> Routes:
        busy = Busy("busy", LATER.total_seconds())  # as another thread is told
        worker.contact.failed(bench.conn, CLOUD, busy)
        return Routes(("eth0",))

    lanes = {CLOUD: Lane(bench.cloud)}
    worker = Worker(bench.queue.vault, lanes, bench.clock, Network(look))
    outcome = worker.step(bench.conn, CLOUD)

    assert outcome is Outcome.IDLE
    assert bench.row().try_after == bench.clock.now().utc + LATER
    assert bench.cloud.objects == {}


def test_what_several_threads_fail_at_is_one_failure_and_the_longest_rest_holds(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])
    now, contact = bench.clock.now().utc, bench.worker.contact

    contact.failed(bench.conn, CLOUD, Unreachable("cut"))
    once = bench.row()
    contact.failed(bench.conn, CLOUD, Busy("busy", LATER.total_seconds()))
    rests = [contact.failed(bench.conn, CLOUD, Unreachable("cut")) for _ in range(9)]

    assert once.try_after is not None
    assert once.try_after <= now + FIRST
    assert bench.row().attempts == 1
    assert rests == [now + LATER] * 9


def test_each_rest_is_longer_than_the_one_before_while_nothing_is_taken(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])
    counts = []

    for _ in range(5):
        bench.worker.contact.failed(bench.conn, CLOUD, Unreachable("cut"))
        counts.append(bench.row().attempts)
        bench.clock.advance(HOUR)

    assert counts == [1, 2, 3, 4, 5]
