"""A receiver's log as a track: NMEA 0183 sentences (4.11) of any constellation.

Read are RMC, GGA, GNS, GSA and GSV. A sentence without a right checksum is counted
and not believed: a torn log is usual where a camera lost its power.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from dock_agent.media.track import Point

KNOT = 1852 / 3600  # metres a second
TALKERS = {
    b"GP": "GPS",
    b"GL": "GLONASS",
    b"GA": "Galileo",
    b"GB": "BeiDou",
    b"BD": "BeiDou",
    b"GQ": "QZSS",
    b"QZ": "QZSS",
    b"GI": "NavIC",
}
LONGEST = 255  # bytes: the standard has 82, receivers write more
CENTURY = 80  # years below it are of this century: GPS began in 1980
HALF_A_DAY = timedelta(hours=12)
Fields = list[bytes]


@dataclass(slots=True)
class Heard:
    """What a log is made of: sentences that are right, wrong, without a checksum."""

    right: int = 0
    wrong: int = 0
    unchecked: int = 0


def points(lines: Iterable[bytes], heard: Heard | None = None) -> Iterator[Point]:
    """Give a point for each moment of the log that has a position, in its order.

    `heard`, if given, counts the sentences. Nothing is raised, whatever the bytes.
    """
    count, reader = heard or Heard(), _Reader()
    for line in lines:
        start = line.rfind(b"$")  # a sentence may begin anew within another
        if start < 0 or line.startswith(b"#"):
            continue
        body, star, rest = line[start + 1 : start + 1 + LONGEST].rpartition(b"*")
        if not star:
            count.unchecked += 1
        elif not _is(checksum(body), rest[:2]):
            count.wrong += 1
        else:
            count.right += 1
            if (point := reader.hear(body.split(b","))) is not None:
                yield point
    if (point := reader.end()) is not None:
        yield point


def checksum(body: bytes) -> int:
    """Return the exclusive or of all bytes between `$` and `*` (at most 256)."""
    total = int.from_bytes(body, "little")
    total ^= total >> 1024
    total ^= total >> 512
    total ^= total >> 256
    total ^= total >> 128
    total ^= total >> 64
    total ^= total >> 32
    total ^= total >> 16
    return (total ^ total >> 8) & 0xFF


def _is(total: int, written: bytes) -> bool:
    try:
        return total == int(written, 16)
    except ValueError:
        return False


@dataclass(slots=True)
class _Epoch:
    """One moment: what its sentences said of it."""

    clock: bytes
    day: date | None = None
    place: tuple[float, float] | None = None
    speed: float | None = None
    course: float | None = None
    altitude: float | None = None
    hdop: float | None = None
    used: int | None = None


@dataclass(slots=True)
class _Reader:
    """Puts the sentences of one moment together."""

    _now: _Epoch | None = None
    _day: date | None = None
    _last: datetime | None = None
    _sky: dict[str, set[bytes]] = field(default_factory=dict)
    _in_view: Mapping[str, int] = field(default_factory=dict)

    def hear(self, fields: Fields) -> Point | None:
        """Take a sentence; return the point of the moment before, if it ended one."""
        kind, ended = fields[0][-3:], None
        if kind == b"GSV":
            self._see(fields)
        elif kind in _READS and len(fields) >= FEWEST:
            if self._now is None or fields[1] != self._now.clock:
                ended = self.end()
                self._now = _Epoch(fields[1])
            # A field that is no number says nothing of the others.
            with suppress(ValueError):
                _READS[kind](self._now, fields)
        return ended

    def end(self) -> Point | None:
        """Return the last moment's point, if it has one."""
        now, self._now = self._now, None
        if self._sky:
            self._in_view = {
                name: len(seen - {b""}) for name, seen in self._sky.items()
            }
            self._sky = {}
        at = None if now is None else self._when(now)
        if now is None or now.place is None:
            return None
        return Point(
            *now.place,
            at=at,
            speed=now.speed,
            course=now.course,
            altitude=now.altitude,
            hdop=now.hdop,
            used=now.used,
            in_view=self._in_view,
        )

    def _see(self, fields: Fields) -> None:
        """Count satellites once each: some receivers list them by signal."""
        system = TALKERS.get(fields[0][:2])
        if system is not None:
            seen = self._sky.get(system)
            if seen is None:
                seen = self._sky[system] = set()
            seen.update(fields[4:-3:4])

    def _when(self, now: _Epoch) -> datetime | None:
        if now.day is not None:
            self._day = now.day
        clock = _clock(now.clock)
        if self._day is None or clock is None:
            return None
        at = datetime.combine(self._day, clock, UTC)
        if now.day is None and self._last and self._last - at > HALF_A_DAY:
            at += timedelta(days=1)  # midnight passed, and no date was heard since
            self._day = at.date()
        self._last = at
        return at


def _rmc(now: _Epoch, fields: Fields) -> None:
    if fields[2] != b"A":
        return
    now.place = _place(fields, 3)
    now.day = _day(fields[9])
    now.speed = None if not fields[7] else _number(fields[7]) * KNOT
    now.course = None if not fields[8] else _number(fields[8])


def _gga(now: _Epoch, fields: Fields) -> None:
    if fields[6] in {b"", b"0"}:
        return
    now.place = now.place or _place(fields, 2)
    _sky(now, fields)


def _gns(now: _Epoch, fields: Fields) -> None:
    if not fields[6].strip(b"N"):
        return
    now.place = now.place or _place(fields, 2)
    _sky(now, fields)


def _sky(now: _Epoch, fields: Fields) -> None:
    now.used = int(fields[7]) if fields[7] else now.used
    now.hdop = _number(fields[8]) if fields[8] else now.hdop
    now.altitude = _number(fields[9]) if fields[9] else now.altitude


_READS = {b"RMC": _rmc, b"GGA": _gga, b"GNS": _gns}
FEWEST = 10  # fields that each of them has in every version of the standard


def _place(fields: Fields, at: int) -> tuple[float, float]:
    """Return latitude and longitude in degrees. Raises `ValueError` if it is none."""
    north = _degrees(fields[at], 2) * _sign(fields[at + 1], b"N", b"S")
    east = _degrees(fields[at + 2], 3) * _sign(fields[at + 3], b"E", b"W")
    if abs(north) > 90 or abs(east) > 180:  # noqa: PLR2004  degrees
        raise ValueError(f"{north}, {east} is no place")
    return north, east


def _degrees(text: bytes, digits: int) -> float:
    minutes = _number(text[digits:])
    if minutes >= 60:  # noqa: PLR2004  minutes in a degree
        raise ValueError(f"{minutes} minutes")
    return int(text[:digits]) + minutes / 60


def _sign(text: bytes, plus: bytes, minus: bytes) -> int:
    if text not in {plus, minus}:
        raise ValueError(f"{text!r} is no direction")
    return 1 if text == plus else -1


def _number(text: bytes) -> float:
    """Return a number; Python's own `nan`, `inf` and `1_0` are none."""
    if not text.lstrip(b"-").replace(b".", b"", 1).isdigit():
        raise ValueError(f"{text!r} is no number")
    return float(text)


def _day(text: bytes) -> date | None:
    try:
        year = int(text[4:6])
        century = 2000 if year < CENTURY else 1900
        return date(century + year, int(text[2:4]), int(text[:2]))
    except ValueError:
        return None


def _clock(text: bytes) -> time | None:
    try:
        rest = int((text[7:13] or b"0").ljust(6, b"0"))
        return time(int(text[:2]), int(text[2:4]), min(int(text[4:6]), 59), rest)
    except ValueError:
        return None
