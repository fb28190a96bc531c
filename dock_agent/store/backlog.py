"""What the queue holds, summed up: the same work however much it is."""

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime

from dock_agent.clock import unstamp
from dock_agent.recording import DestinationName, TransferState
from dock_agent.store.transfers import FARTHEST


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is not confirmed yet. `oldest` is when the first of it was queued."""

    count: int
    size: int
    refused: int
    oldest: datetime | None


def waiting(conn: sqlite3.Connection) -> Waiting:
    """Sum up what is not confirmed, over all destinations. However much: O(1)."""
    row = conn.execute(
        "SELECT coalesce(sum(count), 0) AS count, coalesce(sum(size), 0) AS size,"
        " coalesce(sum(count) FILTER (WHERE state = 'refused'), 0) AS refused,"
        " min((SELECT min(created_at) FROM transfer WHERE state <> 'confirmed'"
        "  AND state = backlog.state AND destination = backlog.destination)) AS oldest"
        " FROM backlog WHERE state NOT IN ('confirmed', 'withdrawn') AND count > 0"
    ).fetchone()
    oldest = None if row["oldest"] is None else unstamp(row["oldest"])
    return Waiting(row["count"], row["size"], row["refused"], oldest)


def confirmed(conn: sqlite3.Connection) -> int:
    """Count what the destinations have proved."""
    row = conn.execute(
        "SELECT coalesce(sum(count), 0) FROM backlog WHERE state = 'confirmed'"
    ).fetchone()
    return int(row[0])


@dataclass(frozen=True, slots=True)
class QueueLine:
    """The transfers in one state: how many, bytes, when the oldest was queued."""

    destination: DestinationName
    state: TransferState
    count: int
    size: int
    oldest: datetime | None


def queue(conn: sqlite3.Connection, now: datetime) -> list[QueueLine]:
    """Sum up the unconfirmed transfers of each destination by state.

    What a worker claimed counts as being sent while its lease lasts: one that was
    killed sends nothing more, whatever its rows say.
    """
    rows = conn.execute(
        "SELECT *, (SELECT min(created_at) FROM transfer WHERE state <> 'confirmed'"
        "  AND state = backlog.state AND destination = backlog.destination) AS oldest"
        " FROM backlog WHERE state NOT IN ('confirmed', 'withdrawn', 'sending')"
        " AND count > 0"
    ).fetchall()
    claimed = conn.execute(
        "SELECT t.destination, t.lease_until, 1 AS count, t.size,"
        " t.created_at AS oldest FROM backlog AS b"
        " CROSS JOIN transfer AS t INDEXED BY transfer_sending"
        " ON t.destination = b.destination AND t.state = 'sending'"
        " WHERE b.state = 'sending' AND b.count > 0"
    ).fetchall()
    lines = [_line(row, row["state"]) for row in rows]
    lines += [_line(row, _claimed(row, now)) for row in claimed]
    return _summed(lines)


def _line(row: sqlite3.Row, state: str) -> QueueLine:
    name, oldest = DestinationName(row["destination"]), unstamp(row["oldest"])
    return QueueLine(name, TransferState(state), row["count"], row["size"], oldest)


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
