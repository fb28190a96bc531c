"""When to try again, and what may go now: decided from facts, never by sleeping.

Pure.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dock_agent.config_tables import Destination, Window
from dock_agent.recording import Priority

MINUTE = timedelta(minutes=1)
FIRST = timedelta(seconds=2)
CEILING = timedelta(minutes=5)
LEASE = timedelta(minutes=15)  # longer than any step without a sign of life
OWN_CEILING = timedelta(hours=6)  # for an object that fails time after time
GIVE_UP_AFTER = 40  # tries of one object, over days: then a person is asked
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERYTHING = tuple(Priority)


def next_attempt(attempts: int, now: datetime, jitter: float) -> datetime:
    """Return when a destination that failed `attempts` times is tried again.

    The wait is anywhere below a bound that doubles from FIRST to CEILING ("full
    jitter"), so that thousands of stations do not come back at once; a quarter of
    the bound at least. `jitter` is in [0, 1).
    """
    return now + _bound(attempts, CEILING) * (0.25 + 0.75 * jitter)


def due_after(attempts: int, again: datetime, jitter: float) -> datetime:
    """Return when an object that failed `attempts` times before is due again.

    `again` is when its destination is. An object that fails time after time lets
    ever more of the others go first.
    """
    if attempts == 0:
        return again
    return again + _bound(attempts, OWN_CEILING) * (0.5 + jitter / 2)


def _bound(attempts: int, most: timedelta) -> timedelta:
    doublings = min(max(attempts, 1) - 1, 16)
    return min(most, FIRST * (1 << doublings))


def resting(until: datetime | None, now: datetime) -> bool:
    """Whether a destination still rests; a rest longer than any is not believed.

    It was written before the clock was set back.
    """
    longest = CEILING + timedelta(hours=1)  # as long as a destination may ask for
    return until is not None and now < until <= now + longest


@dataclass(frozen=True, slots=True)
class Allowed:
    """What may be sent now, and how fast: bytes a second, 0 for no limit.

    `until` is when that changes by itself; None: never.
    """

    priorities: tuple[Priority, ...]
    rate: int
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """A destination's windows, rates and costs, as the configuration has them."""

    zone: ZoneInfo
    windows: tuple[Window, ...] = ()
    rate: int = 0
    marked_pass: bool = True
    metered: str = "marked"

    @classmethod
    def of(cls, table: Destination, zone: ZoneInfo) -> "Policy":
        """Return the policy of one destination of the configuration."""
        return cls(zone, table.windows, table.rate, table.marked_pass, table.metered)

    def allowed(self, now: datetime, *, metered: bool) -> Allowed:
        """Return what may go at `now` (aware), over a link that costs or not."""
        open_now = [w for w in self.windows if _in(w, now.astimezone(self.zone))]
        priorities: tuple[Priority, ...] = EVERYTHING
        if self.windows and not open_now:
            priorities = (Priority.MARKED,) if self.marked_pass else ()
        if metered and self.metered != "all":
            marked = self.metered == "marked"
            priorities = tuple(p for p in priorities if marked and p is Priority.MARKED)
        rates = [window.rate or self.rate for window in open_now] or [self.rate]
        return Allowed(priorities, 0 if 0 in rates else max(rates), self._changes(now))

    def _changes(self, now: datetime) -> datetime | None:
        """Return when the next window opens or closes, or the clock is changed."""
        if not self.windows:
            return None
        today = now.astimezone(self.zone).date()
        days = [today + timedelta(days=n) for n in range(-1, 8)]
        edges = {
            edge
            for day in days
            for window in self.windows
            for edge in _edges(window, day, self.zone)
        }
        edges |= {edge for day in days for edge in _shift(day, self.zone)}
        return min((edge for edge in edges if edge > now), default=None)


def _in(window: Window, local: datetime) -> bool:
    """Whether a window is open at this local time; one past midnight is yesterday's."""
    begin, end = _clock(window.begin), _clock(window.end)
    today = DAYS[local.weekday()] in _days(window)
    yesterday = DAYS[local.weekday() - 1] in _days(window)
    moment = local.time()
    if begin < end:
        return today and begin <= moment < end
    return (today and moment >= begin) or (yesterday and moment < end)


def _edges(window: Window, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield when a window of that day opens and closes, in UTC.

    An hour that the clock shows twice has both; of one that it leaves out, `_shift`
    tells.
    """
    if DAYS[day.weekday()] not in _days(window):
        return
    begin, end = _clock(window.begin), _clock(window.end)
    last = day if begin < end else day + timedelta(days=1)
    for on, at in ((day, begin), (last, end)):
        for fold in (0, 1):
            local = datetime.combine(on, at.replace(fold=fold), zone)
            yield local.astimezone(UTC)


def _shift(day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield when the clock is changed on a day, in UTC, to the minute."""
    begin, end = (
        datetime.combine(day + timedelta(days=n), time(), zone) for n in range(2)
    )
    first, after = begin.astimezone(UTC), end.utcoffset()
    if begin.utcoffset() == after:
        return
    minutes = range((end.astimezone(UTC) - first) // MINUTE)
    yield first + MINUTE * bisect_left(
        minutes,
        True,  # noqa: FBT003  what is looked for
        key=lambda n: (first + n * MINUTE).astimezone(zone).utcoffset() == after,
    )


def _days(window: Window) -> frozenset[str]:
    found: set[str] = set()
    for part in window.days.split(","):
        first, _, last = part.partition("-")
        at = DAYS.index(first)
        while True:
            found.add(DAYS[at])
            if DAYS[at] == (last or first):
                break
            at = (at + 1) % len(DAYS)
    return frozenset(found)


def _clock(text: str) -> time:
    hours, minutes = text.split(":")
    return time(int(hours), int(minutes))
