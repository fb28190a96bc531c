"""What the custody log says, read from its lines alone. Pure.

Of the station from all of them, as they come; of a docking from its own, so that
nobody has to keep what was said of every file there ever was.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dock_agent.clock import Instant, unstamp
from dock_agent.custody.chain import parse
from dock_agent.recording import DockingId, DockingState

STATES = frozenset(DockingState)


@dataclass(slots=True)
class Past:
    """One docking as the log tells of it.

    `verified` has the facts of each file that was, by its stored name; one that was
    set aside later is no longer among them. `signed` is the SHA-256 of the tag
    manifest, and `key` the id of its key, once it was sealed.
    """

    id: DockingId
    camera: str
    bay: str
    identity: Mapping[str, Any]
    opened: Instant
    state: DockingState = DockingState.OPENED
    ended_at: datetime | None = None
    complete: bool | None = None
    reason: str | None = None
    signed: str | None = None
    key: str | None = None
    verified: dict[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Order:
    """A hold that stands: who placed it, why, and when (RFC 3339 UTC)."""

    by: str
    why: str
    at: str


@dataclass(slots=True)
class Memory:
    """What the log says of the station, and which dockings there were.

    `keys` are ids, `pems` the keys it has whole.
    """

    dockings: set[DockingId] = field(default_factory=set)
    holds: dict[DockingId, Order] = field(default_factory=dict)
    markers: dict[str, str] = field(default_factory=dict)  # by destination
    keys: set[str] = field(default_factory=set)
    pems: list[str] = field(default_factory=list)

    def hear(self, line: Mapping[str, Any]) -> None:
        """Learn from the next line."""
        kind, facts, ident = line["kind"], line["facts"], line["docking"]
        match kind:
            case "docked":
                self.dockings.add(ident)
            case "hold placed":
                self.holds[ident] = Order(line["actor"], facts["reason"], line["at"])
            case "hold lifted":
                self.holds.pop(ident, None)
            case "destination bound":
                self.markers[facts["destination"]] = facts["marker"]
            case "key changed":
                self.keys |= {facts["key"], facts["before"] or facts["key"]}
                self.pems.append(facts["public"])
            case DockingState.SEALED:
                self.keys.add(facts["key"])


def recall(lines: Iterable[str]) -> Past:
    """Return what the lines of one docking tell; they are verified, and not none."""
    first, *others = (parse(line, number) for number, line in enumerate(lines, 1))
    past = _docked(first)
    for line in others:
        _learn(past, line)
    return past


def _docked(line: Mapping[str, Any]) -> Past:
    facts = line["facts"]
    opened = Instant(
        unstamp(line["at"]),
        line["monotonic_ns"],
        line["boot"],
        trusted=line["clock_trusted"],
    )
    known = facts["camera"], facts["bay"], facts["identity"]
    return Past(line["docking"], *known, opened)


def _learn(past: Past, line: Mapping[str, Any]) -> None:
    kind, facts = line["kind"], line["facts"]
    if kind == "verified":
        past.verified[facts["file"]] = facts
    elif kind == "quarantined":
        past.verified.pop(facts["file"], None)
    elif kind in STATES:
        past.state = DockingState(kind)
        ends = past.state not in {DockingState.COPYING, DockingState.CHECKING}
        past.ended_at = unstamp(line["at"]) if ends else None
        past.reason, past.complete = facts.get("reason"), facts.get("complete")
        past.signed, past.key = facts.get("tagmanifest_sha256"), facts.get("key")
