"""What the station is doing right now, as the page and `status --json` show it.

The agent composes the whole object once a second, and at once where a bay's light
changes, and replaces one small file with it; the page reads that file and never
talks to the agent.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import msgspec

from dock_agent.bays.machine import Bay
from dock_agent.clock import Instant, stamp, unstamp
from dock_agent.recording import BayName, BayState, CameraId, Colour

FRESH = timedelta(seconds=5)  # a snapshot older than this is not live
LEFT_OUT = "not configured"  # instead of a link's state: nobody asks how it is


class BayStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One bay: sizes in bytes, `percent` the battery's, `eta_s` seconds."""

    name: BayName
    state: BayState
    colour: Colour
    camera: CameraId | None
    label: str | None  # what is painted on the camera: the end of its serial
    done: int
    total: int
    bytes_done: int
    bytes_total: int
    bytes_owed: int  # what the vault must still find room for, at most
    percent: int | None
    reports_charge: bool
    eta_s: float | None
    code: str | None
    reason: str | None
    since: str


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """What still has to reach a destination.

    Of `waiting`, a person must look at `refused`, and at `stranded`: it waits for a
    destination that the configuration no longer names.
    """

    waiting: int
    bytes: int
    oldest_age_s: float | None
    refused: int
    stranded: int = 0


class Sends(StrEnum):
    """What the configuration lets go to a destination just now."""

    ALL = "all"
    MARKED = "marked"  # its window is closed, or the link costs
    NOTHING = "nothing"  # the same
    REMOVED = "removed"  # it is no longer in the configuration

    @classmethod
    def of(cls, priorities: int) -> "Sends":
        """Return what so many priorities are; the marked ones are the first."""
        return (cls.NOTHING, cls.MARKED, cls.ALL)[priorities]


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """The way to one destination; `failure` is in words.

    A link that is not known may have been: then nothing was heard of the sending
    process since `since`. `goodput` is bytes a second both ways, in the last minute;
    `try_after` until when it rests; `changes_at` when a window opens or closes;
    `costs`: it is the link's cost that keeps something back, and no window;
    `waiting` is how many objects wait for it. `state` is a `LinkState`, or `LEFT_OUT`.
    """

    name: str
    kind: str
    state: str
    since: str | None
    last_success: str | None
    last_failure: str | None
    failure: str | None
    try_after: str | None = None
    paused: bool = False
    goodput: int | None = None
    waiting: int = 0
    sends: Sends = Sends.ALL
    changes_at: str | None = None
    costs: bool = False


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """Room in the vault; `days_left` is None while there is no history.

    `total_bytes` is 0 where the vault cannot be asked: its disk is not there.
    """

    free_bytes: int
    total_bytes: int
    reserve_bytes: int
    days_left: float | None


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """A camera that left before its docking was sealed, and has not come back."""

    camera: str
    bay: str
    done: int
    total: int
    since: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The one line over the dock."""

    key: str
    text: str
    tone: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The station, whole."""

    station: str
    rev: int
    at: str
    boot: str  # which run of the machine, and when in it: a clock that never steps
    monotonic_ns: int
    live: bool
    verdict: Verdict
    bays: tuple[BayStatus, ...]
    queue: Queue
    links: tuple[Link, ...]
    vault: Room
    owed: tuple[Owed, ...]
    alarms: tuple[str, ...] = ()  # where the custody log is not what it was
    alerts: tuple[str, ...] = ()  # which copies are not what they should be
    acknowledged: tuple[str, ...] = ()  # and somebody has seen it, who is named


def bay_status(bay: Bay, since: datetime, eta_s: float | None) -> BayStatus:
    """Return what is shown of one bay."""
    return BayStatus(
        name=bay.name,
        state=bay.state,
        colour=bay.colour,
        camera=bay.camera,
        label=label(bay.camera),
        done=bay.files_done,
        total=bay.files_total,
        bytes_done=bay.size_done,
        bytes_total=bay.size_total,
        bytes_owed=bay.size_owed,
        percent=bay.percent,
        reports_charge=bay.reports_charge,
        eta_s=eta_s,
        code=bay.code,
        reason=bay.reason,
        since=stamp(since),
    )


def label(camera: CameraId | None) -> str | None:
    """Return the last four characters of the serial: what a person looks for."""
    return None if camera is None else camera.rpartition(":")[2][-4:]


def refusal(room: Room, bays: Sequence[BayStatus]) -> str | None:
    """Return why the dock takes no camera, in words; None if it does.

    What the cameras at work still need is theirs already.
    """
    if not room.total_bytes:
        return "storage is missing"
    spare = room.free_bytes - room.reserve_bytes
    return None if spare > sum(bay.bytes_owed for bay in bays) else "dock full"


def is_fresh(status: Status, now: Instant) -> bool:
    """Whether the agent wrote it just now, by the clock that never steps."""
    age = timedelta(microseconds=(now.monotonic_ns - status.monotonic_ns) / 1000)
    return status.live and status.boot == now.boot and timedelta() <= age <= FRESH


def write(path: Path, status: Status) -> None:
    """Replace the snapshot; a reader sees the old one or the new one, whole."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.encode(status))
    fresh.replace(path)


def read(path: Path) -> Status | None:
    """Return the last snapshot, or None if there is none that can be read."""
    try:
        status = msgspec.json.decode(path.read_bytes(), type=Status)
        if status.at and unstamp(status.at).tzinfo is None:
            return None
    except (OSError, ValueError):
        return None
    return status
