"""Who may write a row of the queue, for how long, and how often it is tried."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent.errors import (
    FixityError,
    LeaseLost,
    NotTaken,
    Refused,
    SyncError,
    Unreachable,
)
from dock_agent.recording import PART_SIZE, Proof, TransferState
from dock_agent.store import confirmations, custody, transfers
from dock_agent.store.confirmations import Confirmed
from dock_agent.store.db import transaction
from dock_agent.store.transfers import Claim, Step, Transfer
from dock_agent.sync.carry import Outcome
from dock_agent.sync.content import Moved, each
from dock_agent.sync.destination import Destination, Object, Progress, Remember
from dock_agent.sync.policy import GIVE_UP_AFTER, LEASE
from dock_agent.sync.wrappers import Through
from support.books import LEASE as SHORT
from support.books import THIEF, Books, ident
from support.outbox import DAY, HOUR, MINUTE, SECOND, Around, Outbox, outbox
from support.queues import CLOUD, states

LARGE = 2 * PART_SIZE + 5
Write = Callable[[Books, Transfer], object]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Outbox]:
    with outbox(tmp_path) as made:
        yield made


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    made.open()
    yield made
    made.close()


def taken_by_a_thief(bench: Outbox) -> Transfer:
    """Let the lease of what is being sent run out, and another worker claim it."""
    bench.clock.advance(LEASE)
    with transaction(bench.conn):
        now = bench.clock.now().utc
        found = transfers.claim(bench.conn, Claim(CLOUD, THIEF, now, LEASE))
    assert found is not None
    return found


WRITES: dict[str, Write] = {
    "renew": lambda b, t: transfers.renew(b.conn, t, b.at.utc + SHORT),
    "remember": lambda b, t: transfers.remember(b.conn, t, Step("u", 1, [], 1)),
    "postpone": lambda b, t: transfers.postpone(b.conn, t, b.at.utc, "late"),
    "refuse": lambda b, t: transfers.refuse(b.conn, t, "late", b.at),
    "confirm": lambda b, t: confirmations.confirm(
        b.conn, t, Confirmed(Proof.READ_BACK, t.sha256), b.at
    ),
}


@pytest.mark.parametrize("what", WRITES)
def test_a_worker_whose_lease_was_taken_over_can_write_nothing_of_it(
    books: Books, what: str
) -> None:
    books.add(ident(1), "a")
    lost = books.claimed()
    books.clock.advance(SHORT)
    books.claimed(owner=THIEF)
    before = custody.log(books.conn), row(books)

    with pytest.raises(LeaseLost, match="no longer"), transaction(books.conn):
        WRITES[what](books, lost)

    assert (custody.log(books.conn), row(books)) == before
    assert row(books)["lease_owner"] == THIEF


def test_a_worker_gives_back_only_what_it_still_holds(books: Books) -> None:
    books.add(ident(1), "a")
    lost = books.claimed()
    books.clock.advance(SHORT)
    held = books.claimed(owner=THIEF)

    with transaction(books.conn):
        transfers.release(books.conn, lost)
    kept = row(books)
    with transaction(books.conn):
        transfers.release(books.conn, held)

    assert (kept["state"], kept["lease_owner"]) == ("sending", THIEF)
    assert books.claimed().key == "a"
    assert row(books)["attempts"] == 1  # the lease that ran out


ENDS: dict[str, SyncError | FixityError | None] = {
    "confirmed": None,
    "unreachable": Unreachable("cut"),
    "not taken": NotTaken("not now"),
    "refused": Refused("never"),
    "changed": FixityError("ours is gone"),
}


@pytest.mark.parametrize("end", ENDS)
def test_what_came_of_an_object_that_another_worker_took_over_is_left_to_it(
    bench: Outbox, end: str
) -> None:
    bench.queue.docking(1, [10])

    def lose(item: Object) -> None:
        del item
        taken_by_a_thief(bench)
        if (error := ENDS[end]) is not None:
            raise error

    outcome = bench.through(Around(bench.cloud, after=lose)).step(bench.conn, CLOUD)
    taken = list(zip(bench.column("state"), bench.column("lease_owner"), strict=True))
    bench.clock.advance(LEASE)
    bench.send_for(MINUTE)

    assert outcome is Outcome.POSTPONED
    assert taken[0] == (TransferState.SENDING, THIEF)
    assert bench.told("refused") == []
    assert len(bench.told("confirmed")) == 2  # the file and its seal, once each
    assert bench.arrived() == bench.queue.sent
    assert set(bench.cloud.written.values()) == {1}
    custody.check(bench.conn)


def test_an_object_whose_lease_ran_out_is_claimed_again(bench: Outbox) -> None:
    bench.queue.docking(1, [10])
    with transaction(bench.conn):
        now = bench.clock.now().utc
        transfers.claim(bench.conn, Claim(CLOUD, THIEF, now, LEASE))

    early = bench.worker.step(bench.conn, CLOUD)
    bench.clock.advance(LEASE)
    bench.worker.run_once(bench.conn)

    assert early is Outcome.IDLE
    assert bench.arrived() == bench.queue.sent


def test_the_lease_is_kept_however_long_one_object_moves(bench: Outbox) -> None:
    bench.queue.docking(1, [LARGE])
    bench.cloud.weather.slow = 8 << 10  # a part takes longer than a lease
    bench.cloud.wait = lambda seconds: bench.clock.advance(timedelta(seconds=seconds))
    begun, claims = bench.clock.now().utc, []

    def claim(count: int) -> None:
        del count
        with transaction(bench.conn):
            now = bench.clock.now().utc
            claims.append(transfers.claim(bench.conn, Claim(CLOUD, THIEF, now, LEASE)))

    outcome = bench.through(Heard(bench.cloud, claim)).step(bench.conn, CLOUD)

    assert outcome is Outcome.CONFIRMED
    assert bench.clock.now().utc - begun > 3 * LEASE
    assert claims
    assert set(claims) == {None}


@pytest.mark.parametrize(("back", "claimed"), [(2 * DAY, True), (HOUR, False)])
def test_a_lease_from_before_the_clock_was_set_back_a_day_is_not_believed(
    books: Books, back: timedelta, *, claimed: bool
) -> None:
    books.add(ident(1), "a")
    books.claimed(owner=THIEF)
    books.clock.advance(-back)

    assert (books.claim() is not None) is claimed


@pytest.mark.parametrize(("back", "claimed"), [(2 * DAY, True), (HOUR, False)])
def test_a_wait_from_before_the_clock_was_set_back_a_day_is_not_believed(
    books: Books, back: timedelta, *, claimed: bool
) -> None:
    books.add(ident(1), "a")
    held = books.claimed()
    with transaction(books.conn):
        transfers.postpone(books.conn, held, books.at.utc + HOUR, "no")
    books.clock.advance(-back)

    assert (books.claim() is not None) is claimed


def test_a_rest_that_was_written_before_the_clock_was_set_back_ends(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])
    bench.cloud.weather.portal = True
    bench.clock.advance(10 * HOUR)
    bench.worker.run_once(bench.conn)
    bench.cloud.weather.portal = False
    bench.clock.advance(-5 * HOUR)

    resting = bench.row().try_after
    bench.worker.run_once(bench.conn)

    assert resting is not None
    assert resting > bench.clock.now().utc
    assert bench.arrived() == bench.queue.sent


def test_a_worker_that_is_told_to_stop_stops_at_the_next_bytes(bench: Outbox) -> None:
    bench.queue.docking(1, [3 * PART_SIZE])
    bench.queue.docking(2, [10])
    heard: list[int] = []

    def stop(count: int) -> None:
        heard.append(count)
        if sum(heard) > PART_SIZE:
            worker.stop.set()

    worker = bench.through(Heard(bench.cloud, stop))
    told = worker.run_once(bench.conn)
    after = len(heard)
    left = dict(zip(bench.column("key"), bench.column("state"), strict=True))
    bench.worker.run_once(bench.conn)

    assert told.confirmed == 0
    assert sum(heard[:after]) <= PART_SIZE + 2 * (1 << 20)
    assert TransferState.SENDING not in left.values()
    assert bench.column("attempts") == [0] * 4
    assert bench.arrived() == bench.queue.sent
    assert bench.cloud.part_calls == 4  # the part that was cut, and no other, twice


def test_a_long_object_that_gets_farther_each_time_is_never_given_up(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [300_000])
    bench.cloud.part_size = 1000  # and a line that is cut after three of them
    cuts = 0

    while not bench.cloud.objects and cuts < 150:
        cuts += 1
        bench.cloud.weather.cut_after = 3500
        bench.worker.run_once(bench.conn)
        bench.clock.advance(10 * SECOND)
    bench.cloud.weather.cut_after = None
    bench.send_for(MINUTE)

    assert 2 * GIVE_UP_AFTER < cuts < 150
    assert bench.told("refused") == []
    assert bench.arrived() == bench.queue.sent


def test_an_object_that_is_never_taken_is_given_up_and_a_person_is_asked(
    bench: Outbox,
) -> None:
    docking = bench.queue.docking(1, [10, 20])
    poison = f"dockings/{docking}/data/0000.MP4"
    bench.cloud.weather.never_taken = {poison}

    bench.send_for(DAY, HOUR)
    within_a_day = states(bench.conn)[poison]
    bench.send_for(12 * DAY, HOUR)

    assert within_a_day is TransferState.QUEUED
    assert states(bench.conn)[poison] is TransferState.REFUSED
    assert bench.column("attempts")[0] == GIVE_UP_AFTER
    (told,) = bench.told("refused")
    assert told["key"] == poison
    assert told["reason"].startswith(f"tried {GIVE_UP_AFTER} times")


class Heard(Through):
    """A destination of whose bytes somebody hears first."""

    def __init__(self, inner: Destination, hear: Moved) -> None:
        super().__init__(inner)
        self._hear = hear

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        heard = replace(item, moved=each(self._hear, item.moved))
        return super().send(heard, done, remember)


def row(books: Books) -> dict[str, object]:
    return dict(books.conn.execute("SELECT * FROM transfer").fetchone())
