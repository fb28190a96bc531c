"""Lengths of time, sizes and instants in words. Pure."""

import math
from datetime import datetime
from zoneinfo import ZoneInfo

MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds


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
    if minutes > 10:
        minutes = math.ceil(minutes / 5) * 5
    return _hours(minutes)


def age_words(seconds: float) -> str:
    """Return how long something has lasted, in at most two units."""
    if seconds < MINUTE:
        return "under 1 min"
    if seconds < DAY:
        return _hours(int(seconds // MINUTE))
    days, rest = divmod(int(seconds), DAY)
    named = "1 day" if days == 1 else f"{days} days"
    hours = rest // HOUR
    return f"{named} {hours} h" if hours and days < 10 else named


def _hours(minutes: int) -> str:
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def size_words(count: int) -> str:
    """Return bytes in decimal units, rounded down to three digits."""
    value, units = float(count), iter(("B", "kB", "MB", "GB", "TB", "PB"))
    unit = next(units)
    while value >= 1000 and unit != "PB":
        value, unit = value / 1000, next(units)
    if unit == "B" or value >= 100:
        return f"{math.floor(value)} {unit}"
    return f"{math.floor(value * 10) / 10:.1f} {unit}"


def clock_words(instant: datetime, zone: ZoneInfo) -> str:
    """Return the time of day at the station: 06:58:12."""
    return instant.astimezone(zone).strftime("%H:%M:%S")


def moment_words(instant: datetime, zone: ZoneInfo) -> str:
    """Return day and time at the station, zone named: 2026-11-23 06:58:12 GMT."""
    return instant.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z")
