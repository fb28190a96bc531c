"""How long a destination rests when several threads saw it fare differently."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent.errors import Barred, Busy, NotTaken, Portal, SyncError, Unreachable
from dock_agent.recording import LinkState, TransferState
from dock_agent.store import destinations
from dock_agent.store.db import transaction
from dock_agent.sync.carry import Outcome
from dock_agent.sync.destination import Object
from dock_agent.sync.worker import Worker
from dock_agent.sync.wrappers import Through
from support.outbox import DAY, HOUR, MINUTE, SECOND, Around, Outbox, outbox
from support.queues import CLOUD, states

QUEUED, CONFIRMED = TransferState.QUEUED, TransferState.CONFIRMED


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Outbox]:
    with outbox(tmp_path) as made:
        yield made


def meanwhile(bench: Outbox, error: SyncError, then: SyncError | None = None) -> Worker:
    """Return a worker; while it sends, another thread meets `error`, then it `then`."""

    def other(item: Object) -> None:
        del item
        bench.clock.advance(SECOND)
        worker.contact.failed(bench.conn, CLOUD, error)
        bench.clock.advance(SECOND)
        if then is not None:
            raise then

    worker = bench.through(Around(bench.cloud, before=other))
    return worker


@pytest.mark.parametrize(
    ("error", "link"),
    [
        (Busy("later", 600.0), LinkState.OFFLINE),
        (Barred("who are you?"), LinkState.BARRED),
        (Portal("a page"), LinkState.CAPTIVE),
    ],
)
@pytest.mark.parametrize("then", [None, NotTaken("not this one")])
def test_an_answer_to_what_was_begun_before_a_rest_does_not_end_it(
    bench: Outbox, error: SyncError, link: LinkState, then: SyncError | None
) -> None:
    bench.queue.docking(1, [10, 10])

    outcome = meanwhile(bench, error, then).step(bench.conn, CLOUD)

    row = bench.row()
    assert outcome is (Outcome.CONFIRMED if then is None else Outcome.POSTPONED)
    assert row.try_after is not None
    assert row.try_after > bench.clock.now().utc
    assert (row.link, row.failure) == (link, str(error))
    assert bench.worker.step(bench.conn, CLOUD) is Outcome.IDLE


def test_what_was_proved_during_a_rest_counts_all_the_same(bench: Outbox) -> None:
    bench.queue.docking(1, [10, 10])

    meanwhile(bench, Busy("later", 600.0)).step(bench.conn, CLOUD)

    assert list(states(bench.conn).values())[:2] == [CONFIRMED, QUEUED]


def test_a_probe_that_was_asked_before_a_rest_does_not_end_it(bench: Outbox) -> None:
    bench.queue.docking(1, [10])

    class Slow(Through):
        def probe(self) -> None:
            super().probe()
            worker.contact.failed(bench.conn, CLOUD, Barred("who are you?"))

    worker = bench.through(Slow(bench.cloud))
    worker.step(bench.conn, CLOUD)

    assert bench.link() is LinkState.BARRED
    assert bench.row().try_after is not None


def test_a_shorter_rest_does_not_take_the_place_of_one_that_was_asked_for(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])

    meanwhile(bench, Busy("later", 600.0), Unreachable("cut")).step(bench.conn, CLOUD)

    rests = (bench.row().try_after or bench.clock.now().utc) - bench.clock.now().utc
    assert rests == 10 * MINUTE - SECOND


def test_an_answer_to_what_a_person_asked_for_after_a_rest_began_ends_it(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10, 10])
    worker = meanwhile(bench, Busy("later", 3600.0))
    worker.step(bench.conn, CLOUD)
    with transaction(bench.conn):
        destinations.wake(bench.conn, CLOUD)
    bench.clock.advance(SECOND)

    bench.worker.run_once(bench.conn)

    assert (bench.row().try_after, bench.row().failure) == (None, None)
    assert bench.link() is LinkState.ONLINE
    assert bench.arrived() == bench.queue.sent


@pytest.mark.parametrize("back", [10 * HOUR, 90 * MINUTE, 30 * SECOND])
def test_a_rest_ends_with_the_next_answer_whatever_the_clock_was_set_back_to(
    bench: Outbox, back: timedelta
) -> None:
    bench.queue.docking(1, [10])
    bench.clock.advance(24 * HOUR)
    bench.cloud.weather.busy = [None]
    bench.worker.run_once(bench.conn)
    with transaction(bench.conn):
        destinations.wake(bench.conn, CLOUD)
    bench.clock.advance(-back)

    bench.worker.run_once(bench.conn)

    assert bench.row().try_after is None
    assert bench.arrived() == bench.queue.sent


def test_a_failure_of_a_year_ahead_makes_nobody_ask_before_each_object(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])
    bench.clock.advance(366 * DAY)
    bench.worker.contact.failed(bench.conn, CLOUD, Unreachable("no answer"))
    bench.clock.advance(-366 * DAY)
    bench.queue.docking(2, [10] * 20)
    asked = []

    class Counted(Through):
        def probe(self) -> None:
            asked.append(1)
            super().probe()

    bench.through(Counted(bench.cloud)).run_once(bench.conn)

    assert len(asked) == 1
    assert bench.arrived() == bench.queue.sent
