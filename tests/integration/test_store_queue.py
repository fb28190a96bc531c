"""The queue: what is claimed, in which order, what confirms it, what frees a seal."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent.clock import stamp
from dock_agent.errors import LeaseLost
from dock_agent.recording import Priority, Proof, TransferState
from dock_agent.store import (
    backlog,
    confirmations,
    custody,
    files,
    orders,
    transfers,
)
from dock_agent.store.backlog import Waiting
from dock_agent.store.confirmations import Confirmed
from dock_agent.store.db import transaction
from dock_agent.store.orders import Which
from dock_agent.store.transfers import NewTransfer, Step
from support.books import DIGEST, LEASE, MAIN, NAS, THIEF, Books, ident

MINUTE = timedelta(minutes=1)


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    made.open()
    yield made
    made.close()


def states(books: Books) -> dict[str, str]:
    rows = books.conn.execute(
        "SELECT key, state FROM transfer WHERE destination='main'"
    )
    return {row["key"]: row["state"] for row in rows}


def plan(books: Books, statement: str) -> str:
    rows = books.conn.execute(f"EXPLAIN QUERY PLAN {statement}")
    return "; ".join(row["detail"] for row in rows)


def statements(books: Books) -> list[str]:
    """Return the reads and writes of one claim, with their values in place."""
    heard: list[str] = []
    books.conn.set_trace_callback(heard.append)
    books.claim()
    books.conn.set_trace_callback(None)
    return [one for one in heard if one.startswith(("SELECT", "UPDATE"))]


def test_what_is_queued_twice_is_there_once(books: Books) -> None:
    books.add(ident(1), "a")
    first = books.claimed()
    books.add(ident(1), "a")

    assert states(books) == {"a": "sending"}
    assert books.claim() is None
    assert first.key == "a"


def test_marked_evidence_goes_first_then_what_has_waited_longest(books: Books) -> None:
    for number, priority in enumerate((2, 2, 1, 2, 1)):
        new = NewTransfer(
            ident(1), "p", str(number), 1, DIGEST, priority=Priority(priority)
        )
        with transaction(books.conn):
            transfers.add(books.conn, new, [MAIN], books.at)
        books.clock.advance(MINUTE)

    order = [books.claimed().key for _ in range(5)]

    assert order == ["2", "4", "0", "1", "3"]
    assert books.claim() is None


def test_a_destination_is_given_only_its_own(books: Books) -> None:
    books.add(ident(1), "a", to=[MAIN, NAS])

    assert books.claimed(MAIN).destination == MAIN
    assert books.claimed(NAS).destination == NAS
    assert books.claim(MAIN) is None


def test_what_is_postponed_stands_in_nobody_s_way_and_is_tried_when_it_is_due(
    books: Books,
) -> None:
    new = NewTransfer(ident(1), "p", "marked", 1, DIGEST, priority=Priority.MARKED)
    with transaction(books.conn):
        transfers.add(books.conn, new, [MAIN], books.at)
    books.add(ident(1), "normal")
    marked = books.claimed()
    with transaction(books.conn):
        transfers.postpone(books.conn, marked, books.at.utc + MINUTE, "no answer")

    assert books.claimed().key == "normal"
    assert books.claim() is None
    books.clock.advance(MINUTE)
    again = books.claimed()

    assert (again.key, again.attempts) == ("marked", 1)


def test_a_lease_that_ran_out_is_taken_back_with_what_was_reached(books: Books) -> None:
    books.add(ident(1), "a")
    lost = books.claimed()
    step = Step("upload 7", 1, [(1, "e1"), (2, "e2")], 50)
    with transaction(books.conn):
        transfers.remember(books.conn, lost, step)
    books.clock.advance(LEASE)

    found = books.claimed()

    assert (found.id, found.upload, found.generation) == (lost.id, "upload 7", 1)
    assert found.sent == 50
    assert transfers.acknowledged(books.conn, found) == ((1, "e1"), (2, "e2"))


def test_a_lease_that_is_renewed_is_kept(books: Books) -> None:
    books.add(ident(1), "a")
    held = books.claimed()
    books.clock.advance(LEASE - MINUTE)
    with transaction(books.conn):
        transfers.renew(books.conn, held, books.at.utc + LEASE)
    books.clock.advance(MINUTE)

    assert books.claim() is None


def test_a_part_that_is_acknowledged_again_is_known_once(books: Books) -> None:
    books.add(ident(1), "a")
    held = books.claimed()
    with transaction(books.conn):
        transfers.remember(books.conn, held, Step("u", 0, [(1, "old")], 8))
        transfers.remember(books.conn, held, Step("u", 0, [(1, "new")], 8))

    assert transfers.acknowledged(books.conn, held) == ((1, "new"),)


@pytest.mark.parametrize("what", ["renew", "remember", "confirm", "postpone", "refuse"])
def test_a_row_that_nobody_is_sending_is_not_reported_on(
    books: Books, what: str
) -> None:
    books.add(ident(1), "a")
    held = books.claimed()
    books.confirm(held)
    before = custody.log(books.conn)
    doing = {
        "renew": lambda: transfers.renew(books.conn, held, books.at.utc),
        "remember": lambda: transfers.remember(books.conn, held, Step("u", 0, [], 1)),
        "confirm": lambda: confirmations.confirm(
            books.conn, held, Confirmed(Proof.ECHOED, DIGEST), books.at
        ),
        "postpone": lambda: transfers.postpone(books.conn, held, books.at.utc, "late"),
        "refuse": lambda: transfers.refuse(books.conn, held, "late", books.at),
    }

    with pytest.raises(LeaseLost, match="no longer"), transaction(books.conn):
        doing[what]()

    assert custody.log(books.conn) == before
    assert states(books) == {"a": "confirmed"}


def test_a_confirmation_says_on_what_it_rests(books: Books) -> None:
    books.add(ident(1), "a")
    told = Confirmed(Proof.ECHOED, DIGEST, etag="e", version="v")
    held = books.claimed()
    with transaction(books.conn):
        confirmations.confirm(books.conn, held, told, books.at)

    (facts,) = books.facts(ident(1), "confirmed")
    assert facts == {
        "destination": "main",
        "key": "a",
        "sha256": DIGEST,
        "proof": "echoed",
        "etag": "e",
        "version": "v",
    }


def test_a_refusal_waits_for_a_person_and_is_tried_once_more_for_them(
    books: Books,
) -> None:
    books.add(ident(1), "a")
    held = books.claimed()
    with transaction(books.conn):
        transfers.refuse(books.conn, held, "403", books.at)
    books.clock.advance(timedelta(days=400))

    assert books.claim() is None
    assert backlog.waiting(books.conn).refused == 1
    (row,) = books.conn.execute("SELECT id FROM transfer")
    with transaction(books.conn):
        orders.ask_again(books.conn, Which(ids=[row["id"]]), books.at)

    assert books.claimed().key == "a"
    assert books.facts(ident(1), "refused")[0]["reason"] == "403"


def test_a_seal_s_signature_is_sent_after_everything_else_of_its_docking(
    books: Books,
) -> None:
    books.open(2)
    for number in range(3):
        books.add(ident(1), f"{number}")
    books.add(ident(2), "other docking")
    books.add(ident(1), "tagmanifest.sig", TransferState.BLOCKED)
    order = []

    while (found := books.claim()) is not None:
        if found.docking == ident(1):
            order.append(found.key)
            books.confirm(found)

    assert order == ["0", "1", "2", "tagmanifest.sig"]


@pytest.mark.parametrize("to", ["refused", "queued", "sending"])
def test_a_seal_s_signature_is_not_sent_while_anything_is_not_confirmed(
    books: Books, to: str
) -> None:
    for key in ("a", "b"):
        books.add(ident(1), key)
    books.add(ident(1), "sig", TransferState.BLOCKED)
    a, b = books.claimed(), books.claimed()
    with transaction(books.conn):
        if to == "refused":
            transfers.refuse(books.conn, a, "no", books.at)
        if to == "queued":
            later = books.at.utc + MINUTE
            transfers.postpone(books.conn, a, later, "no")

    books.confirm(b)

    assert states(books)["sig"] == "blocked"


def test_one_destination_does_not_free_the_seal_at_another(books: Books) -> None:
    books.add(ident(1), "a", to=[MAIN, NAS])
    books.add(ident(1), "sig", TransferState.BLOCKED, to=[MAIN, NAS])

    books.confirm(books.claimed(MAIN))

    assert books.claimed(MAIN).key == "sig"
    assert books.claimed(NAS).key == "a"
    assert books.claim(NAS) is None


def test_a_file_put_in_quarantine_is_not_sent_and_does_not_keep_the_seal(
    books: Books,
) -> None:
    file = books.verified(ident(1))
    books.add(ident(1), "b")
    books.add(ident(1), "sig", TransferState.BLOCKED)
    with transaction(books.conn):
        files.quarantined(books.conn, file, "differs", books.at)
        orders.withdraw(books.conn, file, books.at)

    order = []
    while (found := books.claim()) is not None:
        order.append(found.key)
        books.confirm(found)

    assert order == ["b", "sig"]
    assert sorted(states(books).values()) == ["confirmed", "confirmed", "withdrawn"]
    assert backlog.waiting(books.conn) == Waiting(0, 0, 0, None)
    assert backlog.queue(books.conn, books.at.utc) == []


def test_what_waits_is_summed_up_as_it_is(books: Books) -> None:
    first = books.at.utc
    books.add(ident(1), "a", to=[MAIN, NAS])
    books.clock.advance(MINUTE)
    books.add(ident(1), "b")
    assert backlog.waiting(books.conn) == Waiting(3, 300, 0, first)

    books.confirm(books.claimed(MAIN))
    books.confirm(books.claimed(NAS))

    assert backlog.waiting(books.conn) == Waiting(1, 100, 0, first + MINUTE)
    assert backlog.confirmed(books.conn) == 2
    (line,) = backlog.queue(books.conn, books.at.utc)
    assert (line.destination, line.count, line.oldest) == (MAIN, 1, first + MINUTE)


def test_an_empty_queue_has_no_oldest(books: Books) -> None:
    assert backlog.waiting(books.conn) == Waiting(0, 0, 0, None)
    assert backlog.queue(books.conn, books.at.utc) == []


def test_a_claim_seeks_and_never_sorts(books: Books) -> None:
    for number in range(50):
        books.add(ident(1), str(number))
    books.conn.execute("ANALYZE")

    plans = [plan(books, one) for one in statements(books)]

    assert any("USING INDEX transfer_queued (destination=? AND" in p for p in plans)
    assert any("USING INDEX transfer_sending (destination=?)" in p for p in plans)
    for found in plans:
        assert "SCAN" not in found
        assert "TEMP B-TREE" not in found


def test_a_claim_looks_at_no_more_rows_when_a_thousand_are_postponed(
    books: Books,
) -> None:
    def steps() -> int:
        books.add(ident(1), f"due {backlog.waiting(books.conn).count}")
        count = 0

        def tick() -> int:
            nonlocal count
            count += 1
            return 0

        books.conn.set_progress_handler(tick, 1)
        books.claimed()
        books.conn.set_progress_handler(None, 1)
        return count

    alone = steps()
    for number in range(1000):
        new = NewTransfer(
            ident(1), "p", f"late {number}", 1, DIGEST, priority=Priority.MARKED
        )
        with transaction(books.conn):
            transfers.add(books.conn, new, [MAIN], books.at)
    later = stamp(books.at.utc + timedelta(hours=1))
    books.conn.execute("UPDATE transfer SET due = ? WHERE priority = 1", (later,))

    among_many = steps()

    assert among_many < alone * 1.5


def test_a_confirmation_looks_at_no_more_rows_when_a_thousand_wait(
    books: Books,
) -> None:
    def steps() -> int:
        books.add(ident(1), f"due {backlog.waiting(books.conn).count}")
        held, count = books.claimed(), 0

        def tick() -> int:
            nonlocal count
            count += 1
            return 0

        books.conn.set_progress_handler(tick, 1)
        books.confirm(held)
        books.conn.set_progress_handler(None, 1)
        return count

    alone = steps()
    for number in range(1000):
        books.add(ident(1), f"waits {number}")
    books.conn.execute("UPDATE transfer SET rank = 1 WHERE key LIKE 'waits%'")

    assert steps() < alone * 1.5


def test_what_a_killed_worker_held_is_not_called_being_sent(books: Books) -> None:
    books.add(ident(1), "first")
    begun = books.at.utc
    books.clock.advance(MINUTE)
    for key in ("second", "third"):
        books.add(ident(1), key)
    books.claimed()
    books.clock.advance(LEASE - MINUTE)
    books.claimed(owner=THIEF)
    both = backlog.queue(books.conn, books.at.utc)
    books.clock.advance(MINUTE)

    after = backlog.queue(books.conn, books.at.utc)

    told = [(line.state, line.count, line.size, line.oldest) for line in after]
    assert [(line.state, line.count) for line in both] == [
        ("queued", 1),
        ("sending", 2),
    ]
    assert told == [
        ("queued", 2, 200, begun),
        ("sending", 1, 100, begun + MINUTE),
    ]


def test_a_lease_from_before_the_clock_was_set_back_does_not_last(
    books: Books,
) -> None:
    books.add(ident(1), "a")
    books.claimed()

    (line,) = backlog.queue(books.conn, books.at.utc - timedelta(days=2))

    assert line.state is TransferState.QUEUED


def test_the_sums_are_read_and_not_counted(books: Books) -> None:
    for number in range(20):
        books.add(ident(1), str(number))
    heard: list[str] = []
    books.conn.set_trace_callback(heard.append)
    backlog.waiting(books.conn)
    backlog.queue(books.conn, books.at.utc)
    books.conn.set_trace_callback(None)

    plans = [plan(books, statement) for statement in heard]
    sums = [found for found in plans if "transfer_sending" not in found]
    assert len(sums) == len(plans) - 1  # what is being sent is a handful of rows
    for found in sums:
        assert "SCAN backlog" in found
        assert "transfer USING COVERING INDEX transfer_unsent" in found
        assert "SCAN transfer" not in found


def test_every_event_of_a_transfer_is_about_its_docking(books: Books) -> None:
    books.verified(ident(1))
    books.confirm(books.claimed())

    lines = [json.loads(line) for line in custody.lines(books.conn, ident(1))]

    assert [line["kind"] for line in lines] == [
        "docked",
        "listed",
        "verified",
        "confirmed",
    ]
    assert [line["docking_seq"] for line in lines] == [1, 2, 3, 4]
