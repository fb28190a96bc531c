"""When a silent destination is tried again."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from dock_agent.simulated.clock import BEGIN
from dock_agent.sync.policy import CEILING, FIRST, next_attempt

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
