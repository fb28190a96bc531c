"""The clock of stories stands still until it is told otherwise."""

from datetime import timedelta

from dock_agent.clock import ulid
from dock_agent.simulated.clock import BEGIN, ManualClock


def test_time_stands_still_until_it_is_told_to_pass() -> None:
    clock = ManualClock()

    first, second = clock.now(), clock.now()

    assert first == second
    assert first.utc == BEGIN


def test_every_reading_moves_by_what_passed() -> None:
    clock = ManualClock()
    before = clock.now()

    clock.advance(timedelta(days=7, microseconds=1))

    after = clock.now()
    assert after.utc - before.utc == timedelta(days=7, microseconds=1)
    assert after.monotonic_ns - before.monotonic_ns == 604_800_000_001_000
    assert after.boot == before.boot


def test_equal_seeds_give_equal_identifiers_and_others_do_not() -> None:
    first, second, other = ManualClock(seed=1), ManualClock(seed=1), ManualClock(seed=2)

    named = [[ulid(clock) for _ in range(3)] for clock in (first, second, other)]

    assert named[0] == named[1]
    assert set(named[0]).isdisjoint(named[2])
    assert len(set(named[0])) == 3


def test_it_can_say_that_it_was_never_set() -> None:
    clock = ManualClock()

    clock.trusted = False

    assert not clock.now().trusted
    assert ManualClock().now().trusted


def test_a_reading_of_the_monotonic_clock_alone_says_the_same() -> None:
    clock = ManualClock()
    clock.advance(timedelta(seconds=3, microseconds=7))

    assert clock.monotonic_ns() == clock.now().monotonic_ns == 3_000_007_000
