"""What was confirmed is looked at again; what is gone there is sent again, and told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.errors import (
    Barred,
    DockError,
    FixityError,
    NotTaken,
    Refused,
    SyncError,
    VaultUnread,
)
from dock_agent.recording import TransferState
from dock_agent.store import custody, orders, transfers
from dock_agent.store.db import connect, transaction
from dock_agent.sync.destination import Confirmation, Look, Object, Progress
from dock_agent.sync.lane import Lane
from dock_agent.sync.reconcile import AT_A_TIME, Reconciler
from dock_agent.sync.wrappers import Through
from support.outbox import DAY, HOUR, Around, Outbox, outbox
from support.queues import CLOUD, SEAL, states

CONFIRMED = TransferState.CONFIRMED


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Outbox]:
    with outbox(tmp_path) as made:
        yield made


def look(bench: Outbox, lane: Lane | None = None) -> tuple[int, int]:
    """Look once; return how many were looked at, and how many were gone."""
    reconciler = Reconciler(bench.queue.vault, bench.clock)
    return reconciler.look(bench.conn, CLOUD, lane or Lane(bench.cloud))


def sent_yesterday(bench: Outbox, *sizes: int) -> list[str]:
    """Send a docking, let a day pass, and return its keys."""
    bench.queue.docking(1, sizes)
    bench.worker.run_once(bench.conn)
    bench.clock.advance(DAY + HOUR)
    return list(bench.queue.sent)


@pytest.mark.parametrize("harm", ["gone", "shorter"])
def test_what_is_lost_there_is_told_and_sent_again(bench: Outbox, harm: str) -> None:
    keys = sent_yesterday(bench, 10, 20)
    whole = bench.cloud.objects.pop(keys[0])
    if harm == "shorter":
        bench.cloud.objects[keys[0]] = whole[:-1]

    found = look(bench)
    lost = states(bench.conn)[keys[0]]
    bench.cloud.objects.pop(keys[0], None)  # what a person clears away, if it is wrong
    bench.worker.run_once(bench.conn)

    assert found == (3, 1)
    assert lost is TransferState.QUEUED
    (told,) = bench.told("lost there")
    assert told["key"] == keys[0]
    assert bench.arrived() == bench.queue.sent
    assert len(bench.told("confirmed")) == 4
    custody.check(bench.conn)


def test_what_is_there_stays_confirmed_and_is_not_asked_about_for_a_day(
    bench: Outbox,
) -> None:
    sent_yesterday(bench, 10, 20)

    first, second = look(bench), look(bench)
    bench.clock.advance(DAY + HOUR)
    third = look(bench)

    assert (first, second, third) == ((3, 0), (0, 0), (3, 0))
    assert set(states(bench.conn).values()) == {CONFIRMED}
    assert bench.told("lost there") == []


def test_what_was_looked_at_before_the_clock_was_set_back_is_looked_at_again(
    bench: Outbox,
) -> None:
    sent_yesterday(bench, 10, 20)
    bench.clock.advance(1000 * DAY)
    look(bench)
    bench.clock.advance(-1000 * DAY)

    assert (look(bench), look(bench)) == ((3, 0), (0, 0))


def test_only_a_few_objects_are_asked_about_at_a_time(bench: Outbox) -> None:
    sent_yesterday(bench, *[1] * (AT_A_TIME + 4))

    assert [look(bench)[0] for _ in range(3)] == [AT_A_TIME, 5, 0]


@pytest.mark.parametrize("ident", [None, "another"])
def test_a_place_that_is_gone_has_lost_nothing(
    bench: Outbox, ident: str | None
) -> None:
    sent_yesterday(bench, 10, 20)
    bench.cloud.objects.clear()
    bench.cloud.ident = ident

    with pytest.raises(Barred, match="not the place"):
        look(bench)

    assert set(states(bench.conn).values()) == {CONFIRMED}
    assert bench.told("lost there") == []


def test_a_place_that_cannot_say_has_lost_nothing(bench: Outbox) -> None:
    sent_yesterday(bench, 10)

    looked = look(bench, Lane(Forgetful(bench.cloud)))

    assert looked == (2, 0)
    assert set(states(bench.conn).values()) == {CONFIRMED}
    assert bench.told("lost there") == []


class Forgetful(Through):
    """A place that forgets what it was asked to keep, and keeps it."""

    def look(self, item: Object, done: Progress) -> Look | None:
        raise NotTaken(f"{item.key} cannot be asked for, {done.sent}")


def test_what_two_looks_find_gone_is_told_once(bench: Outbox) -> None:
    keys = sent_yesterday(bench, 10)
    bench.cloud.forget(keys[0])

    class Twice(Through):
        def look(self, item: Object, done: Progress) -> Look | None:
            found = super().look(item, done)
            if item.key == keys[0]:
                look(bench)  # by another thread, meanwhile
            return found

    look(bench, Lane(Twice(bench.cloud)))
    bench.worker.run_once(bench.conn)

    assert len(bench.told("lost there")) == 1
    assert bench.arrived() == bench.queue.sent


def test_a_seal_that_is_lost_with_a_file_goes_after_it_again(bench: Outbox) -> None:
    keys = sent_yesterday(bench, 10, 20)
    bench.cloud.forget(keys[0])
    bench.cloud.forget(keys[-1])
    bench.cloud.weather.not_taken[keys[0]] = 1

    look(bench)
    blocked = states(bench.conn)[keys[-1]]
    bench.worker.run_once(bench.conn)
    during = set(bench.cloud.objects)
    bench.send_for(HOUR / 60)

    assert blocked is TransferState.BLOCKED
    assert during == {keys[1]}
    assert list(bench.cloud.objects)[-1].endswith(SEAL)
    assert bench.arrived() == bench.queue.sent


def test_a_seal_that_alone_is_lost_goes_again_at_once(bench: Outbox) -> None:
    keys = sent_yesterday(bench, 10)
    bench.cloud.forget(keys[-1])

    look(bench)
    bench.worker.run_once(bench.conn)

    assert bench.arrived() == bench.queue.sent


@pytest.mark.parametrize("there", [True, False])
def test_the_last_copy_of_a_file_is_asked_about_as_any_other(
    bench: Outbox, *, there: bool
) -> None:
    keys = sent_yesterday(bench, 10)
    (bench.queue.vault / keys[0]).unlink()
    if not there:
        bench.cloud.forget(keys[0])

    assert look(bench) == (2, 0 if there else 1)
    assert (states(bench.conn)[keys[0]] is CONFIRMED) == there


@pytest.mark.parametrize("error", [Barred("not yours"), Refused("no such thing")])
def test_one_object_that_may_not_be_looked_at_does_not_hide_the_others(
    bench: Outbox, error: SyncError
) -> None:
    keys = sent_yesterday(bench, 10, 20)
    bench.cloud.forget(keys[1])

    class Sealed(Through):
        def look(self, item: Object, done: Progress) -> Look | None:
            if item.key == keys[0]:
                raise error
            return super().look(item, done)

    assert look(bench, Lane(Sealed(bench.cloud))) == (3, 1)
    assert look(bench, Lane(Sealed(bench.cloud))) == (0, 0)
    assert states(bench.conn)[keys[0]] is CONFIRMED


@pytest.mark.parametrize("same", [True, False])
def test_an_object_that_has_another_etag_is_read_again(
    bench: Outbox, *, same: bool
) -> None:
    keys = sent_yesterday(bench, 10)
    with transaction(bench.conn):
        bench.conn.execute("UPDATE transfer SET etag = 'before'")
    if not same:
        bench.cloud.objects[keys[0]] = bytes(10)

    class Tagged(Through):
        def look(self, item: Object, done: Progress) -> Look | None:
            del done
            return Look(item.size, etag="after")

    assert look(bench, Lane(Tagged(bench.cloud))) == (2, 0 if same else 1)
    assert (states(bench.conn)[keys[0]] is CONFIRMED) == same


def test_an_object_that_has_another_etag_and_our_bytes_is_read_again_once(
    bench: Outbox,
) -> None:
    sent_yesterday(bench, 10)
    with transaction(bench.conn):
        bench.conn.execute("UPDATE transfer SET etag = 'before'")
    read = []

    class Counted(Through):
        def look(self, item: Object, done: Progress) -> Look | None:
            del done
            return Look(item.size, etag="after")

        def confirm(
            self, item: Object, done: Progress, *, sent: bool = False
        ) -> Confirmation | None:
            read.append(item.key)
            return super().confirm(item, done, sent=sent)

    for _ in range(3):
        assert look(bench, Lane(Counted(bench.cloud))) == (2, 0)
        bench.clock.advance(DAY + HOUR)

    assert len(read) == 2
    assert bench.column("etag") == ["after"] * 2


@pytest.mark.parametrize("error", [FixityError("ours too"), VaultUnread("EIO")])
def test_an_object_that_is_damaged_there_and_here_does_not_hide_the_others(
    bench: Outbox, error: DockError
) -> None:
    keys = sent_yesterday(bench, 10, 20)
    with transaction(bench.conn):
        bench.conn.execute("UPDATE transfer SET etag = 'before'")

    class Blames(Through):
        def look(self, item: Object, done: Progress) -> Look | None:
            del done
            return Look(item.size, etag="after")

        def confirm(
            self, item: Object, done: Progress, *, sent: bool = False
        ) -> Confirmation | None:
            if item.key == keys[0]:
                raise error
            return super().confirm(item, done, sent=sent)

    assert look(bench, Lane(Blames(bench.cloud))) == (3, 1)
    assert look(bench, Lane(Blames(bench.cloud))) == (0, 0)
    (told,) = bench.told("lost there")
    assert str(error) in told["reason"]


def test_what_was_queued_again_meanwhile_is_not_called_lost(bench: Outbox) -> None:
    bench.queue.docking(1, [10])
    rows = bench.conn.execute("SELECT * FROM transfer WHERE state = 'queued'")
    found = transfers.transfer(rows.fetchone())

    with transaction(bench.conn):
        orders.missed(bench.conn, found, "it is no longer there", bench.clock.now())

    assert bench.told("lost there") == []


def test_a_worker_with_nothing_to_send_looks_by_itself(
    bench: Outbox, tmp_path: Path
) -> None:
    keys = sent_yesterday(bench, 10)
    bench.cloud.forget(keys[0])

    def end(item: Object) -> None:
        if item.key == keys[0]:
            worker.stop.set()

    worker = bench.through(Around(bench.cloud, after=end))
    worker.run(lambda: connect(tmp_path / "store.db"))

    assert bench.arrived() == bench.queue.sent
    assert len(bench.told("lost there")) == 1
