"""Where the custody log is not what it was, and who has seen that it is so."""

import sqlite3
from dataclasses import dataclass

from dock_agent.clock import Instant
from dock_agent.custody.chain import Event
from dock_agent.errors import NoSuchAlarm, NotAllowed
from dock_agent.store import custody
from dock_agent.store.db import writer


@dataclass(frozen=True, slots=True)
class Alarm:
    """What was found at a place: "station", or a destination; one at a time there.

    `by` is who acknowledged it, and `why`; None while nobody has.
    """

    place: str
    told: str
    by: str | None = None
    why: str | None = None

    def __str__(self) -> str:
        return f"{self.place}: {self.told}"


@writer
def alarm(conn: sqlite3.Connection, place: str, told: str, at: Instant) -> bool:
    """A place does not have the log that we have: said once, and put on record.

    Returns whether that is new. Once somebody has acknowledged one, whatever else is
    found at that place is a new one.
    """
    cursor = conn.execute(
        "INSERT INTO alarm (place, told) VALUES (?, ?) ON CONFLICT (place) DO UPDATE"
        " SET told = excluded.told, acknowledged_by = NULL, why = NULL"
        " WHERE acknowledged_by IS NOT NULL AND told <> excluded.told",
        (place, told),
    )
    new = cursor.rowcount == 1
    if new:
        facts = {"place": place, "reason": told}
        custody.append(conn, Event("log differs", facts=facts), at)
    return new


@writer
def acknowledge(conn: sqlite3.Connection, seen: Alarm, at: Instant) -> Alarm:
    """Put on record that somebody has seen an alarm; return it. It stands.

    Of `seen`, its place, who and why count. Raises `NoSuchAlarm` where none waits
    to be acknowledged, `NotAllowed` without a name or a reason.
    """
    if not (seen.by and seen.by.strip() and seen.why and seen.why.strip()):
        raise NotAllowed("an alarm is acknowledged with a name and a reason")
    found = next((a for a in every(conn) if a.place == seen.place), None)
    if found is None or found.by is not None:
        raise NoSuchAlarm(f"no alarm of {seen.place} waits to be acknowledged")
    conn.execute(
        "UPDATE alarm SET acknowledged_by = ?, why = ? WHERE place = ?",
        (seen.by, seen.why, seen.place),
    )
    facts = {"place": found.place, "reason": found.told, "why": seen.why}
    event = Event("alarm acknowledged", facts=facts, actor=seen.by)
    custody.append(conn, event, at)
    return found


def stands(conn: sqlite3.Connection, place: str) -> bool:
    """Whether an alarm was raised for a place, acknowledged or not."""
    row = conn.execute("SELECT 1 FROM alarm WHERE place = ?", (place,)).fetchone()
    return row is not None


def every(conn: sqlite3.Connection) -> list[Alarm]:
    """Return every alarm, by place."""
    rows = conn.execute(
        "SELECT place, told, acknowledged_by, why FROM alarm ORDER BY place"
    )
    return [Alarm(*row) for row in rows]
