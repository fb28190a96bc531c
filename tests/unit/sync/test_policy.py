"""When a silent destination is tried again."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from dock_agent.simulated.clock import BEGIN
from dock_agent.sync.policy import CEILING, FIRST, due_after, next_attempt, resting

JITTER = st.floats(0, 1, exclude_max=True)


@given(st.integers(0, 10**9), JITTER)
def test_the_next_attempt_is_never_at_once_and_never_past_the_ceiling(
    attempts: int, jitter: float
) -> None:
    wait = next_attempt(attempts, BEGIN, jitter) - BEGIN

    assert FIRST / 2 <= wait <= CEILING


def test_the_wait_doubles_until_the_ceiling() -> None:
    waits = [next_attempt(n, BEGIN, 0.0) - BEGIN for n in range(1, 12)]

    assert waits[:3] == [timedelta(seconds=s) for s in (1, 2, 4)]
    assert waits[-1] == CEILING / 2
    assert waits == sorted(waits)


@given(st.integers(0, 40), JITTER)
def test_stations_spread_over_the_upper_half_of_the_wait(
    attempts: int, jitter: float
) -> None:
    earliest = next_attempt(attempts, BEGIN, 0.0) - BEGIN

    wait = next_attempt(attempts, BEGIN, jitter) - BEGIN

    assert earliest <= wait <= 2 * earliest


def test_a_destination_rests_until_its_time_and_not_after() -> None:
    until = BEGIN + timedelta(seconds=2)

    assert resting(until, BEGIN)
    assert not resting(until, until)
    assert not resting(None, BEGIN)


def test_a_rest_from_before_the_clock_was_set_back_is_not_believed() -> None:
    assert not resting(BEGIN + timedelta(days=365), BEGIN)


@given(st.integers(0, 10**9))
def test_an_object_that_fails_again_and_again_lets_the_others_go_first(
    attempts: int,
) -> None:
    due = due_after(attempts, BEGIN)

    assert BEGIN <= due <= BEGIN + CEILING
    assert (due > BEGIN) is (attempts > 0)
