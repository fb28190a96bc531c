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


def files(conn: sqlite3.Connection, recording: RecordingId) -> list[FileId]:
    """Return the files of a recording; none if there is no such recording."""
    rows = conn.execute(
        "SELECT id FROM file WHERE recording = ? ORDER BY id", (recording,)
    )
    return [FileId(row["id"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Group:
    """When a file was last written, and what is known of its recording's files.

    Times are nanoseconds since 1970, by the camera's clock. `video`: whether one of
    them is an MP4 or a Matroska file, by its name.
    """

    file_ns: int
    last_ns: int
    video: bool


def group(conn: sqlite3.Connection, file: FileId) -> Group | None:
    """Return the group that a file of a recording is in; None if it is of none."""
    row = conn.execute(
        "SELECT (SELECT mtime_ns FROM file WHERE id = :file) AS file_ns,"
        " max(mtime_ns) AS last_ns,"
        " max(stored LIKE '%.mp4' OR stored LIKE '%.mkv') AS video FROM file"
        " WHERE recording = (SELECT recording FROM file WHERE id = :file)",
        {"file": file},
    ).fetchone()
    if row["last_ns"] is None:
        return None
    return Group(row["file_ns"], row["last_ns"], bool(row["video"]))


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
