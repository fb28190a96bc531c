"""How many bytes moved, and how fast, in virtual time and from many threads."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from dock_agent.simulated.clock import ManualClock
from dock_agent.sync.meter import Meter, Reading, Way

SECOND = timedelta(seconds=1)


def move(meter: Meter, clock: ManualClock, seconds: int, rate: int) -> None:
    """Send at a rate for so long."""
    count = meter.moving(Way.SENT)
    for _ in range(seconds):
        count(rate)
        clock.advance(SECOND)


def test_bytes_are_counted_each_way() -> None:
    meter = Meter(ManualClock())

    meter.moving(Way.SENT)(3)
    meter.moving(Way.FETCHED)(4)
    meter.moving(Way.SENT)(5)

    assert (meter.read().sent, meter.read().fetched) == (8, 4)


def test_goodput_is_true_from_the_first_seconds() -> None:
    clock = ManualClock()
    meter = Meter(clock)

    move(meter, clock, 5, 1000)

    assert meter.goodput() == 1000


def test_goodput_is_that_of_the_last_half_minute() -> None:
    clock = ManualClock()
    meter = Meter(clock)

    move(meter, clock, 100, 1_000_000)
    move(meter, clock, 15, 0)
    assert meter.goodput() == 500_000
    move(meter, clock, 15, 1000)

    assert meter.goodput() == 500


def test_goodput_falls_to_nothing_while_nothing_moves() -> None:
    clock = ManualClock()
    meter = Meter(clock)
    move(meter, clock, 60, 1000)

    clock.advance(timedelta(seconds=31))

    assert meter.read() == Reading(60_000, 0, 0)


def test_a_reading_is_told_once_a_second_while_bytes_move() -> None:
    clock, told = ManualClock(), list[Reading]()
    meter = Meter(clock, told.append)
    count = meter.moving(Way.SENT)

    for _ in range(40):
        count(100)
        clock.advance(SECOND / 10)

    assert len(told) == 4
    assert [reading.goodput for reading in told] == [0, 1000, 1000, 1000]


def test_no_byte_of_any_thread_is_lost() -> None:
    meter, threads, moves = Meter(ManualClock()), 8, 5000
    together = threading.Barrier(threads)

    def send() -> None:
        together.wait()
        count = meter.moving(Way.SENT)
        for _ in range(moves):
            count(1)

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(send) for _ in range(threads)]:
            done.result()

    assert meter.read().sent == threads * moves
