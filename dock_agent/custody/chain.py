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
    """Return the one JSON text of `thing`; raise `CustodyError` on a float."""
    if _has_float(thing):
        raise CustodyError(f"a custody line holds no fractions: {thing!r}")
    return json.dumps(thing, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(line: str) -> Digest:
    """Return the SHA-256 of a line's UTF-8 bytes, without a newline."""
    return Digest(hashlib.sha256(line.encode("utf-8", "surrogatepass")).hexdigest())


def next_line(last: Head, last_of_docking: Head, event: Event, at: Instant) -> str:
    """Return the line for `event`, linked to both chains."""
    about = event.docking is not None
    return canonical(
        {
            "seq": last.seq + 1,
            "prev": last.sha256,
            "docking": event.docking,
            "docking_seq": last_of_docking.seq + 1 if about else None,
            "docking_prev": last_of_docking.sha256 if about else None,
            "kind": event.kind,
            "actor": event.actor,
            "at": stamp(at.utc),
            "monotonic_ns": at.monotonic_ns,
            "boot": at.boot,
            "clock_trusted": at.trusted,
            "facts": dict(event.facts),
        }
    )


def verify(lines: Iterable[str]) -> Head:
    """Walk a station's whole log; raise `CustodyError` at the first bad line."""
    return _walk(lines, "seq", "prev")


def verify_docking(lines: Iterable[str], docking: DockingId) -> Head:
    """Walk the lines of one docking, which are a chain of their own."""
    held = list(lines)
    for number, line in enumerate(held, 1):
        if _parsed(line, number).get("docking") != docking:
            raise CustodyError(f"line {number} is not about docking {docking}")
    return _walk(held, "docking_seq", "docking_prev")


def _walk(lines: Iterable[str], number_key: str, link_key: str) -> Head:
    head = EMPTY
    for number, line in enumerate(lines, 1):
        fields = _parsed(line, number)
        if fields.get(number_key) != number:
            raise CustodyError(f"line {number} says it is {fields.get(number_key)}")
        if fields.get(link_key) != head.sha256:
            raise CustodyError(f"line {number} does not follow the line before it")
        head = Head(number, digest(line))
    return head


def _parsed(line: str, number: int) -> dict[str, Any]:
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise CustodyError(f"line {number} cannot be read: {error}") from error
    if not isinstance(fields, dict) or _loose(fields) != line:
        raise CustodyError(f"line {number} is not canonical")
    return fields


def _loose(fields: dict[str, Any]) -> str | None:
    return None if _has_float(fields) else canonical(fields)


def _has_float(thing: Any) -> bool:
    if isinstance(thing, Mapping):
        return any(_has_float(value) for value in thing.values())
    if isinstance(thing, list | tuple):
        return any(_has_float(value) for value in thing)
    return isinstance(thing, float)
