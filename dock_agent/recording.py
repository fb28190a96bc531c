"""The words of the trade as types: identifiers, states, and what they name."""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NewType

CameraId = NewType("CameraId", str)  # "KT-Z3:KTZ3A00017": model, colon, serial
DockingId = NewType("DockingId", str)  # a ULID, 26 characters
RecordingId = NewType("RecordingId", str)  # a ULID
FileId = NewType("FileId", int)
TransferId = NewType("TransferId", int)
BayName = NewType("BayName", str)
DestinationName = NewType("DestinationName", str)
Digest = NewType("Digest", str)  # SHA-256 as 64 lower-case hexadecimal digits


@dataclass(frozen=True, slots=True)
class Ciphertext:
    """What the vault holds of a file that was encrypted, and whose keys open it."""

    sha256: Digest
    size: int
    keys: tuple[str, ...]  # ids of recipients


PART_SIZE = 8 << 20  # bytes: parts are hashed in the offload pass, and sent later


class BayState(StrEnum):
    """How far a bay has got with the camera in it."""

    EMPTY = "empty"  # no camera in the bay
    IDENTIFYING = "identifying"  # something is there; which camera is it?
    COPYING = "copying"  # files are being copied and verified one by one
    CHECKING = "checking"  # everything is copied; a second full pass runs
    SEALED = "sealed"  # every file is verified, the manifest is signed
    CLEARING = "clearing"  # sealed; the camera's own copies are being erased
    WAITING = "waiting"  # the vault has no room: the footage stays on the camera
    PULLED = "pulled"  # the camera left before its docking was sealed
    FAULT = "fault"  # a person must look


class Colour(StrEnum):
    """What the light over a bay says to an officer."""

    OFF = "off"
    AMBER = "amber"  # leave it
    GREEN = "green"  # take it
    RED = "red"  # dock it again, or call someone


class DockingState(StrEnum):
    """One visit of one camera to one bay."""

    OPENED = "opened"  # the camera is known, nothing is listed yet
    COPYING = "copying"  # the inventory is committed, files arrive
    CHECKING = "checking"  # the second full pass
    SEALED = "sealed"  # every file accounted for, manifest written and signed
    INTERRUPTED = "interrupted"  # the camera or the agent went away
    WAITING = "waiting"  # no room for it
    FAULT = "fault"  # something only a person can put right


class FileState(StrEnum):
    """One file of one docking."""

    LISTED = "listed"  # in the inventory, nothing copied
    PROVEN = "proven"  # a part is on the medium and matched; it has no name yet
    VERIFIED = "verified"  # it has its name, and its bytes were read back
    HELD = "held"  # an earlier docking of this camera holds the same bytes
    SKIPPED = "skipped"  # not a regular file: recorded, never followed
    MISSED = "missed"  # it could not be copied in this docking
    DAMAGED = "damaged"  # it was verified, and rotted since: no copy until it is healed
    QUARANTINED = "quarantined"  # kept because something is wrong
    EXPIRED = "expired"  # our copy went after its time: the destinations have theirs


class Policy(StrEnum):
    """Which proof an erase of a camera waits for."""

    NEVER = "never"
    AFTER_VERIFIED = "after_verified"
    AFTER_CONFIRMED = "after_confirmed"


class ClearState(StrEnum):
    """How far the erase of one docking's files has got."""

    INTENDED = "intended"  # from now on any of them may be gone
    CLEARED = "cleared"  # a fresh look found none of them
    INTERRUPTED = "interrupted"  # the camera or the agent left: some may be gone
    FAILED = "failed"  # the card did not do it: some may be gone
    REFUSED = "refused"  # nothing was touched


class EraseState(StrEnum):
    """The camera's own copy of one file, once its erase was authorised."""

    INTENDED = "intended"  # it may be gone
    ERASED = "erased"  # a fresh look right after did not find it
    KEPT = "kept"  # it is still there
    GONE = "gone"  # it was no longer found, at a later docking or without our doing


class ExpiryState(StrEnum):
    """The vault's own copy of one file, once it was to go."""

    INTENDED = "intended"  # it may be gone
    GONE = "gone"  # its name is gone, durably


class TransferState(StrEnum):
    """One object on its way to one destination."""

    BLOCKED = "blocked"  # the docking's other objects go first
    QUEUED = "queued"
    SENDING = "sending"
    CONFIRMED = "confirmed"  # the destination has proved the whole object
    REFUSED = "refused"  # a person must look
    PAUSED = "paused"  # a person holds it back
    WITHDRAWN = "withdrawn"  # set aside here, or given up by a person: not sent


class LinkState(StrEnum):
    """The way to one destination."""

    UNKNOWN = "unknown"  # not tried yet, or not heard of for minutes
    OFFLINE = "offline"
    BARRED = "barred"  # it answers, and will not have this station
    CAPTIVE = "captive"  # a portal answers in the destination's place
    METERED = "metered"
    ONLINE = "online"


class Proof(StrEnum):
    """What a confirmation rests on, strongest first."""

    READ_BACK = "read-back"  # every byte fetched again, SHA-256 equal
    ECHOED = "echoed"  # a digest the destination computed itself and returned
    CACHED = "cached"  # fetched from our own memory, perhaps; a person accepts that
    NONE = "none"  # size or status alone: never confirms


class ReadBack(StrEnum):
    """How a copy was read again, as the custody log states it."""

    DIRECT = "direct"  # O_DIRECT, with the thread's own read_bytes as proof
    DROPPED = "dropped"  # cache dropped and seen to be dropped, then read
    CACHED = "cached"  # may have come from the page cache: never erase-eligible


class Priority(IntEnum):
    """What goes to a destination first. Few, so that a claim can try each."""

    MARKED = 1  # marked as evidence on the camera
    NORMAL = 2
