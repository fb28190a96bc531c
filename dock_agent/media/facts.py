"""What is derived of one file: a video's container, a track's sum.

Each is small, JSON, and may be made again from the evidence at any time.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

import msgspec

from dock_agent.clock import stamp
from dock_agent.media import gpx, nmea
from dock_agent.media.container import Container, inspect
from dock_agent.media.track import Point, Summary, summary

VIDEOS = frozenset((".mp4", ".mov", ".m4v", ".3gp"))
TRACKS = frozenset((".nmea", ".nma", ".gpx"))
MOST = 500_000  # points of one track that are read: a receiver of 10 Hz for half a day
LINE = 4096  # bytes of a line that are looked at


class VideoFacts(msgspec.Struct, frozen=True, kw_only=True, tag="video"):
    """Of a container. Times are RFC 3339 UTC, sizes bytes, lengths seconds."""

    state: str
    missing: int
    seconds: float | None
    written: str | None
    width: int | None
    height: int | None
    codec: str | None
    sound: bool
    place: tuple[float, float] | None
    fragmented: bool


class TrackFacts(msgspec.Struct, frozen=True, kw_only=True, tag="track"):
    """Of a track. Places are latitude and longitude; `in_view` by constellation."""

    points: int
    begin: str | None
    end: str | None
    first: tuple[float, float] | None
    last: tuple[float, float] | None
    metres: float
    fastest: float | None
    in_view: dict[str, int]
    broken: str | None = None


Facts = VideoFacts | TrackFacts


def is_derived_from(stored: str) -> bool:
    """Whether anything is derived from a file of this name."""
    return PurePosixPath(stored).suffix.lower() in VIDEOS | TRACKS


def look(path: Path) -> tuple[Facts, list[Point]]:
    """Return the facts of a file, and the points of a track.

    Raises `OSError`; any content has an answer.
    """
    if path.suffix.lower() in VIDEOS:
        with path.open("rb") as file:
            return video(inspect(file)), []
    points: list[Point] = []
    broken = None
    try:
        points.extend(islice(_points(path), MOST))
    except gpx.BrokenTrack as error:
        broken = str(error)
    return track(points, broken), points


def video(seen: Container) -> VideoFacts:
    """Return a container's facts as they are kept."""
    shown = seen.video
    lasts = seen.duration
    return VideoFacts(
        state=seen.state,
        missing=seen.missing,
        seconds=None if lasts is None else lasts.total_seconds(),
        written=None if seen.written is None else stamp(seen.written),
        width=None if shown is None else shown.width,
        height=None if shown is None else shown.height,
        codec=None if shown is None else shown.codec,
        sound=seen.has_sound,
        place=seen.place,
        fragmented=seen.fragmented,
    )


def track(points: list[Point], broken: str | None = None) -> TrackFacts:
    """Return a track's facts as they are kept."""
    added = summary(points)
    times = [point.at for point in points if point.at is not None]
    return TrackFacts(
        points=len(points),
        begin=stamp(times[0]) if times else None,
        end=stamp(times[-1]) if times else None,
        first=_place(added.first) if added else None,
        last=_place(added.last) if added else None,
        metres=round(added.distance_m, 1) if added else 0.0,
        fastest=_fastest(added),
        in_view=dict(added.in_view) if added else {},
        broken=broken,
    )


def _points(path: Path) -> Iterator[Point]:
    with path.open("rb") as file:
        if path.suffix.lower() == ".gpx":
            yield from gpx.points(file)
        else:
            # Not `for line in file`: one without an end would fill the memory.
            yield from nmea.points(iter(lambda: file.readline(LINE), b""))


def _place(point: Point) -> tuple[float, float]:
    return point.lat, point.lon


def _fastest(added: Summary | None) -> float | None:
    if added is None or added.fastest is None:
        return None
    return round(added.fastest, 2)
