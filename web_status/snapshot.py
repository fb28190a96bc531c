"""The agent's latest word about the dock, and whether it is still true.

What cannot be read, or is older than `FRESH`, is not live: it may be shown, but
nothing in it may be promised, and nothing in it is green.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dock_agent.clock import unstamp
from dock_agent.watch import status as watch
from dock_agent.watch.status import Room, Status
from dock_agent.watch.verdict import Verdict, verdict

FRESH = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Seen:
    """What the page knows: a snapshot and its time, or neither.

    `live` is true only if the agent wrote `status` within `FRESH`. `verdict` is
    the agent's own if it is live, else one that promises nothing.
    """

    live: bool
    verdict: Verdict
    status: Status | None = None
    since: datetime | None = None

    def age(self, now: datetime) -> timedelta | None:
        """How long ago the agent last wrote; None if it never did."""
        return None if self.since is None else now - self.since


def look(path: Path, now: datetime) -> Seen:
    """Read the agent's snapshot and judge it; never raises for what it holds."""
    try:
        status = watch.read(path)
    except UnicodeDecodeError:
        status = None
    return nothing() if status is None else judge(status, now)


def judge(status: Status, now: datetime) -> Seen:
    """Tell whether a snapshot still stands at the moment `now`."""
    since = _moment(status.at)
    if since is None:
        return nothing()
    # A time that lies ahead is a clock that was set back: just as unknown.
    live = status.live and abs(now - since) <= FRESH
    room = watch.takes_cameras(status.vault)
    said = verdict(status.bays, live=live, room=room)
    return Seen(live, said, status, since)


def nothing() -> Seen:
    """Return what is known without a snapshot."""
    return Seen(live=False, verdict=verdict((), live=False, room=True))


def usable(room: Room) -> int:
    """Return the bytes that offloads may still fill."""
    return max(0, room.free_bytes - room.reserve_bytes)


def _moment(text: str) -> datetime | None:
    try:
        instant = unstamp(text)
    except ValueError:
        return None
    return instant if instant.tzinfo is not None else None
