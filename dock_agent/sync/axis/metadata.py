"""Metadata as headers, within what the API allows.

A string has at most 32 bytes, some 64 or more (README, "Clip metadata details");
values are URL-encoded UTF-8, without control characters. What does not fit is told in
a JSON object beside it, and never cut.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from dock_agent.recording import Digest, DockingId
from dock_agent.sync.axis import names
from dock_agent.sync.destination import About

OBJECT, CONTAINER = "X-Object-Meta-", "X-Container-Meta-"
ORIGIN = "RejectedContentOriginalContainer"
LIMIT = 32  # bytes of UTF-8
LIMITS = {
    "Name": 64,  # its table says 100, the text 64
    "SystemName": 64,
    "ConnectionId": 100,
    "UserID": 100,
    "ContainerName": 256,  # longer than any limit by its own definition
    ORIGIN: 256,  # the same
}
ENCODED = 256  # bytes: more a standard Swift does not take
PIECES = 8
PATH, DIGEST, DOCKING, STORY = "Dock-Path", "Dock-Sha256", "Dock-Docking", "Dock-Story"
STATUS, TRANSFERRING, COMPLETE = "Status", "Transferring", "Complete"
ENTRY = "Dock-At-"

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """What the headers say of a thing, and what they have no room for."""

    headers: Mapping[str, str]
    left: Mapping[str, str] = field(default_factory=dict)


def headers(prefix: str, fields: Fields) -> Told:
    """Return the headers of those fields that fit, and the fields that do not."""
    fitting = {key: value for key, value in fields.items() if _fits(key, value)}
    return Told(
        {header(prefix, key): encoded(value) for key, value in fitting.items()},
        {key: value for key, value in fields.items() if key not in fitting},
    )


def header(prefix: str, key: str) -> str:
    """Return the header of a key; only what follows a hyphen has a capital."""
    return prefix + "-".join(part.capitalize() for part in key.split("-"))


def encoded(value: str) -> str:
    """Return a value as the API sends it: URL-encoded UTF-8."""
    return quote(value.encode("utf-8", "surrogateescape"), safe="")


def value(answered: Mapping[str, str], prefix: str, key: str) -> str | None:
    """Return what an answer's headers (names in lower case) say of a key."""
    found = answered.get(header(prefix, key).lower())
    return None if found is None else unquote(found, errors="surrogateescape")


