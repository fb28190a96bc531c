"""What is kept how long: the terms in force, the plan of what goes, its approval.

The configuration says what is wanted. What keeps more holds at once; what keeps less
holds once two people have approved the plan that shows it.
"""

import hashlib
import os
import sqlite3
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec

from dock_agent.clock import Instant
from dock_agent.config import Config
from dock_agent.custody.chain import canonical
from dock_agent.errors import NotAllowed
from dock_agent.recording import DestinationName, Digest, DockingId, FileId, Policy
from dock_agent.store import alarms, approvals, files, kept
from dock_agent.store.approvals import Approval
from dock_agent.store.db import transaction
from dock_agent.store.kept import KeptFile, Listing
from dock_agent.vault import reached
from dock_agent.vault.disk import Disk, vault_errors
from dock_agent.vault.retention import (
    UNCLASSIFIED,
    Copy,
    Rule,
    Station,
    Use,
    doubt,
    objection,
)
from dock_agent.vault.terms import Terms, loosened, stricter, terms


class NotApproved(NotAllowed):
    """What would be destroyed is not what was approved."""

    hint = "`dock-agent retention plan` shows it as it is now, and its digest."


class Going(msgspec.Struct, frozen=True, kw_only=True):
    """One copy that would go. `size` is in bytes, `sha256` of the copy."""

    id: FileId
    docking: DockingId
    file: str
    size: int
    sha256: Digest


