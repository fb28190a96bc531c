"""Lengths of time, sizes and instants in words: the page's and the commands'. Pure."""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds
COARSE = 10  # minutes: above, an estimate is given in steps of five
YEAR = 365  # days
WEEKS = 10  # days: above, hours are not worth saying
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


def eta_words(seconds: float | None) -> str | None:
    """Return how long it still takes, never less than is known; None if unknown.

    Rounded up: to minutes below ten, to five minutes above, so that it does not
    flicker.
    """
    if seconds is None or seconds < 0:
        return None
    if seconds < MINUTE:
        return "under 1 min"
    minutes = math.ceil(seconds / MINUTE)
    return _hours(minutes if minutes <= COARSE else math.ceil(minutes / 5) * 5)


def age_words(seconds: float) -> str:
    """Return how long something has lasted, in at most two units."""
    if seconds < MINUTE:
        return "under 1 min"
    if seconds < DAY:
        return _hours(int(seconds // MINUTE))
    days, rest = divmod(int(seconds), DAY)
    named, hours = "1 day" if days == 1 else f"{days} days", rest // HOUR
    return f"{named} {hours} h" if hours and days < WEEKS else named


def lasts_words(days: float) -> str:
    """Return how long something lasts: nobody's pace is known for years."""
    return "more than a year" if days > YEAR else f"about {age_words(days * DAY)}"


def ago_words(seconds: float) -> str:
    """Return how long ago something was: to the second while that says more."""
    return f"{int(seconds)} s" if 0 <= seconds < MINUTE else age_words(seconds)


def _hours(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    if not hours:
        return f"{rest} min"
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def size_words(count: int) -> str:
    """Return bytes in decimal units, rounded down, so that room is never too much."""
    power = min(max(0, len(str(count)) - 1) // 3, len(UNITS) - 1)
    whole, rest = divmod(count, 1000**power)
    if not power or len(str(whole)) > 2:  # noqa: PLR2004  three digits say enough
        return f"{whole} {UNITS[power]}"
    return f"{whole}.{rest * 10 // 1000**power} {UNITS[power]}"


def clock_words(instant: datetime, zone: ZoneInfo) -> str:
    """Return the time of day at the station: 06:58:12."""
    return instant.astimezone(zone).strftime("%H:%M:%S")


def moment_words(instant: datetime, zone: ZoneInfo) -> str:
    """Return day and time at the station, zone named: 2026-11-23 06:58:12 GMT."""
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")
