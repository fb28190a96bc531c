"""What an object is called at an Axis content destination.

Decides only, from what an object is, so that it is called the same after every
restart. The names are those of the API (README, "File Upload API"): a container for
each recording, a clip in it for each file of video. What the API has no name for goes
under names that it cannot take for anything else, and what belongs to no recording
goes into one container for the docking.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from uuid import UUID

from dock_agent.recording import CameraId, DockingId
from dock_agent.sync.destination import About

USERS, DEVICES, SYSTEM = "Users", "Devices", "System"
CHECK = "Dock_Check"  # where `check` tries what the place does
MARKERS = "Dock_System"  # our id, where the place takes no system object
DESCRIPTION = "about_container.json"  # what a container's headers have no room for
CLIPS = frozenset({"mkv", "mp4"})
NAMESPACE = UUID("5f3c2c1e-6a0b-5d0e-9c55-0f6f2b0e7d11")  # ours; it must never change
CANONICAL = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
OWN = re.compile(r"[a-z0-9-]{1,60}\.[a-z0-9]{1,8}")  # the bag's files keep their names
ENDING = re.compile(r"[a-z0-9]{1,8}")
PLAIN = re.compile(rb"[A-Za-z0-9.-]")
LONGEST = 64  # bytes of a serial number in a name: a container's has 256
MOMENT = "%Y%m%dT%H%M%SZ"
RECORDING = re.compile(r"([0-9a-f-]{36})_([^_]+)_(\d{8}T\d{6}Z)")
DOCKING = re.compile(r"Dock_([^_]+)_([^_]+)")
REJECTED = re.compile(r"RejectedContent_(\d{8}T\d{6}Z)_[0-9a-f-]{36}")


@dataclass(frozen=True, slots=True)
class Spot:
    """One object's container and its name in it."""

    container: str
    name: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """Who recorded, with which camera, from when: what a container's name says."""

    user: str
    serial: str
    begin: datetime


def user_id(who: str) -> str:
    """Return the UUID of a user; one that is no UUID gets its own, always the same.

    The API wants an internal UUID ("User object metadata"); whom it stands for is in
    the metadata of the user.
    """
    if CANONICAL.fullmatch(who):
        return who.lower()
    return str(_uuid("user", who))


def system_id(station: str, destination: str) -> str:
    """Return the UUID of a station as this destination knows it."""
    return str(_uuid("system", f"{station}/{destination}"))


def model(camera: CameraId) -> str:
    """Return which model a camera is."""
    return camera.partition(":")[0]


def serial(camera: CameraId) -> str:
    """Return a camera's serial number as names have it: neither `_` nor `/` in it."""
    kind, _, number = camera.partition(":")
    raw = (number or kind).encode("utf-8", "surrogateescape")
    name = "".join(_byte(bytes([value])) for value in raw)
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 18]}=={hashlib.sha256(raw).hexdigest()[:16]}"


def raw_serial(name: str) -> str:
    """Return the serial number of a name that had not to be shortened."""
    raw = re.sub(
        rb"=([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), name.encode()
    )
    return raw.decode("utf-8", "surrogateescape")


def recorded(about: About, anybody: str) -> Recorded | None:
    """Return what the container of a recording's file is named by; None for others.

    A recording has one clip at least ("Data structure"): what has none is no recording
    there. `anybody` is whom recordings without an officer belong to.
    """
    if about.recording is None or about.start is None or not about.video:
        return None
    begin = about.start.astimezone(UTC).replace(microsecond=0)
    return Recorded(user_id(about.officer or anybody), serial(about.camera), begin)


def container(found: Recorded) -> str:
    """Return the name of a recording's container."""
    return f"{found.user}_{found.serial}_{moment(found.begin)}"


def parsed(name: str) -> Recorded | None:
    """Return what a container's name says; None if it is none of a recording."""
    found = RECORDING.fullmatch(name)
    if found is None:
        return None
    begin = datetime.strptime(found[3], MOMENT).replace(tzinfo=UTC)
    return Recorded(found[1], found[2], begin)


def docking_container(about: About, page: int = 1) -> str:
    """Return the container of what belongs to no recording; `page` is from 1."""
    name = f"Dock_{serial(about.camera)}_{about.docking}"
    return name if page == 1 else f"{name}_{page}"


def docking_of(name: str) -> DockingId | None:
    """Return whose container this is; None if it is no docking's."""
    found = DOCKING.fullmatch(name)
    return None if found is None else DockingId(found[2])


def spot(about: About, anybody: str) -> Spot:
    """Return where an object goes."""
    found = recorded(about, anybody)
    if found is None:
        return Spot(docking_container(about), _own(about))
    ending = _ending(about.file)
    if ending not in CLIPS:
        return Spot(container(found), _own(about))
    begin = moment(found.begin)
    name = f"{begin[:8]}_{begin[9:15]}_{ident(about)}.{ending}"
    return Spot(container(found), name)


def late(about: About) -> Spot:
    """Return where an object goes whose recording's container is not this docking's."""
    return Spot(docking_container(about), _own(about))


def bookmark(about: About, anybody: str) -> Spot | None:
    """Return the bookmark that says that a recording is marked; None for no recording.

    Nobody knows when it was marked: then it is at the begin ("Bookmark object
    metadata").
    """
    found = recorded(about, anybody)
    if found is None:
        return None
    name = f"bookmark_{moment(found.begin)}_{_digits(about, about.recording or '')}"
    return Spot(container(found), name)


def rejected(at: datetime, ident: UUID) -> str:
    """Return a container for what the place will never store in its own one.

    `at` is when that was found out ("Rejected content storage").
    """
    return f"RejectedContent_{moment(at)}_{ident}"


def rejected_at(name: str) -> str | None:
    """Return the moment in such a container's name; None for any other container."""
    found = REJECTED.fullmatch(name)
    return None if found is None else found[1]


def story(about: About) -> str:
    """Return the object that tells what an object's headers have no room for."""
    return f"about_{ident(about)}.json"


def ident(about: About) -> str:
    """Return 20 digits that tell an object of any docking from all others."""
    return _digits(about, about.file)


def moment(at: datetime) -> str:
    """Return a moment as the API writes it in names: YYYYMMDDTHHMMSSZ."""
    utc = at.astimezone(UTC)
    return f"{utc.year:04d}{utc:%m%dT%H%M%S}Z"


def _digits(about: About, name: str) -> str:
    raw = f"{about.docking}\0{name}".encode("utf-8", "surrogateescape")
    return hashlib.sha256(raw).hexdigest()[:20]


def _own(about: About) -> str:
    if OWN.fullmatch(about.file):
        return about.file
    ending = _ending(about.file)
    # The API's own word for the key of an encrypted clip: this is none.
    ending = "bin" if ending in {"", "key"} else ending
    return f"file_{ident(about)}.{ending}"


def _ending(file: str) -> str:
    ending = PurePosixPath(file).suffix[1:].lower()
    return ending if ENDING.fullmatch(ending) else ""


def _byte(value: bytes) -> str:
    return value.decode() if PLAIN.fullmatch(value) else f"={value[0]:02X}"


def _uuid(kind: str, name: str) -> UUID:
    """Return a name-based UUID (RFC 9562, version 5), whatever bytes it is of."""
    raw = f"{kind}/{name}".encode("utf-8", "surrogateescape")
    digest = hashlib.sha1(NAMESPACE.bytes + raw, usedforsecurity=False).digest()
    return UUID(bytes=digest[:16], version=5)
