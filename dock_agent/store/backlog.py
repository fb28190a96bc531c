"""What the queue holds, summed up: the same work however much it is."""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from dock_agent.clock import unstamp
from dock_agent.recording import DestinationName, TransferId, TransferState
from dock_agent.store.transfers import FARTHEST


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


def apart(conn: sqlite3.Connection, limit: int) -> Listing:
    """List what is confirmed, but kept apart there, the newest first: for a person.

    Only of destinations that the configuration names.
    """
    rows = conn.execute(
        "SELECT t.*, count(*) OVER () AS total FROM transfer AS t"
        " INDEXED BY transfer_apart JOIN destination AS d ON d.name = t.destination"
        " WHERE t.state = 'confirmed' AND t.failure IS NOT NULL AND d.configured"
        " ORDER BY t.id DESC LIMIT ?",
        (limit,),
    ).fetchall()
    total = rows[0]["total"] if rows else 0
    return Listing(tuple(map(_line, rows)), total - len(rows))


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


@dataclass(frozen=True, slots=True)
class QueueLine:
    """The transfers in one state: how many, bytes, when the oldest was queued.

    `configured` is whether the configuration still names their destination.
    """

    destination: DestinationName
    state: TransferState
    count: int
    size: int
    oldest: datetime | None
    configured: bool


def queue(conn: sqlite3.Connection, now: datetime) -> list[QueueLine]:
    """Sum up the unconfirmed transfers of each destination by state.

    What a worker claimed counts as being sent while its lease lasts: one that was
    killed sends nothing more, whatever its rows say.
    """
    rows = conn.execute(
        "SELECT backlog.*, configured, (SELECT min(created_at) FROM transfer"
        "  WHERE state <> 'confirmed' AND state = backlog.state"
        "  AND destination = backlog.destination) AS oldest"
        " FROM backlog JOIN destination ON name = backlog.destination"
        " WHERE state NOT IN ('confirmed', 'withdrawn', 'sending') AND count > 0"
    ).fetchall()
    claimed = conn.execute(
        "SELECT t.destination, t.lease_until, 1 AS count, t.size,"
        " t.created_at AS oldest, d.configured FROM backlog AS b"
        " CROSS JOIN destination AS d ON d.name = b.destination"
        " CROSS JOIN transfer AS t INDEXED BY transfer_sending"
        " ON t.destination = b.destination AND t.state = 'sending'"
        " WHERE b.state = 'sending' AND b.count > 0"
    ).fetchall()
    lines = [_queued(row, row["state"]) for row in rows]
    lines += [_queued(row, _claimed(row, now)) for row in claimed]
    return _summed(lines)


def _queued(row: sqlite3.Row, state: str) -> QueueLine:
    return QueueLine(
        DestinationName(row["destination"]),
        TransferState(state),
        row["count"],
        row["size"],
        unstamp(row["oldest"]),
        bool(row["configured"]),
    )


def _claimed(row: sqlite3.Row, now: datetime) -> TransferState:
    lasts = now < unstamp(row["lease_until"]) <= now + FARTHEST
    return TransferState.SENDING if lasts else TransferState.QUEUED


def _summed(lines: list[QueueLine]) -> list[QueueLine]:
    found: dict[tuple[str, str], QueueLine] = {}
    for line in lines:
        key = line.destination, line.state
        before = found.get(key)
        found[key] = line if before is None else _both(before, line)
    return [line for _, line in sorted(found.items())]


def _both(one: QueueLine, other: QueueLine) -> QueueLine:
    times = [line.oldest for line in (one, other) if line.oldest is not None]
    return replace(
        one,
        count=one.count + other.count,
        size=one.size + other.size,
        oldest=min(times, default=None),
    )