class Staying(msgspec.Struct, frozen=True, kw_only=True):
    """Copies that stay, and the one reason why. `bytes` is their size."""

    why: str
    files: int
    bytes: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What would go under the terms that are wanted, as `--json` prints it.

    `digest` names exactly this; `asks` is what two people have to approve, if anything.
    Every copy that goes is proved once more by each destination first.
    """

    digest: Digest
    asks: tuple[str, ...]
    in_force: Mapping[str, object]
    wanted: Mapping[str, object]
    against: str | None
    goes: tuple[Going, ...]
    stays: tuple[Staying, ...]
    files: int
    bytes: int


def wanted(config: Config) -> Terms:
    """Return the terms that the configuration asks for."""
    return Terms(
        config.retention.expire,
        Policy(config.release.erase),
        {category.name: category.keep_days for category in config.categories},
    )


def in_force(conn: sqlite3.Connection, config: Config) -> Terms:
    """Return the terms that hold now: the stricter of the last ones and the wanted.

    A station that never had any erases cameras as it was set up to, and keeps all
    that is in the vault.
    """
    new, facts = wanted(config), approvals.in_force(conn)
    begin = Terms(expire=False, erase=new.erase, days={})
    return stricter(begin if facts is None else terms(facts), new)


def enforce(conn: sqlite3.Connection, config: Config, at: Instant) -> Terms:
    """Remember what holds now: to go back from it takes an approval again."""
    now = in_force(conn, config)
    if now.facts() != approvals.in_force(conn):
        with transaction(conn):
            now = in_force(conn, config)
            approvals.enforce(conn, now.facts(), at)
    return now


def waits(config: Config, now: Terms) -> list[str]:
    """Return what the configuration asks for and only an approval brings."""
    return loosened(now, wanted(config))


def station(conn: sqlite3.Connection, disk: Disk, root: Path, at: Instant) -> Station:
    """Return what speaks against the whole station. Raises `VaultUnusable`."""
    return Station(
        now=at.utc,
        doubt=doubt(at, kept.readings(conn)),
        behind=reached.behind(disk, root, conn),
        alarms=tuple(map(str, alarms.every(conn))),  # also what somebody has seen
    )


def copy_of(found: KeptFile, disk: Disk, root: Path) -> Copy:
    """Return what the rules ask of a file, as it is on the disk now."""
    path = root / found.bag / "data" / found.file.stored
    with vault_errors():
        there = disk.size(path) if disk.exists(path) else None
    return Copy(
        state=found.file.state,
        size=found.file.copy_size,
        digest=found.file.copy_sha256,
        there=there,
        on_hold=found.on_hold,
        uses=tuple(map(_use, found.listings)),
        proofs=found.proofs,
        whole=found.whole,
    )


def rule_of(config: Config, now: Terms) -> Rule:
    """Return the rule of these terms, for the destinations of the configuration."""
    names = frozenset(DestinationName(table.name) for table in config.destinations)
    return Rule(now, names)


def plan(conn: sqlite3.Connection, config: Config, disk: Disk, at: Instant) -> Plan:
    """Return what would go if the wanted terms held. Raises `VaultUnusable`."""
    old, new = in_force(conn, config), wanted(config)
    rule, about = rule_of(config, new), station(conn, disk, config.vault_path, at)
    goes: list[Going] = []
    count, size = Counter[str](), Counter[str]()
    for ident in kept.classified(conn):
        found = kept.of_file(conn, ident)
        why = objection(rule, about, copy_of(found, disk, config.vault_path))
        if why is None:
            goes.append(_going(found))
            continue
        count[why] += 1
        size[why] += found.file.size
    _unclassified(conn, goes, count, size)
    return Plan(
        digest=_digest(old, new, goes),
        asks=tuple(loosened(old, new)),
        in_force=old.facts(),
        wanted=new.facts(),
        against=about.doubt or about.behind or next(iter(about.alarms), None),
        goes=tuple(goes),
        stays=tuple(Staying(why=w, files=count[w], bytes=size[w]) for w in count),
        files=len(goes),
        bytes=sum(going.size for going in goes),
    )


def approve(
    conn: sqlite3.Connection, config: Config, disk: Disk, word: Approval, at: Instant
) -> bool:
    """Take a person's word for a plan; return whether its terms hold now.

    Raises `NotApproved` if the plan is another by now, or shows nothing for certain,
    `NotAllowed` if nothing waits for it, or this person gave his word already.
    """
    enforce(conn, config, at)
    shown = plan(conn, config, disk, at)
    if shown.against is not None:
        raise NotApproved(f"nobody can say what would go: {shown.against}")
    if not shown.asks:
        raise NotAllowed("nothing waits for approval")
    if word.plan != shown.digest:
        raise NotApproved(f"the plan is {shown.digest} now")
    with transaction(conn):
        holds = approvals.approve(conn, word, wanted(config).facts(), at)
    reached.note(disk, config.vault_path, conn)
    return holds


def who() -> int:
    """Return the id of the user at the machine, also of one who became root by sudo."""
    uid = os.getuid()
    told = os.environ.get("SUDO_UID", "")
    return int(told) if uid == 0 and told.isdecimal() else uid


def _use(one: Listing) -> Use:
    return Use(
        category=one.category or UNCLASSIFIED,
        state=one.state,
        complete=one.complete,
        sealed_at=one.sealed_at,
        trusted=one.trusted,
        start=one.start,
        classified_at=one.classified_at,
        quarantined=one.quarantined,
    )


def _going(found: KeptFile) -> Going:
    file = found.file
    return Going(
        id=file.id,
        docking=file.docking,
        file=file.stored,
        size=file.copy_size,
        sha256=file.copy_sha256 or Digest(""),
    )


def _unclassified(
    conn: sqlite3.Connection,
    goes: list[Going],
    count: Counter[str],
    size: Counter[str],
) -> None:
    """Count what nobody classified: the rest of what the vault has."""
    whole = files.taken_in(conn)
    others = sum(count.values()) + len(goes)
    if whole.files > others:
        told = sum(size.values()) + sum(going.size for going in goes)
        count[UNCLASSIFIED] = whole.files - others
        size[UNCLASSIFIED] = max(0, whole.size - told)


def _digest(old: Terms, new: Terms, goes: list[Going]) -> Digest:
    facts = {
        "in_force": old.facts(),
        "wanted": new.facts(),
        "goes": sorted([g.docking, g.file, g.sha256] for g in goes),
    }
    return Digest(hashlib.sha256(canonical(facts).encode()).hexdigest())
