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


def resting(until: datetime | None, now: datetime) -> bool:
    """Whether a destination still rests; a rest longer than any is not believed.

    It was written before the clock was set back.
    """
    return until is not None and now < until <= now + CEILING


def due_after(attempts: int, again: datetime) -> datetime:
    """Return when an object that failed `attempts` times before is due again.

    `again` is when its destination is. An object that fails time after time
    lets the others go first, so that it cannot keep the destination to itself.
    """
    return again if attempts == 0 else next_attempt(attempts, again, 0.0)
