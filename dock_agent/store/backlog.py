"""What the queue holds, summed up: the same work however much it is."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from dock_agent.clock import unstamp


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
