"""What the queue holds, summed up: the same work however much it is."""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from dock_agent.clock import unstamp
from dock_agent.recording import DestinationName, TransferId, TransferState


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is not confirmed yet. `oldest` is when the first of it was queued.

    A person must look at what is `refused`, and at what is `stranded`: it waits, in
    any state, for a destination that the configuration no longer names.
    """

    count: int
    size: int
    refused: int
    oldest: datetime | None
    stranded: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One object and destination. `due` is when it is tried again; None: it may go."""

    id: TransferId
    destination: DestinationName
    state: TransferState
    key: str
    size: int
    attempts: int
    due: datetime | None
    failure: str | None


@dataclass(frozen=True, slots=True)
class Listing:
    """The first objects, and how many there are besides."""

    lines: tuple[Line, ...]
    more: int


def waiting(conn: sqlite3.Connection) -> Waiting:
    """Sum up what is not confirmed, over all destinations. However much: O(1)."""
    row = conn.execute(
        "SELECT coalesce(sum(count), 0) AS count, coalesce(sum(size), 0) AS size,"
        " coalesce(sum(count) FILTER (WHERE state = 'refused' AND configured), 0)"
        "  AS refused,"
        " coalesce(sum(count) FILTER (WHERE NOT configured), 0) AS stranded,"
        " min((SELECT min(created_at) FROM transfer WHERE state <> 'confirmed'"
        "  AND state = backlog.state AND destination = backlog.destination)) AS oldest"
        " FROM backlog JOIN destination ON name = backlog.destination"
        " WHERE state NOT IN ('confirmed', 'withdrawn') AND count > 0"
    ).fetchone()
    oldest = None if row["oldest"] is None else unstamp(row["oldest"])
    return Waiting(row["count"], row["size"], row["refused"], oldest, row["stranded"])


def by_destination(conn: sqlite3.Connection) -> dict[DestinationName, int]:
    """Count what is not confirmed yet for each destination that has any of it."""
    rows = conn.execute(
        "SELECT destination, sum(count) AS count FROM backlog"
        " WHERE state NOT IN ('confirmed', 'withdrawn') AND count > 0"
        " GROUP BY destination"
    )
    return {DestinationName(row["destination"]): row["count"] for row in rows}


def moving(conn: sqlite3.Connection) -> int:
    """Count what goes by itself, sooner or later: no person has to say anything."""
    row = conn.execute(
        "SELECT coalesce(sum(count), 0) FROM backlog"
        " JOIN destination ON name = backlog.destination"
        " WHERE state IN ('queued', 'sending') AND configured AND NOT paused"
    ).fetchone()
    return int(row[0])


def confirmed(conn: sqlite3.Connection) -> int:
    """Count what the destinations have proved that the configuration names."""
    row = conn.execute(
        "SELECT coalesce(sum(count), 0) FROM backlog"
        " JOIN destination ON name = backlog.destination"
        " WHERE state = 'confirmed' AND configured"
    ).fetchone()
    return int(row[0])


def listed(
    conn: sqlite3.Connection,
    states: Collection[TransferState],
    limit: int,
    destination: DestinationName | None = None,
) -> Listing:
    """List objects in these states, the longest queued first.

    A seek for each destination and state, however many there are.
    """
    held = conn.execute(
        "SELECT destination, state, count FROM backlog WHERE count > 0"
        " AND state IN (SELECT value FROM json_each(?))"
        " AND (? IS NULL OR destination = ?)",
        (json.dumps(list(states)), destination, destination),
    ).fetchall()
    rows = [
        row
        for one in held
        for row in conn.execute(_first(one["state"]), (*one[:2], limit))
    ]
    first = sorted(rows, key=lambda row: (row["created_at"], row["id"]))[:limit]
    total = sum(one["count"] for one in held)
    return Listing(tuple(map(_line, first)), total - len(first))


def _first(state: str) -> str:
    if state == TransferState.CONFIRMED:
        return "SELECT * FROM transfer WHERE +destination = ? AND +state = ? LIMIT ?"
    return (
        "SELECT * FROM transfer INDEXED BY transfer_unsent WHERE state <> 'confirmed'"
        " AND destination = ? AND state = ? ORDER BY created_at, id LIMIT ?"
    )


def _line(row: sqlite3.Row) -> Line:
    return Line(
        id=TransferId(row["id"]),
        destination=DestinationName(row["destination"]),
        state=TransferState(row["state"]),
        key=row["key"],
        size=row["size"],
        attempts=row["attempts"],
        due=unstamp(row["due"]) if row["due"] else None,
        failure=row["failure"],
    )
