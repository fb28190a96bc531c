"""Local copies whose time is over: what goes, on what evidence, and what stays."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from dock_agent import retaining
from dock_agent.clock import Instant
from dock_agent.errors import FixityError, NotAllowed, Unreachable, VaultUnusable
from dock_agent.expiring import Expiry
from dock_agent.recording import DestinationName, FileState, Proof
from dock_agent.retaining import NotApproved
from dock_agent.store import alarms, custody, destinations, files, holds
from dock_agent.store.approvals import Approval
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Docking
from dock_agent.store.holds import Hold
from dock_agent.store.transfers import Transfer
from dock_agent.vault import reached
from dock_agent.vault.bag import as_signed
from support.cards import card
from support.erasing import SIZES, confirm_all, hold, told
from support.expiring import LONG, Shelf, proves, ripe, shelf

__all__ = ["ripe", "shelf"]


def require_kept(shelf: Shelf, docking: Docking) -> None:
    assert shelf.there(docking) == set(SIZES)
    assert shelf.states(docking) == {FileState.VERIFIED}
    assert told(shelf.bench, docking.id, "expire intended") == []


def test_what_is_proved_again_and_past_its_time_goes_and_the_bag_still_tells_of_it(
    shelf: Shelf, ripe: Docking
) -> None:
    done = shelf.run()

    assert (done.files, done.stays) == (len(SIZES), {})
    assert done.bytes == sum(SIZES.values())
    assert shelf.there(ripe) == set()
    assert shelf.states(ripe) == {FileState.EXPIRED}
    assert as_signed(shelf.bench.conn, shelf.bench.sealer, ripe.id)
    assert custody.check(shelf.bench.conn).seq > 0


def test_the_log_says_for_each_file_on_what_evidence_it_went(
    shelf: Shelf, ripe: Docking
) -> None:
    shelf.run()

    intents = told(shelf.bench, ripe.id, "expire intended")
    gone = told(shelf.bench, ripe.id, "expired")
    names = {line["facts"]["file"] for line in gone}
    assert names == {line["facts"]["file"] for line in intents} == set(SIZES)
    for line in intents:
        facts = line["facts"]
        assert facts["proofs"] == {"cloud": "read-back"}
        assert facts["terms"]["days"] == {"traffic": 30}
        assert facts["listed"][0]["category"] == "traffic"
    first = {line["facts"]["file"]: line["seq"] for line in intents}
    assert all(line["seq"] > first[line["facts"]["file"]] for line in gone)


def test_each_copy_is_asked_for_once_by_its_own_digest(
    shelf: Shelf, ripe: Docking
) -> None:
    asked: list[Transfer] = []

    def ask(sent: Transfer) -> Proof:
        asked.append(sent)
        return proves(sent)

    shelf.run(ask)

    known = {f.copy_sha256 for f in shelf.bench.files(ripe).values()}
    assert {sent.sha256 for sent in asked} == known
    assert len(asked) == len(SIZES)


def test_a_second_run_finds_nothing_to_do(shelf: Shelf, ripe: Docking) -> None:
    shelf.run()

    assert shelf.run().files == 0
    assert len(told(shelf.bench, ripe.id, "expired")) == len(SIZES)


# ---- what stays ----------------------------------------------------------------------


def test_by_default_nothing_ever_goes(shelf: Shelf) -> None:
    docking = shelf.dock()
    shelf.clock.advance(LONG)

    shelf.run(config=shelf.config(expire=False))

    require_kept(shelf, docking)


def test_what_nobody_approved_does_not_go(shelf: Shelf) -> None:
    docking = shelf.dock()
    shelf.clock.advance(LONG)

    done = shelf.run()

    assert done.stays == {"this station expires nothing": len(SIZES)}
    require_kept(shelf, docking)


@pytest.mark.parametrize("category", [None, "case"])
def test_what_nobody_classified_or_is_kept_for_ever_stays(
    shelf: Shelf, category: str | None
) -> None:
    docking = shelf.dock(category)
    shelf.clock.advance(timedelta(days=10_000))
    shelf.approve()

    shelf.run()

    require_kept(shelf, docking)


@pytest.mark.parametrize("proof", [Proof.NONE, Proof.CACHED])
def test_what_a_destination_does_not_prove_now_stays_whatever_it_proved_before(
    shelf: Shelf, ripe: Docking, proof: Proof
) -> None:
    def ask(sent: Transfer) -> Proof:
        del sent
        return proof

    done = shelf.run(ask)

    assert done.stays == {"cloud did not prove it when asked again": len(SIZES)}
    require_kept(shelf, ripe)


@pytest.mark.parametrize("error", [Unreachable("no link"), FixityError("gone")])
def test_what_cannot_be_asked_about_stays(
    shelf: Shelf, ripe: Docking, error: Exception
) -> None:
    def ask(sent: Transfer) -> Proof:
        raise type(error)(f"{sent.key}: {error}")

    shelf.run(ask)

    require_kept(shelf, ripe)


def quarantine(shelf: Shelf, docking: Docking) -> None:
    ident = next(iter(shelf.bench.files(docking).values())).id
    with transaction(shelf.bench.conn) as conn:
        files.quarantined(conn, ident, "flipped", shelf.clock.now())


def alarm(shelf: Shelf, docking: Docking) -> None:
    del docking
    with transaction(shelf.bench.conn) as conn:
        alarms.alarm(conn, "cloud", "another log", shelf.clock.now())


def doubted(shelf: Shelf, docking: Docking) -> None:
    del docking
    shelf.clock.trusted = False


def another_destination(shelf: Shelf, docking: Docking) -> None:
    """Name one more in the configuration: it has none of it."""
    del docking
    with transaction(shelf.bench.conn) as conn:
        destinations.ensure(conn, DestinationName("new"), "directory")


def unconfirmed(shelf: Shelf, docking: Docking) -> None:
    shelf.bench.conn.execute(
        "UPDATE transfer SET state = 'queued' WHERE docking = ?", (docking.id,)
    )


def seal_missing(shelf: Shelf, docking: Docking) -> None:
    shelf.bench.conn.execute(
        "UPDATE transfer SET state = 'blocked' WHERE docking = ?"
        " AND path LIKE '%tagmanifest.sig'",
        (docking.id,),
    )


def incomplete(shelf: Shelf, docking: Docking) -> None:
    shelf.bench.conn.execute(
        "UPDATE docking SET complete = 0 WHERE id = ?", (docking.id,)
    )


def on_hold(shelf: Shelf, docking: Docking) -> None:
    hold(shelf.bench, docking)


def recategorised(shelf: Shelf, docking: Docking) -> None:
    shelf.classify(docking, "case")
    shelf.classify(docking, "traffic")


def used_again(shelf: Shelf, docking: Docking) -> None:
    """Dock the same card again: the new docking rests on the copies."""
    del docking
    shelf.bench.dock(shelf.root / "card")


WRONG = [
    alarm, doubted, unconfirmed, seal_missing, incomplete, on_hold, recategorised,
    used_again,
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=[w.__name__ for w in WRONG])
@pytest.mark.parametrize("late", [False, True], ids=["before", "meanwhile"])
def test_any_single_thing_that_is_wrong_keeps_every_copy(
    shelf: Shelf,
    ripe: Docking,
    wrong: Callable[[Shelf, Docking], None],
    late: bool,  # noqa: FBT001  pytest gives it
) -> None:
    """Also what comes while a destination is asked, right before the intent."""

    def ask(sent: Transfer) -> Proof:
        if late and not done:
            wrong(shelf, ripe)
            done.append(sent)
        return proves(sent)

    done: list[Transfer] = []
    if not late:
        wrong(shelf, ripe)

    shelf.run(ask)

    require_kept(shelf, ripe)


def test_one_file_in_quarantine_keeps_all_of_its_docking(
    shelf: Shelf, ripe: Docking
) -> None:
    quarantine(shelf, ripe)

    assert shelf.run().files == 0
    assert shelf.there(ripe) == set(SIZES)


def test_a_hold_on_a_docking_that_rests_on_the_copies_keeps_them(
    shelf: Shelf,
) -> None:
    docking = shelf.dock()
    again = shelf.bench.dock(shelf.root / "card")
    shelf.classify(again, "traffic")
    shelf.bench.conn.execute(  # whatever it was called there
        "UPDATE file SET mtime_ns = 0 WHERE docking = ?", (again.id,)
    )
    shelf.clock.advance(LONG)
    shelf.approve()
    with transaction(shelf.bench.conn) as conn:
        holds.place(conn, Hold(again.id, "A. Judge", "case 7"), shelf.clock.now())

    shelf.run()

    require_kept(shelf, docking)


@pytest.mark.parametrize("years", [-30, 30])
def test_a_clock_that_was_set_by_thirty_years_expires_nothing(
    shelf: Shelf, years: int
) -> None:
    docking = shelf.dock()
    shelf.clock.advance(timedelta(days=10))
    shelf.approve()
    stepped = Stepped(shelf.clock.now(), timedelta(days=365 * years))
    conn, wish = shelf.bench.conn, shelf.config()

    Expiry(conn, wish, shelf.disk, stepped, proves).run()

    require_kept(shelf, docking)


class Stepped:
    """A clock that somebody set; the one that never steps did not. Meets `Clock`."""

    def __init__(self, at: Instant, by: timedelta) -> None:
        self._at = replace(at, utc=at.utc + by)

    def now(self) -> Instant:
        return self._at

    def monotonic_ns(self) -> int:
        return self._at.monotonic_ns

    def entropy(self, count: int) -> bytes:
        return bytes(count)


def test_a_database_that_has_forgotten_a_hold_expires_nothing(
    shelf: Shelf, ripe: Docking
) -> None:
    bench = shelf.bench
    bench.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(shelf.root / "store.db", shelf.root / "backup")
    hold(bench, ripe)
    reached.note(bench.disk, bench.vault, bench.conn)
    bench.conn.close()
    for left in shelf.root.glob("store.db*"):
        left.unlink()
    shutil.copy(shelf.root / "backup", shelf.root / "store.db")
    bench.conn = bench.connect()

    done = shelf.run()

    assert "older than line" in next(iter(done.stays))
    require_kept(shelf, ripe)


def test_where_the_vault_is_not_mounted_nothing_is_concluded(
    shelf: Shelf, ripe: Docking
) -> None:
    shelf.bench.vault.rename(shelf.root / "elsewhere")
    shelf.bench.vault.mkdir()

    with pytest.raises(VaultUnusable):
        shelf.run()

    shelf.bench.vault.rmdir()
    (shelf.root / "elsewhere").rename(shelf.bench.vault)
    require_kept(shelf, ripe)


# ---- approval ----------------------------------------------------------------


def test_one_person_alone_puts_nothing_in_force(shelf: Shelf) -> None:
    docking = shelf.dock()
    shelf.clock.advance(LONG)
    shelf.approve((1001, "A. Chief"))
    for again in ((1001, "B. Deputy"), (1002, " a. chief "), (1002, "")):
        with pytest.raises(NotAllowed):
            shelf.approve(again)

    shelf.run()

    require_kept(shelf, docking)


def test_a_plan_that_is_another_by_now_is_not_what_was_approved(shelf: Shelf) -> None:
    first = shelf.dock()
    shelf.clock.advance(LONG)
    conn, at = shelf.bench.conn, shelf.clock.now()
    shown = retaining.plan(conn, shelf.config(), shelf.disk, at)
    hold(shelf.bench, first)

    with pytest.raises(NotApproved):
        retaining.approve(
            conn, shelf.config(), shelf.disk, Approval(shown.digest, 1, "A"), at
        )


def test_a_plan_is_the_same_as_long_as_it_shows_the_same(shelf: Shelf) -> None:
    shelf.dock()
    shelf.clock.advance(LONG)
    conn, wish = shelf.bench.conn, shelf.config()
    before = retaining.plan(conn, wish, shelf.disk, shelf.clock.now())
    shelf.clock.advance(timedelta(hours=5))

    after = retaining.plan(conn, wish, shelf.disk, shelf.clock.now())

    assert after.digest == before.digest
    assert (after.files, after.bytes) == (len(SIZES), sum(SIZES.values()))
    assert after.asks == (
        "local copies expire",
        "category traffic is kept 30 days, not for ever",
    )


def test_fewer_days_hold_only_once_they_are_approved_and_more_at_once(
    shelf: Shelf,
) -> None:
    shelf.dock()
    shelf.approve(config=shelf.config(days=90))
    conn, at = shelf.bench.conn, shelf.clock.now()

    assert retaining.in_force(conn, shelf.config(days=30)).days == {"traffic": 90}
    assert retaining.in_force(conn, shelf.config(days=400)).days == {"traffic": 400}
    retaining.enforce(conn, shelf.config(days=400), at)
    assert retaining.in_force(conn, shelf.config(days=90)).days == {"traffic": 400}


def test_nothing_is_approved_by_a_clock_that_nobody_trusts(shelf: Shelf) -> None:
    shelf.dock()
    shelf.clock.trusted = False

    with pytest.raises(NotApproved):
        shelf.approve()

    assert not shelf.approved()


def test_each_word_of_approval_is_on_record(shelf: Shelf, ripe: Docking) -> None:
    lines = [json.loads(line) for line in custody.every(shelf.bench.conn)]

    words = [line for line in lines if line["kind"] == "retention approved"]

    assert [line["actor"] for line in words] == ["A. Chief", "B. Deputy"]
    assert [line["facts"]["uid"] for line in words] == [1001, 1002]
    assert [line["facts"]["holds"] for line in words] == [False, True]
    assert shelf.approved()
    assert told(shelf.bench, ripe.id, "category set") != []


def test_a_destination_that_is_added_later_never_hears_that_the_docking_is_whole(
    shelf: Shelf, ripe: Docking
) -> None:
    from dock_agent.sync.backfill import backfill  # noqa: PLC0415  a part beside it

    shelf.run()
    another_destination(shelf, ripe)

    backfill(
        shelf.bench.conn, shelf.bench.vault, DestinationName("new"), shelf.clock.now()
    )
    confirm_all(shelf.bench, name=DestinationName("new"))

    row = shelf.bench.conn.execute(
        "SELECT state FROM transfer WHERE destination = 'new'"
        " AND state <> 'confirmed' AND path LIKE '%tagmanifest.sig'"
    ).fetchone()
    assert row["state"] == "blocked"


def test_a_card_that_comes_again_is_copied_again(shelf: Shelf, ripe: Docking) -> None:
    shelf.run()

    again = shelf.bench.dock(card(shelf.root / "card", SIZES))

    assert shelf.states(again) == {FileState.VERIFIED}
    assert shelf.there(again) == set(SIZES)
    assert shelf.states(ripe) == {FileState.EXPIRED}