def of_object(about: About, digest: Digest, size: int) -> Fields:
    """Return what is told of an object."""
    fields = {
        DOCKING: about.docking,
        "Dock-Size": str(size),
        **_spread(DIGEST, digest, len(digest) // LIMIT),
        **_spread(PATH, about.file, PIECES),
    }
    if about.recording is not None:
        fields |= _spread("Dock-Recording", about.recording, PIECES)
    if about.officer is not None and not about.video:  # no container tells it
        fields |= _spread("Dock-Officer", about.officer, PIECES)
    if about.written is not None:
        fields["Dock-Written"] = rfc3339(about.written)
    if about.marked:
        fields["Dock-Marked"] = "True"
    return fields


def of_clip(about: About, begin: datetime, ending: str) -> Fields:
    """Return what is told of a clip besides.

    It begins with its recording, as its name says, and stops when the camera last
    wrote to it.
    """
    return {"ContainerType": ending, **_period(begin, about.written)}


def of_bookmark(begin: datetime) -> Fields:
    """Return what is told of a mark: nothing but the time ("Bookmark object metadata").

    Whoever marked it gave no time: then it is the recording's begin.
    """
    return {"StartTime": rfc3339(begin)}


def of_rejected(usual: Fields, name: str, reason: str) -> Fields:
    """Return what is told of the container `name` of rejected content.

    `usual` is what would have been told of the container that it was meant for.
    """
    return {
        **{key: value for key, value in usual.items() if key != STATUS},
        "ContainerName": name,
        **came_from(usual["ContainerName"]),
        "RejectedContentTime": names.rejected_at(name) or "",
        "RejectedContentReason": reason,
    }


def came_from(container: str) -> Fields:
    """Return which container rejected content was meant for."""
    return {ORIGIN: container}


def of_late(container: str) -> Fields:
    """Return what is told of a file that another docking's container belongs to."""
    return _spread("Dock-Belongs-To", container, PIECES)


def of_recording(about: About, found: names.Recorded, station: str) -> Fields:
    """Return what is told of a recording's container when it is made."""
    begin = found.begin
    return {
        **of_docking(about, names.container(found), station),
        "UserID": found.user,
        "TriggerOnTime": _epoch(begin),
        "TriggerOnTimeISO": rfc3339(begin),
        **_period(begin, about.stop),
    }


def of_docking(about: About, name: str, station: str) -> Fields:
    """Return what is told of any container of a docking when it is made."""
    return {
        "ContainerName": name,
        "BWCSerialNumber": names.serial(about.camera),
        "BWCModel": names.model(about.camera),
        "SCUSerialNumber": station,
        DOCKING: about.docking,
        "Dock-Opened": rfc3339(about.opened_at),
        STATUS: TRANSFERRING,
    }


def told_digest(answered: Mapping[str, str]) -> str:
    """Return the SHA-256 that an object's headers name; empty if they name none."""
    return _gathered(answered, DIGEST)


def told_path(answered: Mapping[str, str]) -> str:
    """Return the path in the bag that an object's headers name; empty for none."""
    return _gathered(answered, PATH)


def told_docking(answered: Mapping[str, str]) -> DockingId | None:
    """Return the docking that made a container, by its headers."""
    found = value(answered, CONTAINER, DOCKING)
    return None if found is None else DockingId(found)


def status(answered: Mapping[str, str]) -> str | None:
    """Return what a container's headers say of how far it is."""
    return value(answered, CONTAINER, STATUS)


def entry(found: names.Recorded) -> Fields:
    """Return a recording's container as one field of its docking's container."""
    moment = names.moment(found.begin)
    key = f"{ENTRY}{moment[:8]}{moment[9:15]}-{found.user[:8]}"
    return {key: found.user.replace("-", "")}


def entries(answered: Mapping[str, str], serial: str) -> set[str]:
    """Return the containers of recordings that a docking's container names."""
    begin = header(CONTAINER, ENTRY).lower()
    return {
        _container(name.removeprefix(begin), user, serial)
        for name, user in answered.items()
        if name.startswith(begin)
    }


def story(fields: Fields, spot: names.Spot) -> bytes:
    """Return the object that tells all of it, values URL-encoded as in headers."""
    told = {key: encoded(value) for key, value in fields.items()}
    told |= {"Container": spot.container, "Object": spot.name}
    return json.dumps(told, indent=1, sort_keys=True).encode()


def rfc3339(at: datetime) -> str:
    """Return a moment as the API writes it in metadata: UTC, whole seconds."""
    utc = at.astimezone(UTC)
    return f"{utc.year:04d}-{utc:%m-%dT%H:%M:%S}Z"


def _period(begin: datetime, end: datetime | None) -> Fields:
    """Return a begin, and an end if it is known and later, in whole seconds."""
    fields = {"StartTime": _epoch(begin), "StartTimeISO": rfc3339(begin)}
    end = None if end is None else end.replace(microsecond=0)
    if end is None or end <= begin:
        return fields  # what has no duration may be refused for ever
    return {**fields, "StopTime": _epoch(end), "StopTimeISO": rfc3339(end)}


def _epoch(at: datetime) -> str:
    return str(int(at.timestamp()))


def _fits(key: str, value: str) -> bool:
    try:
        raw = value.encode()
    except UnicodeEncodeError:
        return False  # bytes that are no text
    whole = len(raw) <= LIMITS.get(key, LIMIT) and len(encoded(value)) <= ENCODED
    return whole and value.isprintable()


def _spread(key: str, text: str, most: int) -> Fields:
    """Return a text as numbered fields, if it can be had whole in so many."""
    pieces = list(_pieces(text))
    if len(pieces) > most or not all(_fits(key, piece) for piece in pieces):
        return {key: text}  # which does not fit, either
    return {f"{key}-{n}": piece for n, piece in enumerate(pieces, 1)}


def _pieces(text: str) -> Iterable[str]:
    piece, size = "", 0
    for letter in text:
        more = len(letter.encode("utf-8", "surrogateescape"))
        if size + more > LIMIT:
            yield piece
            piece, size = "", 0
        piece, size = piece + letter, size + more
    yield piece


def _gathered(answered: Mapping[str, str], key: str) -> str:
    found = (value(answered, OBJECT, f"{key}-{n}") for n in range(1, PIECES + 1))
    return "".join(piece for piece in found if piece is not None)


def _container(rest: str, user: str, serial: str) -> str:
    begin = f"{rest[:8]}T{rest[8:14]}Z"
    joined = "-".join((user[:8], user[8:12], user[12:16], user[16:20], user[20:]))
    return f"{joined.lower()}_{serial}_{begin}"
