"""Orders to keep a docking: who, why, and in the log."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.errors import NoSuchDocking, NotAllowed
from dock_agent.recording import DockingId
from dock_agent.store import holds
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Docking
from dock_agent.store.holds import Hold
from support.bench import Bench
from support.cards import card
from support.erasing import told


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def docking(bench: Bench, tmp_path: Path) -> Docking:
    return bench.dock(card(tmp_path / "card", {"DCIM/1.MP4": 100}))


def place(bench: Bench, hold: Hold) -> None:
    with transaction(bench.conn) as conn:
        holds.place(conn, hold, bench.clock.now())


def test_an_order_and_its_end_are_on_record_with_who_and_why(
    bench: Bench, docking: Docking
) -> None:
    order = Hold(docking.id, "A. Judge", "case 7")
    place(bench, order)
    assert holds.every(bench.conn) == [order]

    with transaction(bench.conn) as conn:
        end = Hold(docking.id, "B. Clerk", "case closed")
        holds.lift(conn, end, bench.clock.now())

    assert holds.every(bench.conn) == []
    (placed,), (lifted,) = (
        told(bench, docking.id, kind) for kind in ("hold placed", "hold lifted")
    )
    assert (placed["actor"], placed["facts"]) == ("A. Judge", {"reason": "case 7"})
    assert (lifted["actor"], lifted["facts"]["reason"]) == ("B. Clerk", "case closed")


def test_a_second_order_leaves_the_first_as_it_is(
    bench: Bench, docking: Docking
) -> None:
    first = Hold(docking.id, "A. Judge", "case 7")
    place(bench, first)

    place(bench, Hold(docking.id, "C. Other", "case 8"))

    assert holds.every(bench.conn) == [first]
    assert len(told(bench, docking.id, "hold placed")) == 1


@pytest.mark.parametrize(("by", "why"), [("", "case 7"), ("A. Judge", "  ")])
def test_an_order_needs_a_name_and_a_reason(
    bench: Bench, docking: Docking, by: str, why: str
) -> None:
    with pytest.raises(NotAllowed):
        place(bench, Hold(docking.id, by, why))

    assert holds.every(bench.conn) == []


def test_what_nobody_knows_cannot_be_kept(bench: Bench) -> None:
    with pytest.raises(NoSuchDocking):
        place(bench, Hold(DockingId("nobody"), "A. Judge", "case 7"))
