"""What a place checks itself is found out at the first contact, and seldom again."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dock_agent.config_tables import Window
from dock_agent.errors import (
    Barred,
    Busy,
    Full,
    NotTaken,
    Portal,
    Refused,
    SyncError,
    Unreachable,
)
from dock_agent.recording import LinkState, Proof
from dock_agent.sync.carry import Outcome
from dock_agent.sync.destination import NOTHING_KNOWN, Destination
from dock_agent.sync.lane import Lane
from dock_agent.sync.policy import Policy
from dock_agent.sync.route import Routes
from dock_agent.sync.tryout import AGAIN, EVERY, known
from dock_agent.sync.worker import Network, Worker
from dock_agent.sync.wrappers import Through
from support.outbox import DAY, HOUR, MINUTE, Outbox, outbox
from support.queues import CLOUD

COSTLY = Network(lambda: Routes(("wwan0",)), {"wwan0"})


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Outbox]:
    with outbox(tmp_path) as made:
        yield made


class Tried(Through):
    """A place that counts how often it was tried; `error` is what comes of it."""

    def __init__(self, inner: Destination, error: SyncError | None = None) -> None:
        super().__init__(inner)
        self.times, self.error = 0, error

    def check(self) -> str:
        self.times += 1
        if self.error is not None:
            raise self.error
        return super().check()


def test_a_place_that_was_found_to_compute_digests_need_not_send_all_of_it_back(
    bench: Outbox,
) -> None:
    bench.cloud.echoes = True
    bench.queue.docking(1, [10, 20])

    bench.worker.run_once(bench.conn)

    assert bench.column("proof") == [Proof.ECHOED] * 3
    assert known(bench.row()).objects is True
    assert known(bench.row()).asked_at is not None


def test_a_place_is_tried_once_however_many_objects_and_workers_there_are(
    bench: Outbox,
) -> None:
    tried = Tried(bench.cloud)
    for number in range(1, 4):
        bench.queue.docking(number, [10] * 5)
        bench.through(tried).run_once(bench.conn)
        bench.clock.advance(DAY)

    assert tried.times == 1
    assert bench.arrived() == bench.queue.sent


def test_what_was_found_out_is_kept_by_a_place_that_remembers_nothing_itself(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])
    bench.worker.run_once(bench.conn)
    before = bench.row().capabilities
    bench.queue.docking(2, [10])
    again = replace(bench.cloud, known=NOTHING_KNOWN)
    tried = Tried(again)

    bench.clock.advance(HOUR)
    bench.through(tried).run_once(bench.conn)

    assert (tried.times, bench.row().capabilities) == (0, before)


def test_a_place_is_tried_again_after_a_month_and_not_before(bench: Outbox) -> None:
    bench.queue.docking(1, [10])
    tried = Tried(bench.cloud)
    worker = bench.through(tried)

    worker.run_once(bench.conn)
    bench.clock.advance(EVERY - DAY)
    worker.run_once(bench.conn)
    within = tried.times
    bench.clock.advance(2 * DAY)
    worker.run_once(bench.conn)

    assert (within, tried.times) == (1, 2)


@pytest.mark.parametrize(
    "error",
    [
        Unreachable("cut"),
        Busy("later", 600.0),
        Full("no room for a probe"),
        Portal("a page"),
        NotTaken("not now"),
        Refused("no probes"),
    ],
)
def test_a_try_that_fails_for_now_keeps_nothing_from_being_sent(
    bench: Outbox, error: SyncError
) -> None:
    bench.queue.docking(1, [10])
    tried = Tried(bench.cloud, error)
    worker = bench.through(tried)

    worker.run_once(bench.conn)
    arrived, link = bench.arrived(), bench.link()
    bench.send_for(AGAIN - MINUTE, MINUTE, worker)
    soon = tried.times
    bench.send_for(10 * MINUTE, MINUTE, worker)

    assert arrived == bench.queue.sent
    assert link is LinkState.ONLINE
    assert bench.row().failure is None
    assert (soon, tried.times) == (1, 2)


def test_a_new_place_that_cannot_be_used_gets_nothing_and_a_person_is_told(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])
    tried = Tried(bench.cloud, Barred("it gives nothing back"))
    worker = bench.through(tried)

    bench.send_for(HOUR, MINUTE, worker)
    during, row = dict(bench.cloud.objects), bench.row()
    tried.error = None
    bench.send_for(10 * MINUTE, MINUTE, worker)

    assert during == {}
    assert (row.link, row.failure) == (LinkState.BARRED, "it gives nothing back")
    assert bench.arrived() == bench.queue.sent


def test_a_place_that_has_worked_is_not_given_up_for_a_try(bench: Outbox) -> None:
    tried = Tried(bench.cloud)
    worker = bench.through(tried)
    bench.queue.docking(1, [10])
    worker.run_once(bench.conn)
    bench.queue.docking(2, [10])
    tried.error = Barred("no probes any more")

    bench.clock.advance(EVERY + DAY)
    worker.run_once(bench.conn)

    assert tried.times == 2
    assert bench.arrived() == bench.queue.sent
    assert bench.link() is LinkState.ONLINE


def test_another_address_is_tried_anew(bench: Outbox) -> None:
    tried = Tried(bench.cloud)
    for address in ("https://old/", "https://old/", "https://new/"):
        worker = bench.through(tried, where=lambda told=address: told)
        worker.begin(bench.conn, {CLOUD: "s3"})
        worker.run_once(bench.conn)

    assert tried.times == 2


def test_of_another_address_nothing_is_known_until_it_was_tried(bench: Outbox) -> None:
    tried = Tried(bench.cloud)
    for address, error in (("https://old/", None), ("https://new/", Unreachable("?"))):
        tried.error = error
        worker = bench.through(tried, where=lambda told=address: told)
        worker.begin(bench.conn, {CLOUD: "s3"})
        bench.cloud.known = NOTHING_KNOWN
        worker.run_once(bench.conn)

    assert known(bench.row()) == NOTHING_KNOWN


@pytest.mark.parametrize(
    ("metered", "times"), [("all", 1), ("marked", 0), ("nothing", 0)]
)
def test_over_a_link_that_costs_a_place_is_tried_where_everything_may_go(
    bench: Outbox, metered: str, times: int
) -> None:
    bench.queue.docking(1, [10])
    tried = Tried(bench.cloud)
    lanes = {CLOUD: Lane(tried, Policy(ZoneInfo("UTC"), metered=metered))}

    Worker(bench.queue.vault, lanes, bench.clock, COSTLY).run_once(bench.conn)

    assert tried.times == times


# ---- where several threads try a place at once -------------------------------


class Meanwhile(Tried):
    """A place at which something happens, once, while it is first tried."""

    def __init__(
        self,
        inner: Destination,
        other: Callable[[], object],
        error: SyncError | None = None,
    ) -> None:
        super().__init__(inner, error)
        self.other: Callable[[], object] | None = other

    def check(self) -> str:
        other, self.other = self.other, None
        if other is not None:
            other()
        return super().check()


def test_two_threads_that_find_a_new_place_unusable_both_let_it_rest(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])

    def other() -> None:
        with pytest.raises(Barred):
            worker.contact.tryout.run(bench.conn, lane, bench.row())

    tried = Meanwhile(bench.cloud, other, Barred("it gives nothing back"))
    worker = bench.through(tried)
    lane = worker.lanes[CLOUD]

    outcome = worker.step(bench.conn, CLOUD)

    assert outcome is Outcome.POSTPONED
    assert (tried.times, bench.link()) == (2, LinkState.BARRED)


@pytest.mark.parametrize("error", [None, Barred("it gives nothing back")])
def test_a_new_place_gets_nothing_while_another_thread_still_tries_it(
    bench: Outbox, error: SyncError | None
) -> None:
    bench.queue.docking(1, [10, 20])
    outcomes = []

    def other() -> None:
        outcomes.append(worker.step(bench.conn, CLOUD))

    worker = bench.through(Meanwhile(bench.cloud, other, error))
    worker.step(bench.conn, CLOUD)

    assert outcomes == [Outcome.IDLE]
    assert len(bench.cloud.objects) == (error is None)


def test_a_place_that_has_worked_is_sent_to_while_another_thread_tries_it_again(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])
    bench.worker.run_once(bench.conn)
    bench.queue.docking(2, [10, 20])
    bench.clock.advance(EVERY + DAY)
    outcomes = []

    def other() -> None:
        outcomes.append(worker.step(bench.conn, CLOUD))

    worker = bench.through(Meanwhile(bench.cloud, other))
    worker.step(bench.conn, CLOUD)

    assert outcomes == [Outcome.CONFIRMED]


def test_threads_that_find_another_address_at_once_tell_of_it_and_try_it_once(
    bench: Outbox,
) -> None:
    old = bench.through(bench.cloud, where=lambda: "https://old/")
    old.begin(bench.conn, {CLOUD: "s3"})
    old.run_once(bench.conn)
    bench.queue.docking(1, [10, 20])
    others: list[Worker] = []

    class Slow(Tried):
        def probe(self) -> None:
            super().probe()
            while others:
                others.pop().step(bench.conn, CLOUD)

    tried = Slow(bench.cloud)
    worker = bench.through(tried, where=lambda: "https://new/")
    others.append(worker)
    worker.step(bench.conn, CLOUD)

    assert len(bench.told("destination moved")) == 1
    assert tried.times == 1
    assert known(bench.row()).asked_at is not None


@pytest.mark.parametrize(("opens_in", "times"), [(-HOUR, 1), (HOUR, 0)])
def test_a_place_is_tried_while_a_window_is_open(
    bench: Outbox, opens_in: timedelta, times: int
) -> None:
    bench.queue.docking(1, [10])
    begin = bench.clock.now().utc + opens_in
    end = begin + 2 * HOUR
    window = Window(begin=f"{begin:%H:%M}", end=f"{end:%H:%M}")
    tried = Tried(bench.cloud)
    policy = Policy(ZoneInfo("UTC"), (window,))

    bench.through(tried, policy=policy).run_once(bench.conn)

    assert tried.times == times
