"""What the station needs of a place that evidence goes to.

Any method may raise `Unreachable` (try again later: no route, no answer, a
portal in between, a server that is busy) or `Refused` (a person must look: bad
credentials, no such bucket, another object already has this name). Nothing
else is raised for what a destination does. `Portal` is the `Unreachable` that
a captive portal causes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dock_agent.errors import Unreachable
from dock_agent.recording import PART_SIZE, Digest, Proof


class Portal(Unreachable):
    """Somebody else's page came back: a captive portal, most likely."""

    hint = "Sign in to the network, or ask for the station to be let through."


@dataclass(frozen=True, slots=True)
class Object:
    """One object to send: `path` on our disk becomes `key` over there.

    `parts` are SHA-256s of PART_SIZE bytes each, taken when it was offloaded.
    """

    key: str
    path: Path
    size: int
    digest: Digest
    parts: tuple[Digest, ...]


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A part that the destination has: kept so that a restart resumes."""

    number: int  # from 1
    etag: str


@dataclass(frozen=True, slots=True)
class Progress:
    """What survives a restart: the destination's handle, and its parts."""

    upload: str | None = None  # S3 upload id; None: nothing begun
    generation: int = 0  # grows each time an upload had to be begun again
    parts: tuple[Acknowledged, ...] = ()


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The destination's own word that it has the whole object."""

    proof: Proof
    digest: Digest
    etag: str = ""
    version: str = ""


Remember = Callable[[Progress], None]
"""Called after each durable step of an upload; returns once it is committed.

Also a sign of life: called again while bytes move that need no remembering, so
that nobody else takes the object over. What it raises ends the sending.
"""


class Pulse:
    """A sign of life for each PART_SIZE bytes that moved."""

    def __init__(self, beat: Callable[[], None]) -> None:
        self._beat, self._moved = beat, 0

    def moved(self, count: int) -> None:
        """So many more bytes moved."""
        before, self._moved = self._moved, self._moved + count
        if before // PART_SIZE != self._moved // PART_SIZE:
            self._beat()


class Destination(Protocol):
    """A place that evidence goes to. Every method is safe to repeat."""

    def check(self) -> str:
        """Prove that it can be reached and written; return one line about it."""
        ...

    def send(self, item: Object, done: Progress, remember: Remember) -> Confirmation:
        """Send what is missing, and return only once the destination proved it.

        Raises `FixityError` if our own file is no longer what it was.
        """
        ...

    def confirm(self, item: Object) -> Confirmation | None:
        """Ask what is really there; None if the object is not there, whole."""
        ...

    def close(self) -> None: ...
