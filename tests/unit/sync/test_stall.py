"""A destination that trickles is given up; one that is only slow is not."""

from datetime import timedelta

import pytest

from dock_agent.errors import Unreachable
from dock_agent.simulated.clock import ManualClock
from dock_agent.sync.content import unheard
from dock_agent.sync.stall import FLOOR, Stall

PIECE = 64 << 10


def move(watch: Stall, clock: ManualClock, seconds: float, count: int = PIECE) -> None:
    """Let a piece take so long, and tell of the next."""
    clock.advance(timedelta(seconds=seconds))
    watch(count)


def keep_moving(watch: Stall, clock: ManualClock, seconds: float, count: int) -> None:
    """Let a thousand pieces take so long each."""
    for _ in range(1000):
        move(watch, clock, seconds, count)


@pytest.mark.parametrize("count", [100, PIECE, 1 << 20])
def test_what_is_slower_than_the_floor_is_given_up(count: int) -> None:
    clock = ManualClock()
    watch = Stall(clock, unheard)
    seconds = count / (FLOOR * 0.9)

    with pytest.raises(Unreachable, match="slower than 1024 bytes"):
        keep_moving(watch, clock, seconds, count)

    passed = clock.now().monotonic_ns / 1e9
    assert 60 <= passed <= 60 + 2 * seconds


@pytest.mark.parametrize("count", [100, PIECE, 1 << 20])
def test_what_is_a_little_faster_than_the_floor_is_let_go_on(count: int) -> None:
    clock = ManualClock()
    watch = Stall(clock, unheard)

    keep_moving(watch, clock, count / (FLOOR * 1.1), count)


def test_what_was_fast_for_hours_is_given_up_a_minute_after_it_became_a_trickle() -> (
    None
):
    clock = ManualClock()
    watch = Stall(clock, unheard)
    for _ in range(10_000):
        move(watch, clock, 0.5)
    begun = clock.now().monotonic_ns

    with pytest.raises(Unreachable):
        keep_moving(watch, clock, 1, 10)

    assert (clock.now().monotonic_ns - begun) / 1e9 <= 62


def test_a_piece_is_counted_for_the_time_it_took_though_it_was_told_of_before() -> None:
    clock = ManualClock()
    watch = Stall(clock, unheard)

    for _ in range(100):
        move(watch, clock, 0, PIECE)
        move(watch, clock, 62, 1)  # the last byte of a part: the piece before is gone


def test_a_pause_of_less_than_a_minute_is_none() -> None:
    clock = ManualClock()
    watch = Stall(clock, unheard)

    for _ in range(100):
        move(watch, clock, 55)


def test_time_that_our_own_side_took_is_not_counted() -> None:
    clock = ManualClock()

    def brake(count: int) -> None:
        clock.advance(timedelta(seconds=count))

    watch = Stall(clock, brake)

    for _ in range(100):
        move(watch, clock, 0.001, 600)  # 60 bytes a second of theirs, all told


def test_time_in_which_our_own_file_is_read_is_not_counted() -> None:
    clock = ManualClock()
    watch = Stall(clock, unheard)

    for _ in range(20):
        for _ in range(100):
            move(watch, clock, 5, 0)  # a slow disk: minutes for each part
        move(watch, clock, 0, PIECE)
        move(watch, clock, 55, PIECE)


def test_time_before_the_first_bytes_is_not_counted() -> None:
    clock = ManualClock()
    watch = Stall(clock, unheard)

    move(watch, clock, 600, 1)
    move(watch, clock, 1, PIECE)
    move(watch, clock, 1, PIECE)


def test_a_sign_of_life_hides_no_trickle() -> None:
    clock = ManualClock()
    watch = Stall(clock, unheard)

    def trickle() -> None:
        for _ in range(100):
            move(watch, clock, 0, 1000)
            move(watch, clock, 10, 0)  # those bytes took ten seconds
            move(watch, clock, 0, 0)

    with pytest.raises(Unreachable, match="slower than 1024 bytes"):
        trickle()


def test_a_clock_that_steps_back_is_no_stall() -> None:
    clock = ManualClock()
    watch = Stall(clock, unheard)

    for _ in range(100):
        move(watch, clock, -1)


def test_it_holds_no_more_than_a_bucket_a_second() -> None:
    clock = ManualClock()
    watch = Stall(clock, unheard)

    for _ in range(20_000):
        move(watch, clock, 0.01)

    assert len(watch._stretches) <= 130  # noqa: SLF001  its size is the promise
