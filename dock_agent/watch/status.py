"""What the station is doing right now, as the page and `status --json` show it.

The agent composes the whole object at most once a second and replaces one
small file with it; the page reads that file and never talks to the agent.
"""

from datetime import datetime
from pathlib import Path

import msgspec

from dock_agent.bays.machine import Bay
from dock_agent.clock import stamp, unstamp
from dock_agent.recording import BayName, BayState, CameraId, Colour


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
    percent: int | None
    reports_charge: bool
    eta_s: float | None
    code: str | None
    reason: str | None
    since: str


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """What still has to reach a destination."""

    waiting: int
    bytes: int
    oldest_age_s: float | None
    refused: int


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """The way to one destination; `failure` is in words."""

    name: str
    kind: str
    state: str
    since: str | None
    last_success: str | None
    last_failure: str | None
    failure: str | None


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """Room in the vault; `days_left` is None while there is no history."""

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
    live: bool
    verdict: Verdict
    bays: tuple[BayStatus, ...]
    queue: Queue
    links: tuple[Link, ...]
    vault: Room
    owed: tuple[Owed, ...]


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


def takes_cameras(room: Room) -> bool:
    """Whether the vault has room for one more camera's first file."""
    return room.free_bytes > room.reserve_bytes


def write(path: Path, status: Status) -> None:
    """Replace the snapshot; a reader sees the old one or the new one, whole."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(msgspec.json.encode(status))
    fresh.replace(path)


def read(path: Path) -> Status | None:
    """Return the last snapshot, or None if there is none that can be read."""
    try:
        status = msgspec.json.decode(path.read_bytes(), type=Status)
        unstamp(status.at)
    except (OSError, ValueError):
        return None
    return status
