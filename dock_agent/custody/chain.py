"""The custody log's lines: what each holds, and how they hold together.

A line is canonical JSON: keys sorted, no spaces, UTF-8, integers only. It
carries two links: `prev`, the SHA-256 of the line before it in the station's
log, and `docking_prev`, that of the line before it about the same docking; so
the lines of one docking are a chain of their own when they leave the station.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dock_agent.clock import Instant, stamp
from dock_agent.errors import CustodyError
from dock_agent.recording import Digest, DockingId

PLAIN = (str, int, type(None))
FLAT = {str, int, bool, type(None)}
ENCODE = json.JSONEncoder(
    sort_keys=True,
    separators=(",", ":"),
    ensure_ascii=False,
    check_circular=False,  # what is in a line was never a circle
).encode
NOTHING = Digest("0" * 64)  # what the first line of a chain points to


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened: to a docking, or to the station (None)."""

    kind: str
    docking: DockingId | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    actor: str = "station"


@dataclass(frozen=True, slots=True)
class Head:
    """The last line of a chain: its number from 1, and its SHA-256."""

    seq: int
    sha256: Digest


EMPTY = Head(0, NOTHING)


def canonical(thing: Any) -> str:
    """Return the one JSON text of `thing`, which is one line (after RFC 8785).

    Raises `CustodyError` on a fraction, whose text is not the same everywhere,
    and on a string that is not Unicode (a lone surrogate).
    """
    _require_no_fractions(thing)
    return _text(thing)


def digest(line: str) -> Digest:
    """Return the SHA-256 of a line's UTF-8 bytes, without a newline."""
    return Digest(hashlib.sha256(line.encode()).hexdigest())


def split(text: str) -> list[str]:
    """Return the lines of a JSON lines text: only a newline ends one.

    (`str.splitlines` also cuts at U+2028 and others, which JSON leaves as they
    are.) Raises `CustodyError` if the last line has no newline.
    """
    *lines, rest = text.split("\n")
    if rest:
        raise CustodyError(f"line {len(lines) + 1} is cut off")
    return lines


def next_line(last: Head, last_of_docking: Head, event: Event, at: Instant) -> str:
    """Return the line for `event`, linked to both chains."""
    about = event.docking is not None
    if not FLAT.issuperset(map(type, event.facts.values())):  # nearly always
        _require_no_fractions(event.facts)
    return _text(
        {
            "actor": event.actor,
            "at": stamp(at.utc),
            "boot": at.boot,
            "clock_trusted": at.trusted,
            "docking": event.docking,
            "docking_prev": last_of_docking.sha256 if about else None,
            "docking_seq": last_of_docking.seq + 1 if about else None,
            "facts": dict(event.facts),
            "kind": event.kind,
            "monotonic_ns": at.monotonic_ns,
            "prev": last.sha256,
            "seq": last.seq + 1,
        }
    )


class Walk:
    """A walk through a station's whole log; it keeps a head for each docking."""

    def __init__(self) -> None:
        self.last = EMPTY
        self._dockings: dict[str, Head] = {}

    def hear(self, line: str) -> dict[str, Any]:
        """Return what the next line says; raise `CustodyError` if it is not next."""
        number = self.last.seq + 1
        fields, sha256 = parse(line, number), digest(line)
        _follows(fields, ("seq", "prev"), self.last, number)
        docking = fields.get("docking")
        if isinstance(docking, str):
            about = self._dockings.get(docking, EMPTY)
            _follows(fields, ("docking_seq", "docking_prev"), about, number)
            self._dockings[docking] = Head(about.seq + 1, sha256)
        self.last = Head(number, sha256)
        return fields


def verify(lines: Iterable[str]) -> Head:
    """Walk a station's whole log, and each docking's chain in it.

    Returns the head, for whoever knows what it should be: what follows a line
    is what vouches for it, so nothing in the log vouches for the last. Raises
    `CustodyError` at the first bad line.
    """
    walk = Walk()
    for line in lines:
        walk.hear(line)
    return walk.last


def verify_docking(lines: Iterable[str], docking: DockingId) -> Head:
    """Walk the lines of one docking, which are a chain of their own."""
    last = EMPTY
    for number, line in enumerate(lines, 1):
        fields = parse(line, number)
        if fields.get("docking") != docking:
            raise CustodyError(f"line {number} is not about docking {docking}")
        _follows(fields, ("docking_seq", "docking_prev"), last, number)
        last = Head(number, digest(line))
    return last


def parse(line: str, number: int) -> dict[str, Any]:
    """Read a line, called `number` if it is none: then raise `CustodyError`."""
    try:
        fields = json.loads(line)
        sound = isinstance(fields, dict) and canonical(fields) == line
    except (ValueError, RecursionError, CustodyError) as error:
        raise CustodyError(f"line {number} cannot be read: {error}") from error
    if not sound:
        raise CustodyError(f"line {number} is not canonical")
    return dict(fields)


def _follows(
    fields: Mapping[str, Any], keys: tuple[str, str], last: Head, number: int
) -> None:
    told, link = (fields.get(key) for key in keys)
    if told != last.seq + 1:
        raise CustodyError(f"line {number}: {keys[0]} is {told}, not {last.seq + 1}")
    if link != last.sha256:
        raise CustodyError(f"line {number} does not follow the line before it")


def _text(thing: Any) -> str:
    text = ENCODE(thing)
    try:
        text.encode()
    except UnicodeEncodeError as error:  # a lone surrogate
        raise CustodyError(f"a custody line holds Unicode only: {text!a}") from error
    return text


def _require_no_fractions(thing: Any) -> None:
    if _has_float(thing):
        raise CustodyError(f"a custody line holds no fractions: {thing!r}")


def _has_float(thing: Any) -> bool:
    if isinstance(thing, PLAIN):  # nearly all of them
        return False
    if isinstance(thing, Mapping):
        return any(map(_has_float, thing.values()))
    if isinstance(thing, list | tuple):
        return any(map(_has_float, thing))
    return isinstance(thing, float)
