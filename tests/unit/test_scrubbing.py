"""How the readings of the vault are spread: never in the way, and done in time."""

import os
import threading
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dock_agent.recording import Digest, DockingId, FileId
from dock_agent.scrubbing import Plan, be_last
from dock_agent.store.scrubs import OPENING, Item

NOW = datetime(2026, 3, 5, tzinfo=UTC)
MONTH = timedelta(days=30)
PLAN = Plan(MONTH)


def item(size: int, age: timedelta = timedelta(0)) -> Item:
    """Return a file that was read so long ago."""
    where = "dockings/d/data/1.MP4"
    return Item(
        where,
        DockingId("d"),
        FileId(1),
        size,
        Digest("0" * 64),
        NOW - age,
        "data/1.MP4",
    )


@given(st.lists(st.integers(0, 1 << 40), min_size=1, max_size=200))
def test_one_round_over_the_whole_vault_takes_less_than_the_period(
    sizes: list[int],
) -> None:
    whole = sum(size + OPENING for size in sizes)

    waited = sum(PLAN.pause(item(size), whole) for size in sizes)

    assert waited <= MONTH.total_seconds() * 0.81
    assert waited >= MONTH.total_seconds() * 0.79


def test_what_is_late_is_read_before_the_period_is_over() -> None:
    assert not PLAN.is_late(item(1, 0.89 * MONTH), NOW)
    assert PLAN.is_late(item(1, 0.91 * MONTH), NOW)


def test_what_was_read_lately_is_left_alone() -> None:
    assert PLAN.due_before(NOW) == NOW - timedelta(days=3)


@given(st.integers(0, 1 << 50), st.integers(0, 1 << 50))
def test_a_vault_that_grew_since_it_was_weighed_makes_no_pause_too_long(
    size: int, whole: int
) -> None:
    assert 0 < PLAN.pause(item(size), whole) <= 0.8 * MONTH.total_seconds()


def test_only_the_thread_that_reads_is_served_last() -> None:
    before, told = os.getpriority(os.PRIO_PROCESS, 0), list[int]()

    def work() -> None:
        be_last()
        told.append(os.getpriority(os.PRIO_PROCESS, 0))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert told == [19]
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
