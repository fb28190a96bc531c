"""When a recording began, and by whose word. Pure.

A satellite's time is believed before the name's, the name's before the container's,
the container's before the file's. What they disagree by is kept.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class StartSource(StrEnum):
    """Whose word a start is."""

    SATELLITE = "satellite"  # the first position that a receiver called valid
    NAME = "name"  # the file's name, by the camera's clock
    CONTAINER = "container"  # the video's own header, by the camera's clock
    FILE = "file"  # when the file was last written, less what it lasts


@dataclass(frozen=True, slots=True)
class Told:
    """What each says, in UTC; None where it says nothing.

    `written` is the container's own time: of its end on Android, of its begin on
    others. `modified` is when the file was last written.
    """

    modified: datetime
    satellite: datetime | None = None
    named: datetime | None = None
    written: datetime | None = None
    lasts: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Start:
    """The begin of a recording, in UTC; `apart` is what the others are off by most."""

    at: datetime
    source: StartSource
    apart: timedelta


def start(told: Told) -> Start:
    """Return when it began."""
    return _first(_heard(told))


def by_camera(told: Told) -> Start:
    """Return when it began by the camera's clock alone: what a timeline is made of.

    A satellite's time beside it would show the clock's error as a hole.
    """
    heard = _heard(told)
    heard.pop(StartSource.SATELLITE, None)
    return _first(heard)


def _heard(told: Told) -> dict[StartSource, datetime]:
    heard: dict[StartSource, datetime] = {}
    if told.satellite is not None:
        heard[StartSource.SATELLITE] = told.satellite
    if told.named is not None:
        heard[StartSource.NAME] = told.named
    if told.written is not None:
        heard[StartSource.CONTAINER] = _container(told, told.written)
    heard[StartSource.FILE] = _earlier(told.modified, told.lasts)
    return heard


def _container(told: Told, written: datetime) -> datetime:
    """Return the begin that a header means: AOSP's MPEG4Writer tells the end.

    What says the end and what says the begin differs by what the recording lasts; the
    one that is nearer to the name's time is meant, without a name the end.
    """
    if told.named is None:
        return _earlier(written, told.lasts)
    named = told.named
    return min((_earlier(written, told.lasts), written), key=lambda at: abs(at - named))


def _earlier(at: datetime, lasts: timedelta) -> datetime:
    try:
        return at - lasts
    except OverflowError:
        return at


def _first(heard: dict[StartSource, datetime]) -> Start:
    source, at = next(iter(heard.items()))
    apart = max((abs(other - at) for other in heard.values()), default=timedelta())
    return Start(at, source, apart)
