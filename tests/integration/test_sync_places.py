"""The place itself: is it there, is it the one it was, and what an error is about."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent.errors import (
    Barred,
    Busy,
    FixityError,
    Full,
    NotTaken,
    Portal,
    Refused,
    Unreachable,
    VaultUnusable,
)
from dock_agent.recording import LinkState, TransferState
from dock_agent.simulated.cloud import SimulatedCloud
from dock_agent.store import backlog, destinations
from dock_agent.store.db import transaction
from dock_agent.sync.carry import Outcome
from dock_agent.sync.contact import PLACE_EVERY
from dock_agent.sync.destination import Confirmation, Object, Progress
from dock_agent.sync.policy import CEILING
from dock_agent.sync.worker import Worker
from dock_agent.sync.wrappers import Through
from dock_agent.vault.layout import MARKER
from support.outbox import DAY, HOUR, MINUTE, SECOND, Around, Outbox, outbox
from support.queues import CLOUD, states

QUEUED, CONFIRMED = TransferState.QUEUED, TransferState.CONFIRMED


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Outbox]:
    with outbox(tmp_path) as made:
        yield made


def test_a_place_is_given_an_id_once_and_the_chain_tells_of_it(bench: Outbox) -> None:
    bench.queue.docking(1, [10])

    bench.send_for(HOUR, MINUTE)

    ident = bench.cloud.ident
    assert ident is not None
    assert bench.row().marker == ident
    assert bench.told("destination bound") == [{"destination": CLOUD, "marker": ident}]


def test_a_place_that_has_an_id_keeps_it(bench: Outbox) -> None:
    bench.cloud.ident = "of another station"
    bench.queue.docking(1, [10])

    bench.worker.run_once(bench.conn)

    assert bench.cloud.ident == "of another station"
    assert bench.row().marker == "of another station"
    assert bench.arrived() == bench.queue.sent


def test_a_place_that_was_given_an_id_at_the_same_moment_is_used(bench: Outbox) -> None:
    bench.queue.docking(1, [10])

    class Raced(Through):
        def mark(self, ident: str) -> None:
            super().mark("of a faster thread")
            super().mark(ident)

    bench.through(Raced(bench.cloud)).run_once(bench.conn)

    assert bench.row().marker == "of a faster thread"
    assert bench.arrived() == bench.queue.sent


def test_a_marker_that_reads_otherwise_the_second_time_is_not_bound(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])
    bench.cloud.ident = "01ID"
    told = iter(["01IC", "01ID"])  # a bit that flipped on the way

    class Flips(Through):
        def marker(self) -> str | None:
            return next(told, super().marker())

    worker = bench.through(Flips(bench.cloud))
    worker.run_once(bench.conn)
    first = bench.row().marker
    bench.clock.advance(HOUR)
    worker.run_once(bench.conn)

    assert (first, bench.row().marker) == (None, "01ID")


def test_a_place_is_never_bound_anew(bench: Outbox) -> None:
    bench.queue.docking(1, [10])
    for ident in ("first", "second"):
        with transaction(bench.conn):
            destinations.bind(bench.conn, CLOUD, ident, bench.clock.now())

    assert bench.row().marker == "first"
    assert len(bench.told("destination bound")) == 1


@pytest.mark.parametrize("found", [None, "another"])
def test_nothing_leaves_the_queue_for_a_place_that_is_not_the_one_it_was(
    bench: Outbox, found: str | None
) -> None:
    bench.queue.docking(1, [10])
    bench.worker.run_once(bench.conn)
    bench.clock.advance(HOUR)
    before, ident = dict(bench.cloud.objects), bench.cloud.ident
    bench.queue.docking(2, [10, 20])
    bench.cloud.ident = found

    bench.send_for(DAY, MINUTE)
    during, link, failure = states(bench.conn), bench.link(), bench.row().failure
    swapped = dict(bench.cloud.objects), bench.cloud.ident
    bench.cloud.ident = ident
    bench.send_for(4 * CEILING, MINUTE)

    assert swapped == (before, found)
    assert list(during.values())[2:] == [QUEUED, QUEUED, TransferState.BLOCKED]
    assert bench.column("attempts") == [0] * 5
    assert link is LinkState.BARRED
    assert failure is not None
    assert failure.startswith("this is not the place it was")
    assert bench.arrived() == bench.queue.sent


def test_another_place_under_the_same_name_is_not_sent_to(bench: Outbox) -> None:
    begin(bench, bench.through(bench.cloud, where=lambda: "/mnt/a"))
    bench.queue.docking(2, [10])
    other = SimulatedCloud(bench.clock)

    begin(bench, bench.through(other, where=lambda: "/mnt/b"))

    assert bench.row().place == "/mnt/a"
    assert (other.objects, other.ident) == ({}, None)
    assert "its marker is gone" in (bench.row().failure or "")


def test_what_another_place_is_marked_with_is_told_of_in_one_line(
    bench: Outbox,
) -> None:
    begin(bench, bench.through(bench.cloud, where=lambda: "/mnt/a"))
    other = SimulatedCloud(bench.clock)
    other.mark("x\n22:43:32 INFO all is confirmed\x1b[2J")

    begin(bench, bench.through(other, where=lambda: "/mnt/b"))

    assert "its marker is x 22:43:32" in (bench.row().failure or "")
    assert (bench.row().failure or "").isprintable()


def test_the_same_place_under_another_address_is_sent_to_and_the_chain_says_so(
    bench: Outbox,
) -> None:
    begin(bench, bench.through(bench.cloud, where=lambda: "https://old/"))
    bench.queue.docking(2, [10])

    begin(bench, bench.through(bench.cloud, where=lambda: "https://new/"))

    assert bench.arrived() == bench.queue.sent
    assert bench.row().place == "https://new/"
    (told,) = bench.told("destination moved")
    assert told == {"destination": CLOUD, "place": "https://new/", "marked": True}


class Unmarked(Through):
    """A place that cannot be given an id."""

    def marker(self) -> str | None:
        return None

    def mark(self, ident: str) -> None:
        del ident


def test_a_place_that_has_no_id_is_another_one_under_another_address(
    bench: Outbox,
) -> None:
    one = Unmarked(bench.cloud)
    begin(bench, bench.through(one, where=lambda: "https://old/"))
    bench.queue.docking(2, [10])
    before = dict(bench.cloud.objects)

    begin(bench, bench.through(one, where=lambda: "https://new/"))
    during, link = dict(bench.cloud.objects), bench.link()
    bench.clock.advance(HOUR)
    begin(bench, bench.through(one, where=lambda: "https://old/"))

    assert (during, link) == (before, LinkState.BARRED)
    assert bench.told("destination moved") == []
    assert bench.arrived() == bench.queue.sent


@pytest.mark.parametrize("marked", [True, False])
def test_what_was_sent_while_the_address_changed_is_not_confirmed_there(
    bench: Outbox, *, marked: bool
) -> None:
    there = bench.cloud if marked else Unmarked(bench.cloud)
    address = ["https://old/"]

    def changes(item: Object) -> None:
        del item
        address[0] = "https://new/"

    begin(bench, bench.through(there, where=lambda: address[0]))
    docking = bench.queue.docking(2, [10])
    worker = bench.through(Around(there, before=changes), where=lambda: address[0])
    outcome = worker.step(bench.conn, CLOUD)
    during = states(bench.conn)[f"dockings/{docking}/data/0000.MP4"]
    bench.send_for(HOUR, MINUTE, worker)

    assert (outcome, during) == (Outcome.POSTPONED, QUEUED)
    assert (bench.arrived() == bench.queue.sent) is marked
    assert (bench.link() is LinkState.BARRED) is not marked


def test_an_address_that_never_answered_may_be_put_right(bench: Outbox) -> None:
    bench.queue.docking(1, [10])
    bench.cloud.weather.out_until = bench.clock.now().utc + MINUTE
    begin(bench, bench.through(Unmarked(bench.cloud), where=lambda: "https://typo/"))
    bench.clock.advance(HOUR)

    begin(bench, bench.through(Unmarked(bench.cloud), where=lambda: "https://right/"))

    assert bench.row().place == "https://right/"
    (told,) = bench.told("destination moved")
    assert told == {"destination": CLOUD, "place": "https://right/", "marked": False}
    assert bench.arrived() == bench.queue.sent


def begin(bench: Outbox, worker: Worker) -> None:
    worker.begin(bench.conn, {CLOUD: "directory"})
    worker.run_once(bench.conn)


def test_a_place_that_is_swapped_while_all_goes_well_is_noticed(bench: Outbox) -> None:
    bench.queue.docking(1, [10] * 30)
    steps = 0

    while bench.link() is not LinkState.BARRED and steps < 25:
        bench.worker.step(bench.conn, CLOUD)
        bench.clock.advance(30 * SECOND)
        steps += 1
        bench.cloud.ident = "another" if steps >= 5 else bench.cloud.ident

    assert steps - 5 <= PLACE_EVERY // (30 * SECOND) + 1


def test_a_worker_that_begins_asks_first_whatever_the_last_one_saw(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])
    bench.worker.run_once(bench.conn)
    bench.queue.docking(2, [10])
    bench.cloud.ident = None  # unmounted between two runs, say
    before = len(bench.cloud.objects)

    bench.through(bench.cloud).run_once(bench.conn)

    assert len(bench.cloud.objects) == before
    assert bench.link() is LinkState.BARRED


SCOPES = {
    # what is raised of the first object: its state, its tries, the second's, the link
    "silent": (Unreachable("no answer"), QUEUED, 1, QUEUED, LinkState.OFFLINE),
    "portal": (Portal("a page"), QUEUED, 0, QUEUED, LinkState.CAPTIVE),
    "busy": (Busy("later", 120), QUEUED, 0, QUEUED, LinkState.OFFLINE),
    "full": (Full("no room"), QUEUED, 0, QUEUED, LinkState.BARRED),
    "barred": (Barred("who are you?"), QUEUED, 0, QUEUED, LinkState.BARRED),
    "not taken": (NotTaken("not now"), QUEUED, 1, CONFIRMED, LinkState.ONLINE),
    "refused": (Refused("no"), TransferState.REFUSED, 1, CONFIRMED, LinkState.ONLINE),
    "ours": (FixityError("?"), TransferState.REFUSED, 1, CONFIRMED, LinkState.ONLINE),
}


@pytest.mark.parametrize("name", SCOPES)
def test_an_error_touches_what_it_is_about_and_nothing_else(
    bench: Outbox, name: str
) -> None:
    error, first, tries, second, link = SCOPES[name]
    docking = bench.queue.docking(1, [10, 20])
    key = f"dockings/{docking}/data/0000.MP4"

    def fail(item: Object) -> None:
        if item.key == key:
            raise error

    bench.through(Around(bench.cloud, before=fail)).run_once(bench.conn)

    assert list(states(bench.conn).values())[:2] == [first, second]
    assert bench.column("attempts")[:2] == [tries, 0]
    assert bench.link() is link
    assert (bench.row().failure is None) is (second is CONFIRMED)
    assert (bench.row().try_after is None) is (second is CONFIRMED)
    assert states(bench.conn).popitem()[1] is TransferState.BLOCKED


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [
        (None, timedelta(0), 5 * SECOND),
        (120.0, 2 * MINUTE, 2 * MINUTE),
        (7 * 86400.0, HOUR, HOUR),
    ],
)
def test_a_busy_place_rests_as_long_as_it_asks_for_but_no_week(
    bench: Outbox, asked: float | None, least: timedelta, most: timedelta
) -> None:
    bench.queue.docking(1, [10])
    bench.cloud.weather.busy = [asked]

    bench.worker.run_once(bench.conn)

    rests = (bench.row().try_after or bench.clock.now().utc) - bench.clock.now().utc
    assert least <= rests <= most
    assert bench.cloud.calls == 1


@pytest.mark.parametrize("until", ["full_until", "barred_until", "out_until"])
def test_a_place_that_takes_nothing_for_a_day_gets_everything_afterwards(
    bench: Outbox, until: str
) -> None:
    bench.queue.docking(1, [10] * 5)
    setattr(bench.cloud.weather, until, bench.clock.now().utc + DAY)

    bench.send_for(DAY, MINUTE)
    during = dict(bench.cloud.objects)
    bench.send_for(DAY, MINUTE)

    assert during == {}
    assert bench.told("refused") == []
    assert bench.arrived() == bench.queue.sent
    assert set(bench.cloud.written.values()) == {1}


def test_a_vault_without_its_marker_sends_nothing_and_refuses_nothing(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10, 20])
    (bench.queue.vault / MARKER).unlink()
    before = states(bench.conn)

    for _ in range(3):
        with pytest.raises(VaultUnusable, match="is not there"):
            bench.worker.run_once(bench.conn)

    assert states(bench.conn) == before
    assert bench.cloud.objects == {}
    assert bench.told("refused") == []


def test_a_vault_that_goes_while_an_object_is_sent_refuses_nothing(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])
    vault, elsewhere = bench.queue.vault, bench.queue.vault.with_name("elsewhere")
    before = states(bench.conn)

    def unmount(item: Object) -> None:
        del item
        vault.rename(elsewhere)

    with pytest.raises(VaultUnusable):
        bench.through(Around(bench.cloud, before=unmount)).run_once(bench.conn)
    during = states(bench.conn)
    elsewhere.rename(vault)
    bench.worker.run_once(bench.conn)

    assert during == before
    assert bench.told("refused") == []
    assert bench.arrived() == bench.queue.sent


def test_what_a_place_has_but_keeps_apart_is_confirmed_and_told_of(
    bench: Outbox,
) -> None:
    docking = bench.queue.docking(1, [10, 20])
    key = f"dockings/{docking}/data/0000.MP4"

    class Apart(Through):
        def confirm(
            self, item: Object, done: Progress, *, sent: bool = False
        ) -> Confirmation | None:
            told = super().confirm(item, done, sent=sent)
            apart = "rejected" if item.key == key else ""
            return told and replace(told, apart=apart)

    bench.through(Apart(bench.cloud)).run_once(bench.conn)

    found = backlog.apart(bench.conn, 5)
    assert set(states(bench.conn).values()) == {CONFIRMED}
    assert [(line.key, line.failure) for line in found.lines] == [(key, "rejected")]
    assert found.more == 0
    told = [fact for fact in bench.told("confirmed") if "apart" in fact]
    assert [(fact["key"], fact["apart"]) for fact in told] == [(key, "rejected")]
