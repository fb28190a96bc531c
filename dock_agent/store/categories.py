"""Which category a recording was put into; one that nobody put anywhere is kept."""

import sqlite3
from dataclasses import dataclass

from dock_agent.clock import Instant, stamp
from dock_agent.custody.chain import Event
from dock_agent.errors import NoSuchRecording, NotAllowed
from dock_agent.recording import DockingId, RecordingId
from dock_agent.store import custody
from dock_agent.store.db import writer


@dataclass(frozen=True, slots=True)
class Classified:
    """A recording's category: who set it, and when (RFC 3339 UTC)."""

    recording: RecordingId
    name: str
    by: str
    at: str


@writer
def put(
    conn: sqlite3.Connection, recording: RecordingId, name: str, by: str, at: Instant
) -> None:
    """Put a recording into a category; one that is in it already stays as it is.

    Raises `NotAllowed` without who says so, `NoSuchRecording`.
    """
    if not by.strip():
        raise NotAllowed("say who classifies it")
    row = conn.execute(
        "SELECT recording.docking, recording.name, category.name AS category"
        " FROM recording LEFT JOIN category ON category.recording = recording.id"
        " WHERE recording.id = ?",
        (recording,),
    ).fetchone()
    if row is None:
        raise NoSuchRecording(f"no recording has the id {recording}")
    if row["category"] == name:
        return
    conn.execute(
        "INSERT INTO category (recording, name, set_by, set_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (recording) DO UPDATE SET name = excluded.name,"
        " set_by = excluded.set_by, set_at = excluded.set_at",
        (recording, name, by, stamp(at.utc)),
    )
    facts = {"recording": row["name"], "category": name, "before": row["category"]}
    event = Event("category set", DockingId(row["docking"]), facts, actor=by)
    custody.append(conn, event, at)


def every(conn: sqlite3.Connection) -> list[Classified]:
    """Return every recording that is in a category, oldest first."""
    rows = conn.execute("SELECT * FROM category ORDER BY recording")
    return [
        Classified(
            RecordingId(row["recording"]), row["name"], row["set_by"], row["set_at"]
        )
        for row in rows
    ]
