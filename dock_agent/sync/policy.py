"""When to try again: decided from facts, never by sleeping. Pure."""

from datetime import datetime, timedelta

FIRST = timedelta(seconds=2)
CEILING = timedelta(minutes=5)
LEASE = timedelta(minutes=5)  # how long a worker holds a row without a sign of life


def next_attempt(attempts: int, now: datetime, jitter: float) -> datetime:
    """Return when a destination that failed `attempts` times is tried again.

    Doubles from FIRST to CEILING, spread over the upper half so that thousands
    of stations do not come back at once. `jitter` is in [0, 1).
    """
    doublings = min(max(attempts, 1) - 1, 16)
    delay = min(CEILING, FIRST * (1 << doublings))
    return now + delay * (0.5 + jitter / 2)
