"""The video files of a docking on one line of time, and what is odd there. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from dock_agent.cameras.naming import Named
from dock_agent.clock import unstamp
from dock_agent.media.container import ContainerState
from dock_agent.media.facts import VideoFacts
from dock_agent.media.gaps import Clip, Finding, findings
from dock_agent.media.start import Told, by_camera

FIRST_NS, LAST_NS = 0, 253_402_300_799 * 10**9  # 1970 to 9999


@dataclass(frozen=True, slots=True)
class Video:
    """A video file of a docking: its name on the camera, and what is known of it."""

    name: str
    mtime_ns: int
    named: Named
    facts: VideoFacts


def odd(videos: Sequence[Video], zone: ZoneInfo) -> tuple[Finding, ...]:
    """Return what is odd among them; `zone` is that of the camera's clock."""
    return findings([_clip(video, zone) for video in videos])


def told(video: Video, zone: ZoneInfo, satellite: datetime | None = None) -> Told:
    """Return what is said of a video's begin."""
    at, seconds = video.named.at, video.facts.seconds
    written = video.facts.written
    return Told(
        modified=_modified(video.mtime_ns),
        satellite=satellite,
        named=None if at is None else at.replace(tzinfo=zone).astimezone(UTC),
        written=None if written is None else unstamp(written),
        lasts=timedelta(seconds=seconds or 0),
    )


def _clip(video: Video, zone: ZoneInfo) -> Clip:
    seconds = video.facts.seconds
    state = ContainerState(video.facts.state)
    known = seconds is not None and state is not ContainerState.EMPTY
    return Clip(
        name=video.name,
        begin=by_camera(told(video, zone)).at if known else None,
        length=timedelta(seconds=seconds) if seconds is not None else None,
        state=state,
        number=video.named.number,
        lens=video.named.lens,
    )


def _modified(time_ns: int) -> datetime:
    within = min(max(time_ns, FIRST_NS), LAST_NS)
    return datetime.fromtimestamp(within / 1e9, UTC)
