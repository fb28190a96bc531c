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
TERMS = frozenset({"retention terms", "retention approved"})  # by two people, if so


@dataclass(slots=True)
class Past:
    """One docking as the log tells of it.

    `verified` has the facts of each file that was, by its stored name; one that was
    set aside later is no longer among them. `expired` are those whose copy went, or may
    have; `categories` what each recording was put into, by its name. `signed` is the
    SHA-256 of the tag manifest, and `key` the id of its key, once it was sealed.
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
    expired: set[str] = field(default_factory=set)
    categories: dict[str, "Category"] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Category:
    """What a recording was put into, by whom, and when (RFC 3339 UTC)."""

    name: str
    by: str
    at: str


@dataclass(frozen=True, slots=True)
class Order:
    """A hold that stands: who placed it, why, and when (RFC 3339 UTC)."""

    by: str
    why: str
    at: str


@dataclass(frozen=True, slots=True)
class TurnedOn:
    """Encryption that no order ended: since when, and the ids of its recipients."""

    since: str
    recipients: frozenset[str]


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
    encryption: TurnedOn | None = None
    terms: Mapping[str, Any] | None = None  # of retention, in force

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
            case DockingState.SEALED:
                self.keys.add(facts["key"])
            case _ if ident is None:
                self._hear_of_station(kind, facts)

    def _hear_of_station(self, kind: str, facts: Mapping[str, Any]) -> None:
        match kind:
            case "destination bound":
                self.markers[facts["destination"]] = facts["marker"]
            case "key changed":
                self.keys |= {facts["key"], facts["before"] or facts["key"]}
                self.pems.append(facts["public"])
            case "encryption on":
                known = frozenset(facts["recipients"])
                self.encryption = TurnedOn(facts["since"], known)
            case "encryption off":
                self.encryption = None
        if kind in TERMS and facts.get("holds", True):
            self.terms = facts["terms"]


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
    elif kind == "expire intended":
        past.expired.add(facts["file"])
    elif kind == "not expired":
        past.expired.discard(facts["file"])
    elif kind == "category set":
        told = Category(facts["category"], line["actor"], line["at"])
        past.categories[facts["recording"]] = told
    elif kind == "quarantined":
        past.verified.pop(facts["file"], None)
    elif kind in STATES:
        past.state = DockingState(kind)
        ends = past.state not in {DockingState.COPYING, DockingState.CHECKING}
        past.ended_at = unstamp(line["at"]) if ends else None
        past.reason, past.complete = facts.get("reason"), facts.get("complete")
        past.signed, past.key = facts.get("tagmanifest_sha256"), facts.get("key")
