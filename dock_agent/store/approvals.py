"""The terms in force, and which people approved terms that destroy more."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dock_agent.clock import Instant, stamp
from dock_agent.custody.chain import Event, canonical
from dock_agent.errors import NotAllowed
from dock_agent.recording import Digest
from dock_agent.store import custody
from dock_agent.store.db import writer

KEY = "retention terms"  # of the table `station`
PEOPLE = 2


@dataclass(frozen=True, slots=True)
class Approval:
    """One person's word for a plan: a user of this machine, and the name he gave."""

    plan: Digest
    uid: int
    actor: str


def in_force(conn: sqlite3.Connection) -> Mapping[str, Any] | None:
    """Return the facts of the terms in force; None before any were."""
    row = conn.execute("SELECT value FROM station WHERE key = ?", (KEY,)).fetchone()
    return None if row is None else json.loads(row["value"])


@writer
def enforce(conn: sqlite3.Connection, facts: Mapping[str, Any], at: Instant) -> None:
    """These terms hold from now on, which keep no less than those before."""
    _set(conn, facts)
    told = {"terms": dict(facts)}
    custody.append(conn, Event("retention terms", facts=told), at)


@writer
def approve(
    conn: sqlite3.Connection, word: Approval, facts: Mapping[str, Any], at: Instant
) -> bool:
    """Take a person's word for a plan; with the second person's its terms hold.

    Returns whether they hold now. Raises `NotAllowed` without a name, or for the
    same user or name again.
    """
    if not word.actor.strip():
        raise NotAllowed("say who approves it")
    before = conn.execute(
        "SELECT uid, actor FROM approval WHERE plan = ?", (word.plan,)
    ).fetchall()
    names = {row["actor"].strip().casefold() for row in before}
    if word.uid in {row["uid"] for row in before}:
        raise NotAllowed(f"user {word.uid} approved it already: a second person must")
    if word.actor.strip().casefold() in names:
        raise NotAllowed(f"{word.actor} approved it already: a second person must")
    conn.execute(
        "INSERT INTO approval (plan, uid, actor, given_at) VALUES (?, ?, ?, ?)",
        (word.plan, word.uid, word.actor, stamp(at.utc)),
    )
    holds = len(before) + 1 >= PEOPLE
    told = {"plan": word.plan, "uid": word.uid, "terms": dict(facts), "holds": holds}
    custody.append(conn, Event("retention approved", None, told, word.actor), at)
    if holds:
        _set(conn, facts)
        conn.execute("DELETE FROM approval")  # whatever else was on its way is void
    return holds


@writer
def restore(conn: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
    """Write the terms that were in force; the log tells of them already."""
    _set(conn, facts)


def _set(conn: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
    conn.execute(
        "INSERT INTO station (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (KEY, canonical(dict(facts))),
    )
