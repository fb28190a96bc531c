"""What was found wrong with a copy, here or at a destination, until it is mended."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from dock_agent.clock import Instant, stamp
from dock_agent.store.db import writer

VAULT = "vault"  # the place that is no destination
SHOWN = timedelta(days=30)  # that a person can still see what was mended
MOST = 20  # in one answer


@dataclass(frozen=True, slots=True)
class Alert:
    """A copy that is not what it should be. `path` is below the vault."""

    place: str
    path: str
    told: str


@writer
def sound(conn: sqlite3.Connection, alert: Alert, at: Instant) -> bool:
    """Raise an alert; one that stands already stays as it is. Return if it is new."""
    cursor = conn.execute(
        "INSERT INTO alert (place, path, told, raised_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (alert.place, alert.path, alert.told, stamp(at.utc)),
    )
    return cursor.rowcount == 1


@writer
def mend(conn: sqlite3.Connection, place: str, path: str, at: Instant) -> bool:
    """The copy is what it should be again. Return whether an alert stood."""
    cursor = conn.execute(
        "UPDATE alert SET mended_at = ? WHERE place = ? AND path = ?"
        " AND mended_at IS NULL",
        (stamp(at.utc), place, path),
    )
    return cursor.rowcount == 1


def standing(conn: sqlite3.Connection) -> int:
    """Count the alerts that stand."""
    row = conn.execute("SELECT count(*) FROM alert WHERE mended_at IS NULL")
    return int(row.fetchone()[0])


def lines(conn: sqlite3.Connection, now: datetime) -> list[str]:
    """Return what stands, the oldest first, and what was mended lately, in words."""
    found = conn.execute(
        "SELECT place, path, told FROM alert INDEXED BY alert_open"
        " WHERE mended_at IS NULL ORDER BY id LIMIT ?",
        (MOST,),
    ).fetchall()
    told = [f"{row['place']}: {row['path']} {row['told']}." for row in found]
    more = standing(conn) - len(found)
    told += [f"And {more} more."] if more else []
    (mended,) = conn.execute(
        "SELECT count(*) FROM alert WHERE mended_at > ?", (stamp(now - SHOWN),)
    ).fetchone()
    told += [f"Mended in the last {SHOWN.days} days: {mended}."] if mended else []
    return told
