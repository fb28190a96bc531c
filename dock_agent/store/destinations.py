"""The destinations, and what is known of the way to each."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from dock_agent.clock import Instant, stamp, unstamp
from dock_agent.recording import DestinationName, LinkState
from dock_agent.store.db import writer


@dataclass(frozen=True, slots=True)
class DestinationRow:
    """One destination as the station remembers it. Times are aware UTC."""

    name: DestinationName
    kind: str
    link: LinkState
    link_since: datetime | None
    last_success: datetime | None
    last_failure: datetime | None
    failure: str | None
    try_after: datetime | None
    attempts: int


@writer
def ensure(conn: sqlite3.Connection, name: DestinationName, kind: str) -> None:
    """Know a destination from the configuration."""
    conn.execute(
        "INSERT INTO destination (name, kind, link) VALUES (?, ?, 'unknown')"
        " ON CONFLICT (name) DO UPDATE SET kind = excluded.kind",
        (name, kind),
    )


@writer
def answered(
    conn: sqlite3.Connection, name: DestinationName, link: LinkState, at: Instant
) -> None:
    """The destination itself answered: nothing rests any more."""
    now = stamp(at.utc)
    conn.execute(
        "UPDATE destination SET last_success = :now, try_after = NULL, attempts = 0,"
        " failure = NULL,"
        " link_since = CASE WHEN link = :link THEN link_since ELSE :now END,"
        " link = :link WHERE name = :name",
        {"now": now, "link": link, "name": name},
    )


@dataclass(frozen=True, slots=True)
class Silence:
    """A destination that could not be reached: why, and when it is tried again."""

    link: LinkState
    failure: str
    try_after: datetime


@writer
def silent(
    conn: sqlite3.Connection, name: DestinationName, silence: Silence, at: Instant
) -> None:
    """The whole destination rests: one probe finds it again, not every file."""
    conn.execute(
        "UPDATE destination SET last_failure = :now, failure = :failure,"
        " try_after = :after, attempts = attempts + 1,"
        " link_since = CASE WHEN link = :link THEN link_since ELSE :now END,"
        " link = :link WHERE name = :name",
        {
            "now": stamp(at.utc),
            "failure": silence.failure,
            "after": stamp(silence.try_after),
            "link": silence.link,
            "name": name,
        },
    )


def every(conn: sqlite3.Connection) -> list[DestinationRow]:
    """Return all of them by name."""
    return [_row(row) for row in conn.execute("SELECT * FROM destination ORDER BY 1")]


def get(conn: sqlite3.Connection, name: DestinationName) -> DestinationRow:
    """Return one destination that the configuration names."""
    row = conn.execute("SELECT * FROM destination WHERE name = ?", (name,)).fetchone()
    return _row(row)


def _time(text: str | None) -> datetime | None:
    return None if text is None else unstamp(text)


def _row(row: sqlite3.Row) -> DestinationRow:
    return DestinationRow(
        name=DestinationName(row["name"]),
        kind=row["kind"],
        link=LinkState(row["link"]),
        link_since=_time(row["link_since"]),
        last_success=_time(row["last_success"]),
        last_failure=_time(row["last_failure"]),
        failure=row["failure"],
        try_after=_time(row["try_after"]),
        attempts=row["attempts"],
    )
