"""May the vault's own copy of a file go? The rules, and nothing else. Pure.

Each rule is a sentence that says why not. They are asked twice: for the plan, from
what is on record, and again in the transaction that commits the intent; in between
each destination has proved its copy anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dock_agent.clock import Instant
from dock_agent.recording import (
    DestinationName,
    Digest,
    DockingState,
    FileState,
    Proof,
)
from dock_agent.vault.terms import Terms

PROVES = frozenset({Proof.READ_BACK, Proof.ECHOED})
EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)  # no station is older than its program
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
GRACE = timedelta(days=7)  # after somebody changed a category: time to notice
APART = timedelta(
    minutes=5
)  # that two clocks of one boot may differ: no step is so small
UNCLASSIFIED = "unclassified"  # what nobody classified: it is kept


@dataclass(frozen=True, slots=True)
class Rule:
    """What is in force, and which destinations have to hold each copy."""

    terms: Terms
    destinations: frozenset[DestinationName]  # of the configuration


@dataclass(frozen=True, slots=True)
class Station:
    """What speaks against the whole station; None: nothing does.

    `behind`: its database is not the one that the vault saw last. `doubt`: of the
    clock. `alarms`: where the custody log is not what it was.
    """

    now: datetime
    doubt: str | None = None
    behind: str | None = None
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Use:
    """One docking's listing of the bytes: its own, or one that rests on the copy.

    `start` is the recording's, by the camera's clock. `sealed_at` is None unless it
    is sealed; `trusted`: the station's clock was, then. `classified_at` is when its
    category was last set.
    """

    category: str
    state: DockingState
    complete: bool | None
    sealed_at: datetime | None
    trusted: bool
    start: datetime | None = None
    classified_at: datetime | None = None
    quarantined: bool = False  # anything of that docking


@dataclass(frozen=True, slots=True)
class Copy:
    """One file of the vault, and everything that is known of it.

    `there` is how long it is on the disk now, `size` how long it was. `proofs` are of
    its digest, on record; `whole` are destinations that have all of its docking.
    """

    state: FileState
    size: int
    digest: Digest | None
    there: int | None
    on_hold: bool  # by any docking that listed it
    uses: tuple[Use, ...]
    proofs: Mapping[DestinationName, Proof]
    whole: frozenset[DestinationName]


Answer = tuple[bool, str]


def objection(rule: Rule, station: Station, copy: Copy) -> str | None:
    """Return why this copy may not go; None if it may, once it is proved again."""
    for allowed, told in (
        *_of_station(rule, station),
        *_of_copy(copy),
        *(answer for use in copy.uses for answer in _of_use(rule, station, use)),
        *_of_places(rule, copy),
    ):
        if not allowed:
            return told
    return None


def unproved(rule: Rule, asked: Mapping[DestinationName, Proof]) -> str | None:
    """Return who did not prove the copy when asked just now; None if all did."""
    for name in sorted(rule.destinations):
        if asked.get(name) not in PROVES:
            return f"{name} did not prove it when asked again"
    return None if rule.destinations else "no destination is configured"


def due(rule: Rule, use: Use) -> datetime | None:
    """Return when this use of the copy ends; None: never, or not known."""
    days = rule.terms.days.get(use.category)
    if days is None or use.category == UNCLASSIFIED or use.classified_at is None:
        return None
    if use.sealed_at is None or not use.trusted:
        return None
    begin = max(use.sealed_at, use.start or use.sealed_at)
    try:
        return max(begin + timedelta(days=days), use.classified_at + GRACE)
    except OverflowError:
        return None


def _of_station(rule: Rule, station: Station) -> list[Answer]:
    return [
        (rule.terms.expire, "this station expires nothing"),
        (bool(rule.destinations), "no destination is configured"),
        (EARLIEST <= station.now < LATEST, "the station's clock is wrong"),
        (station.doubt is None, f"the clock: {station.doubt}"),
        (station.behind is None, f"{station.behind}"),
        (not station.alarms, "the custody log is not what it was: see `doctor`"),
    ]


def _of_copy(copy: Copy) -> list[Answer]:
    return [
        (copy.state is FileState.VERIFIED, f"it is {copy.state}"),
        (copy.digest is not None, "it has no digest"),
        (not copy.on_hold, "it is on hold"),
        (copy.there == copy.size, "it is not in the vault as it was"),
        (bool(copy.uses), "nothing says what it is"),
    ]


def _of_use(rule: Rule, station: Station, use: Use) -> list[Answer]:
    ends = due(rule, use)
    left = f"until {ends:%Y-%m-%d}" if ends is not None else "for ever"
    return [
        (use.state is DockingState.SEALED, "its docking is not sealed"),
        (use.complete is True, "its docking is not complete"),
        (not use.quarantined, "something of its docking is in quarantine"),
        (use.sealed_at is not None, "nothing says when it was sealed"),
        (use.trusted, "it was sealed by a clock that was not trusted"),
        (
            use.sealed_at is None or use.sealed_at <= station.now,
            "the clock was set back since the seal",
        ),
        (
            ends is not None and ends <= station.now,
            f"category {use.category}: it is kept {left}",
        ),
    ]


def _of_places(rule: Rule, copy: Copy) -> list[Answer]:
    names = sorted(rule.destinations)
    return [
        *((copy.proofs.get(n) in PROVES, f"{n} has not proved it") for n in names),
        *((n in copy.whole, f"{n} has not all of its docking") for n in names),
    ]


def doubt(now: Instant, past: Sequence[Instant]) -> str | None:
    """Return what speaks against the clock, held against earlier readings of it.

    Within one boot the time may not have moved otherwise than the clock that never
    steps; nothing on record may be later than now.
    """
    if not now.trusted:
        return "it is not synchronised"
    if any(then.utc > now.utc for then in past):
        return "it was set back: something on record is later than now"
    same = [then for then in past if then.trusted and then.boot == now.boot]
    if not same:
        return "nothing on record since the start of the machine vouches for it"
    for then in same:
        ran = timedelta(microseconds=(now.monotonic_ns - then.monotonic_ns) // 1000)
        if abs((now.utc - then.utc) - ran) > APART:
            return "it was set since the start of the machine"
    return None
