"""What the station needs of a place that evidence goes to.

Whatever a destination does, one of these is raised, and nothing else:

- `Unreachable`: nobody answers, or somebody else (`Portal`), or not now (`Busy`), or
  there is no room (`Full`). The destination rests; one probe finds it again.
- `Barred`: it will not have us, for the key, the bucket, the place. It rests,
  a person is told, and nothing leaves the queue.
- `NotTaken`: it did not take this object this time. The object waits, others go on.
- `Refused`: it will never take this object as it stands. A person must look.
- `FixityError`: our own file is no longer what it was. A person must look.
- `VaultUnread`: our own disk did not give the file. The object waits, others go on.

Every method is safe to repeat, at any time and after any failure.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

import msgspec

from dock_agent.clock import unstamp
from dock_agent.recording import CameraId, Digest, DockingId, Proof
from dock_agent.store.recordings import NewRecording
from dock_agent.sync.content import Content, Keep, Moved, unheard, unkept


@dataclass(frozen=True, slots=True)
class About:
    """What an object is, for destinations whose layout depends on it.

    `file` is its path in the bag ("data/VIDEO/0001.MP4", "bag-info.txt"). The
    recording's name, begin and officer are None for the bag's own files. `seal` is
    the bag's signature, which is sent last: with it the docking is complete there.

    `written` is when the file was last written, `stop` when the last file of its
    recording was, both by the camera's clock; None where that is not known. `video`:
    a file of its recording is a video. `marked`: the officer marked it as evidence.
    """

    docking: DockingId
    camera: CameraId
    opened_at: datetime
    file: str
    recording: str | None = None
    start: datetime | None = None
    officer: str | None = None
    seal: bool = False
    written: datetime | None = None
    stop: datetime | None = None
    video: bool = True
    marked: bool = False

    def of(self, recording: NewRecording) -> "About":
        """Return the same, as a file of a recording."""
        start = unstamp(recording.start)
        who = recording.officer
        return replace(self, recording=recording.name, start=start, officer=who)


@dataclass(frozen=True, slots=True)
class Object:
    """One object to send: our bytes become `key` over there.

    `parts` are SHA-256s of PART_SIZE bytes each, taken when it was offloaded.
    `moved` hears of all bytes that move for it, in either direction; `keep` is given
    those that `confirm` fetches.
    """

    key: str
    content: Content
    size: int
    digest: Digest
    parts: tuple[Digest, ...]
    about: About
    moved: Moved = unheard
    keep: Keep = unkept


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A part that the destination has: kept so that a restart resumes."""

    number: int  # from 1
    etag: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What survives a restart. `upload` is the destination's own handle, opaque.

    `sent` counts the bytes that it acknowledged.
    """

    upload: str | None = None  # None: nothing begun
    generation: int = 0  # grows each time an upload had to be begun again
    parts: tuple[Acknowledged, ...] = ()
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The destination's own word that it has the whole object.

    `apart`: it has it, but not where it belongs: why, for a person to know.
    """

    proof: Proof
    digest: Digest
    etag: str = ""
    version: str = ""
    apart: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What a destination says it holds under a name, without proof."""

    size: int
    etag: str = ""
    version: str = ""


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a place was found to do, by trying; None: not tried yet.

    `objects` and `parts`: whether it refuses bytes that are not what their digest
    says. `whole`: whether what it puts together of parts reads back as it was sent.
    `conditional`: whether it keeps to "only if absent". `locks`: whether it keeps
    retention. `asked_at` is RFC 3339 UTC.
    """

    objects: bool | None = None
    parts: bool | None = None
    whole: bool | None = None
    conditional: bool | None = None
    locks: bool | None = None
    clock_offset_ms: int | None = None
    asked_at: str | None = None


NOTHING_KNOWN = Capabilities()

Remember = Callable[[Progress], None]
"""Called after each durable step of an upload; returns once it is committed.

What it raises ends the sending.
"""


class Destination(Protocol):
    """A place that evidence goes to."""

    @property
    def capabilities(self) -> Capabilities:
        """What is known of the place; the worker keeps it across restarts."""
        ...

    def probe(self) -> None:
        """Ask, with no payload, whether it is there and will have us."""
        ...

    def check(self) -> str:
        """Write something small, read it back, remove it; find out what it checks.

        Returns one line about it.
        """
        ...

    def marker(self) -> str | None:
        """Return the id that this place was given; None if it has none."""
        ...

    def mark(self, ident: str) -> None:
        """Give the place an id. One that has another is left alone: `Barred`."""
        ...

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        """Send what is missing; return how it stands then, for `confirm`.

        An object of that name that is there already is never replaced: one with
        our bytes counts as sent, any other is `Refused`.
        """
        ...

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        """Ask what is really there; None if the object is not there, whole.

        With `sent`, which is said right after `send`, a digest that the place is
        known to compute itself may count; else every byte is fetched again.
        """
        ...

    def look(self, item: Object, done: Progress) -> Look | None:
        """Return what it says it holds, cheaply; None if there is nothing."""
        ...

    def close(self) -> None: ...
