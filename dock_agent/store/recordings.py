"""Recordings: what an officer started and stopped, as a group of files."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from dock_agent.recording import CameraId, DockingId, FileId, RecordingId
from dock_agent.store.db import writer


@dataclass(frozen=True, slots=True)
class NewRecording:
    """A recording found in an inventory. `start` is RFC 3339 UTC."""

    id: RecordingId
    name: str
    start: str
    officer: str | None = None


def of_file(conn: sqlite3.Connection, file: FileId) -> NewRecording | None:
    """Return the recording that a file belongs to; None if to none."""
    row = conn.execute(
        "SELECT recording.* FROM recording JOIN file ON file.recording = recording.id"
        " WHERE file.id = ?",
        (file,),
    ).fetchone()
    if row is None:
        return None
    ident = RecordingId(row["id"])
    return NewRecording(ident, row["name"], row["start"], row["officer"])


@dataclass(frozen=True, slots=True)
class Written:
    """When a file was last written, and the last file of its recording.

    Nanoseconds since 1970, by the camera's clock.
    """

    file_ns: int
    last_ns: int


def written(conn: sqlite3.Connection, file: FileId) -> Written | None:
    """Return when a file of a recording was last written; None if it is of none."""
    row = conn.execute(
        "SELECT mtime_ns, (SELECT max(mtime_ns) FROM file AS other"
        "  WHERE other.recording = file.recording) AS last_ns"
        " FROM file WHERE id = ? AND recording IS NOT NULL",
        (file,),
    ).fetchone()
    return None if row is None else Written(row["mtime_ns"], row["last_ns"])


@writer
def add(
    conn: sqlite3.Connection,
    docking: DockingId,
    camera: CameraId,
    found: Iterable[NewRecording],
) -> None:
    """Write the recordings of a docking."""
    conn.executemany(
        "INSERT INTO recording (id, docking, camera, officer, start, name)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        ((one.id, docking, camera, one.officer, one.start, one.name) for one in found),
    )
