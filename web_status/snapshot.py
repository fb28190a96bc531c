"""The agent's latest word about the dock, and whether it is still true.

What cannot be read, or was not written in the last seconds of this run of the
machine, is not live: it may be shown, but nothing in it may be promised, and
nothing in it is green.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dock_agent.clock import Instant, unstamp
from dock_agent.watch import status as watch
from dock_agent.watch.status import Room, Status
from dock_agent.watch.verdict import Verdict, verdict


@dataclass(frozen=True, slots=True)
class Seen:
    """What the page knows: a snapshot and its time, or neither.

    `live` is true only if the agent wrote `status` just now. `verdict` is the
    agent's own if it is live, else one that promises nothing.
    """

    live: bool
    verdict: Verdict
    status: Status | None = None
    since: datetime | None = None

    def age(self, now: datetime) -> timedelta | None:
        """How long ago the agent last wrote; None if it never did."""
        return None if self.since is None else now - self.since


def look(path: Path, now: Instant) -> Seen:
    """Read the agent's snapshot and judge it; never raises for what it holds."""
    status = watch.read(path)
    return nothing() if status is None else judge(status, now)


def judge(status: Status, now: Instant) -> Seen:
    """Tell whether a snapshot still stands at the moment `now`."""
    if not status.at:
        return nothing()
    live = watch.is_fresh(status, now)
    refusal = watch.refusal(status.vault, status.bays)
    said = verdict(status.bays, live=live, refusal=refusal)
    return Seen(live, said, status, unstamp(status.at))


def nothing() -> Seen:
    """Return what is known without a snapshot."""
    return Seen(live=False, verdict=verdict((), live=False))


def usable(room: Room) -> int:
    """Return the bytes that offloads may still fill."""
    return max(0, room.free_bytes - room.reserve_bytes)
