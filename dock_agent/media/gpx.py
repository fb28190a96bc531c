"""A track that a camera wrote as GPX (1.0 and 1.1).

Read as a stream by expat, which is told to refuse entities: a file of a camera is a
stranger's file (Billion Laughs, CVE-2003-1564).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import BinaryIO
from xml.parsers import expat

from dock_agent.media.track import Point

BLOCK = 1 << 16
MOST = 2_000_000  # points: a month at one a second is more than a camera has
TOLD = ("ele", "time", "sat", "hdop", "speed", "course")
LONGEST = 64  # characters of a value
DEEPEST = 64  # elements within each other


class BrokenTrack(ValueError):
    """What cannot be read as GPX; the points before it were given."""


def points(file: BinaryIO) -> Iterator[Point]:
    """Give the track points of a file, in its order.

    Raises `BrokenTrack` where it is no XML, has entities of its own, or has over
    2 000 000 points.
    """
    reader, count = _Reader(), 0
    while True:
        block = file.read(BLOCK)
        reader.read(block)
        for point in reader.taken():
            count += 1
            if count > MOST:
                raise BrokenTrack(f"over {MOST} points")
            yield point
        if reader.fault is not None:
            raise BrokenTrack(reader.fault)
        if not block:
            return


class _Reader:
    def __init__(self) -> None:
        self.fault: str | None = None
        self._points: list[Point] = []
        self._place: tuple[float, float] | None = None
        self._told: dict[str, str] = {}
        self._text: str | None = None
        self._deep = 0
        self._parser = expat.ParserCreate(namespace_separator=" ")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._said
        self._parser.EntityDeclHandler = self._refuse

    def read(self, block: bytes) -> None:
        try:
            self._parser.Parse(block, not block)
        except (expat.ExpatError, BrokenTrack, ValueError) as error:
            self.fault = str(error)

    def taken(self) -> list[Point]:
        points, self._points = self._points, []
        return points

    def _refuse(self, name: str, *_: object) -> None:
        raise BrokenTrack(f"it declares an entity, {name!r}")

    def _start(self, name: str, facts: dict[str, str]) -> None:
        self._deep += 1
        if self._deep > DEEPEST:
            raise BrokenTrack(f"elements are over {DEEPEST} deep")
        tag = name.rpartition(" ")[2]
        if tag == "trkpt":
            self._place, self._told = _place(facts), {}
        self._text = "" if tag in TOLD and self._place is not None else None

    def _said(self, text: str) -> None:
        if self._text is not None:
            self._text = (self._text + text)[:LONGEST]

    def _end(self, name: str) -> None:
        self._deep -= 1
        tag = name.rpartition(" ")[2]
        if self._text is not None:
            self._told[tag] = self._text.strip()
            self._text = None
        if tag == "trkpt" and self._place is not None:
            self._points.append(_point(self._place, self._told))
            self._place = None


def _point(place: tuple[float, float], told: dict[str, str]) -> Point:
    used = _number(told.get("sat"))
    return Point(
        *place,
        at=_time(told.get("time")),
        speed=_number(told.get("speed")),
        course=_number(told.get("course")),
        altitude=_number(told.get("ele")),
        hdop=_number(told.get("hdop")),
        used=None if used is None else int(used),
    )


def _place(facts: dict[str, str]) -> tuple[float, float] | None:
    north, east = _number(facts.get("lat")), _number(facts.get("lon"))
    if north is None or east is None or abs(north) > 90 or abs(east) > 180:  # noqa: PLR2004
        return None
    return north, east


def _number(text: str | None) -> float | None:
    """Return a number with a sense; `nan` and `inf` have none."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if abs(number) < 1e12 else None  # noqa: PLR2004


def _time(text: str | None) -> datetime | None:
    try:
        at = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        return None
