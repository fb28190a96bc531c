"""Where a camera was: points, what they add up to, and the files that show them.

Derived from the evidence and never part of it. WGS 84 degrees, metres, seconds, UTC.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from math import asin, cos, radians, sin, sqrt
from xml.etree import ElementTree as ET

from dock_agent.clock import stamp

EARTH = 6_371_008.8  # metres: the mean radius (IUGG)
GPX = "http://www.topografix.com/GPX/1/1"


@dataclass(frozen=True, slots=True)
class Point:
    """A position. `speed` in m/s, `course` in degrees from north, `altitude` in m.

    `hdop` is the horizontal dilution of precision, `used` how many satellites the
    position rests on, `in_view` how many of each constellation were seen.
    """

    lat: float
    lon: float
    at: datetime | None = None
    speed: float | None = None
    course: float | None = None
    altitude: float | None = None
    hdop: float | None = None
    used: int | None = None
    in_view: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Summary:
    """What a track adds up to. `box` is south, west, north, east in degrees."""

    points: int
    first: Point
    last: Point
    box: tuple[float, float, float, float]
    distance_m: float
    fastest: float | None
    longest_gap: timedelta
    in_view: Mapping[str, int]


def summary(points: Sequence[Point]) -> Summary | None:
    """Return what a track adds up to; None for one without a point."""
    if not points:
        return None
    norths, easts = [p.lat for p in points], [p.lon for p in points]
    times = [p.at for p in points if p.at is not None]
    most: dict[str, int] = {}
    for point in points:
        for system, count in point.in_view.items():
            most[system] = max(most.get(system, 0), count)
    return Summary(
        points=len(points),
        first=points[0],
        last=points[-1],
        box=(min(norths), min(easts), max(norths), max(easts)),
        distance_m=sum(distance(a, b) for a, b in pairwise(points)),
        fastest=max((p.speed for p in points if p.speed is not None), default=None),
        longest_gap=max((b - a for a, b in pairwise(times)), default=timedelta()),
        in_view=most,
    )


def distance(one: Point, other: Point) -> float:
    """Return the metres between two points, along the sphere (haversine)."""
    north, other_north = radians(one.lat), radians(other.lat)
    up = sin((other_north - north) / 2) ** 2
    across = sin(radians(other.lon - one.lon) / 2) ** 2
    return 2 * EARTH * asin(min(1, sqrt(up + cos(north) * cos(other_north) * across)))


def between(points: Iterable[Point], begin: datetime, end: datetime) -> list[Point]:
    """Return the points of a time, both ends counted: a track may be of a whole day."""
    return [p for p in points if p.at is not None and begin <= p.at <= end]


def geojson(points: Sequence[Point]) -> str:
    """Return a track as GeoJSON (RFC 7946): a feature of each point, in order."""
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": _coordinates(point)},
            "properties": _properties(point),
        }
        for point in points
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}) + "\n"


def gpx(points: Sequence[Point], creator: str = "Dock Agent") -> bytes:
    """Return a track as GPX 1.1, with what its schema has a place for."""
    ET.register_namespace("", GPX)
    root = ET.Element(f"{{{GPX}}}gpx", version="1.1", creator=creator)
    segment = ET.SubElement(ET.SubElement(root, f"{{{GPX}}}trk"), f"{{{GPX}}}trkseg")
    for point in points:
        place = {"lat": f"{point.lat:.8f}", "lon": f"{point.lon:.8f}"}
        element = ET.SubElement(segment, f"{{{GPX}}}trkpt", place)
        at = None if point.at is None else stamp(point.at)
        for tag, value in (
            ("ele", point.altitude),
            ("time", at),
            ("sat", point.used),
            ("hdop", point.hdop),
        ):
            if value is not None:
                ET.SubElement(element, f"{{{GPX}}}{tag}").text = str(value)
    return bytes(ET.tostring(root, "utf-8", xml_declaration=True)) + b"\n"


def _coordinates(point: Point) -> list[float]:
    place = [round(point.lon, 8), round(point.lat, 8)]
    return place if point.altitude is None else [*place, point.altitude]


def _properties(point: Point) -> dict[str, object]:
    told = {
        "time": None if point.at is None else stamp(point.at),
        "speed": None if point.speed is None else round(point.speed, 3),
        "course": point.course,
        "hdop": point.hdop,
        "used": point.used,
        "in_view": dict(point.in_view) or None,
    }
    return {name: value for name, value in told.items() if value is not None}
