"""The brake, in virtual time, and under real threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from dock_agent.clock import SystemClock
from dock_agent.simulated.clock import ManualClock
from dock_agent.sync.brake import BURST, BURST_S, NAP, Brake
from support.place_simulated import waiting

PIECE = 64 << 10
MIB = 1 << 20


def taken_in(
    brake: Brake, clock: ManualClock, seconds: float, piece: int = PIECE
) -> int:
    """Take piece after piece for so long; return how many bytes that were."""
    end = clock.now().utc + timedelta(seconds=seconds)
    taken = 0
    while clock.now().utc < end:
        brake.take(piece)
        taken += piece
    return taken


@pytest.mark.parametrize("rate", [256_000, 4_000_000, 100_000_000])
def test_a_rate_is_true_within_two_percent_over_ten_seconds(rate: int) -> None:
    clock = ManualClock()
    brake = Brake(clock, waiting(clock), rate)

    taken = taken_in(brake, clock, 10, min(PIECE, rate // 100))

    assert taken == pytest.approx(10 * rate, rel=0.02)


@pytest.mark.parametrize("rate", [256_000, 4_000_000, 100_000_000])
def test_what_an_idle_hour_saves_up_is_still_within_two_percent(rate: int) -> None:
    clock = ManualClock()
    brake = Brake(clock, waiting(clock), rate)
    brake.take(PIECE)
    clock.advance(timedelta(hours=1))

    taken = taken_in(brake, clock, 10, min(PIECE, rate // 100))

    assert taken <= 10 * rate * 1.02


@pytest.mark.parametrize("rate", [1000, 1_000_000, 1_000_000_000])
def test_a_burst_is_no_more_than_a_second_or_a_mebibyte(rate: int) -> None:
    clock, waits = ManualClock(), [0.0]
    brake = Brake(clock, waits.append, rate)
    clock.advance(timedelta(days=1))

    brake.take(min(rate // 10, BURST))
    assert waits == [0.0]

    with pytest.raises(StopIteration):
        Brake(clock, stop, rate).take(min(rate, BURST) + 1)


def test_without_a_rate_nobody_waits() -> None:
    clock = ManualClock()
    brake = Brake(clock, stop)

    brake.take(1 << 40)

    assert clock.now() == ManualClock().now()


def test_a_rate_that_changes_holds_at_once_for_those_who_wait() -> None:
    clock = ManualClock()
    slept: list[float] = []

    def wait(seconds: float) -> None:
        slept.append(seconds)
        clock.advance(timedelta(seconds=seconds))
        if len(slept) == 3:
            brake.limit(0)

    brake = Brake(clock, wait, 1)

    brake.take(MIB)  # twelve days, at that rate

    assert sum(slept) <= 3 * NAP


@pytest.mark.parametrize(("before", "after"), [(0, 1_000_000), (50_000_000, 100_000)])
def test_a_rate_that_is_lowered_holds_from_then_on(before: int, after: int) -> None:
    clock = ManualClock()
    brake = Brake(clock, waiting(clock), before)
    brake.take(10 * MIB)
    brake.limit(after)

    taken = taken_in(brake, clock, 10, 1000)

    assert taken == pytest.approx(10 * after, rel=0.02)


def test_what_the_wait_raises_ends_the_sending() -> None:
    with pytest.raises(StopIteration):
        Brake(ManualClock(), stop, 1000).take(MIB)


def test_a_clock_that_is_coarse_does_not_keep_a_thread_for_ever() -> None:
    clock = ManualClock()
    brake = Brake(clock, waiting(clock), 3)

    for _ in range(100):
        brake.take(1)

    assert clock.now().monotonic_ns == pytest.approx(100 / 3 * 1e9, rel=0.02)


def test_all_threads_of_a_destination_share_one_rate() -> None:
    clock, idle = SystemClock(), threading.Event()
    rate, threads, pieces, piece = 4_000_000, 4, 10, 50_000
    brake = Brake(clock, idle.wait, rate)
    begun = clock.now().monotonic_ns

    def send() -> None:
        for _ in range(pieces):
            brake.take(piece)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(send) for _ in range(threads)]:
            done.result()

    seconds = (clock.now().monotonic_ns - begun) / 1e9
    assert seconds >= threads * pieces * piece / rate - BURST_S


def stop(seconds: float) -> None:
    """End the sending instead of waiting."""
    del seconds
    raise StopIteration
