"""What the pages and the command line read: plain facts, in one query each."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dock_agent.clock import unstamp
from dock_agent.errors import StoreError
from dock_agent.recording import (
    CameraId,
    Ciphertext,
    Digest,
    DockingId,
    FileId,
    FileState,
    RecordingId,
)
from dock_agent.store import facts
from dock_agent.store.file import ciphertext
from dock_agent.store.files import shown

LAST = ("~", RecordingId("~"))  # sorts after every time and every ULID


@dataclass(frozen=True, slots=True)
class Owed:
    """A camera whose latest docking was interrupted: `done` of `total` files safe."""

    camera: CameraId
    bay: str
    done: int
    total: int
    since: datetime
    reason: str | None


@dataclass(frozen=True, slots=True)
class DockingLine:
    """One docking as a row of a page."""

    id: DockingId
    camera: CameraId
    bay: str
    state: str
    complete: bool | None
    opened_at: datetime
    ended_at: datetime | None
    reason: str | None
    files: int
    size: int


@dataclass(frozen=True, slots=True)
class FileLine:
    """One file with its state at each destination. `name` is text for people.

    `size` and `sha256` are of the file as its camera had it.

    `formerly` is what was said of it where the station does not look any more: at
    destinations that the configuration no longer names. It vouches for nothing.
    `facts` were derived from it, `no_facts` is why none could be: neither is evidence.
    """

    id: FileId
    docking: DockingId
    name: str
    size: int
    sha256: Digest | None
    encrypted: Ciphertext | None  # what the vault and the destinations have of it
    state: FileState
    reason: str | None
    destinations: dict[str, str]
    formerly: dict[str, str]
    facts: dict[str, Any] | None = None
    no_facts: str | None = None


@dataclass(frozen=True, slots=True)
class RecordingLine:
    """One recording with its files. `start` is RFC 3339 UTC.

    `findings` is what is odd in the timeline of its whole docking, in words.
    """

    id: RecordingId
    docking: DockingId
    camera: CameraId
    officer: str | None
    start: str
    name: str
    files: tuple[FileLine, ...]
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Search:
    """What a page of recordings is limited to; `after` is the last one seen."""

    camera: str | None = None
    text: str | None = None
    after: tuple[str, RecordingId] | None = None
    limit: int = 50


def owed(conn: sqlite3.Connection) -> list[Owed]:
    """Return the cameras whose docking that was written last left something."""
    rows = conn.execute(
        "SELECT d.*, (SELECT count(*) FROM file WHERE docking = d.id"
        "  AND state IN ('verified', 'held')) AS done,"
        " (SELECT count(*) FROM file WHERE docking = d.id"
        "  AND state <> 'skipped') AS total"
        " FROM camera CROSS JOIN docking AS d ON d.id = (SELECT id FROM docking"
        "  WHERE camera = camera.id ORDER BY rowid DESC LIMIT 1)"
        " WHERE d.state IN ('interrupted', 'waiting', 'fault') OR d.complete = 0"
        " ORDER BY d.id"
    )
    return [
        Owed(
            CameraId(row["camera"]),
            row["bay"],
            row["done"],
            row["total"],
            unstamp(row["ended_at"] or row["opened_at"]),
            row["reason"],
        )
        for row in rows
    ]


def dockings(
    conn: sqlite3.Connection, *, before: DockingId | None = None, limit: int = 50
) -> list[DockingLine]:
    """Return dockings, newest first; `before` is the last one seen."""
    rows = conn.execute(
        "SELECT d.*, count(f.id) AS files, coalesce(sum(f.size), 0) AS size"
        " FROM (SELECT * FROM docking WHERE id < ? ORDER BY id DESC LIMIT ?) AS d"
        " LEFT JOIN file AS f ON f.docking = d.id"
        "  AND f.state IN ('verified', 'held', 'expired')"
        " GROUP BY d.id ORDER BY d.id DESC",
        (before or LAST[0], limit),
    )
    return [_docking(row) for row in rows]


def _docking(row: sqlite3.Row) -> DockingLine:
    return DockingLine(
        id=DockingId(row["id"]),
        camera=CameraId(row["camera"]),
        bay=row["bay"],
        state=row["state"],
        complete=None if row["complete"] is None else bool(row["complete"]),
        opened_at=unstamp(row["opened_at"]),
        ended_at=None if row["ended_at"] is None else unstamp(row["ended_at"]),
        reason=row["reason"],
        files=row["files"],
        size=row["size"],
    )


# What an earlier docking holds is shown there, once.
RECORDINGS = """
SELECT * FROM recording WHERE (start, id) < (:start, :last)
AND (:text IS NULL OR name LIKE :text ESCAPE '\\' OR officer LIKE :text ESCAPE '\\')
AND EXISTS (SELECT 1 FROM file WHERE recording = recording.id AND state <> 'held')
ORDER BY start DESC, id DESC LIMIT :limit
"""
OF_CAMERA = RECORDINGS.replace("WHERE", "WHERE camera = :camera AND", 1)


def recordings(conn: sqlite3.Connection, search: Search) -> list[RecordingLine]:
    """Return a page of recordings, newest first (keyset, never OFFSET)."""
    start, last = search.after or LAST
    asked = {
        "camera": search.camera,
        "text": None if search.text is None else f"%{_escaped(search.text)}%",
        "start": start,
        "last": last,
        "limit": search.limit,
    }
    chosen = RECORDINGS if search.camera is None else OF_CAMERA
    rows = conn.execute(chosen, asked).fetchall()
    return [_recording(conn, row) for row in rows]


def recording(conn: sqlite3.Connection, ident: RecordingId) -> RecordingLine:
    """Return one recording; raise `StoreError` if there is none."""
    row = conn.execute("SELECT * FROM recording WHERE id = ?", (ident,)).fetchone()
    if row is None:
        raise StoreError(f"no recording {ident}")
    return _recording(conn, row)


def file(conn: sqlite3.Connection, ident: FileId) -> FileLine:
    """Return one file; raise `StoreError` if there is none."""
    rows = conn.execute("SELECT * FROM file WHERE id = ?", (ident,))
    found = _files(conn, rows)
    if not found:
        raise StoreError(f"no file {ident}")
    return found[0]


def custody_of_file(conn: sqlite3.Connection, ident: FileId) -> list[str]:
    """Return the custody lines that tell of a file or of its whole docking."""
    row = conn.execute(
        "SELECT docking, stored FROM file WHERE id = ?", (ident,)
    ).fetchone()
    if row is None:
        raise StoreError(f"no file {ident}")
    rows = conn.execute(
        "SELECT line, json_extract(line, '$.facts.file') AS file FROM custody"
        " WHERE docking = :docking"
        " AND (json_extract(line, '$.kind') NOT IN ('confirmed', 'refused',"
        "   'withdrawn', 'order', 'lost there', 'sent before')"
        "  OR json_extract(line, '$.facts.key')"
        "  IN (SELECT key FROM transfer WHERE file = :ident))"
        " AND (file IS NULL OR file = :stored) ORDER BY docking_seq",
        {"docking": row["docking"], "stored": row["stored"], "ident": ident},
    )
    return [line["line"] for line in rows]


def _recording(conn: sqlite3.Connection, row: sqlite3.Row) -> RecordingLine:
    files = conn.execute(
        "SELECT * FROM file WHERE recording = ? ORDER BY id", (row["id"],)
    )
    return RecordingLine(
        id=RecordingId(row["id"]),
        docking=DockingId(row["docking"]),
        camera=CameraId(row["camera"]),
        officer=row["officer"],
        start=row["start"],
        name=row["name"],
        files=tuple(_files(conn, files)),
        findings=tuple(facts.findings(conn, DockingId(row["docking"]))),
    )


def _files(conn: sqlite3.Connection, rows: Iterable[sqlite3.Row]) -> list[FileLine]:
    return [
        FileLine(
            id=FileId(row["id"]),
            **_facts(conn, FileId(row["id"])),
            docking=DockingId(row["docking"]),
            name=shown(bytes(row["path"])),
            size=row["size"],
            sha256=row["sha256"],
            encrypted=ciphertext(row),
            state=FileState(row["state"]),
            reason=row["reason"],
            destinations=_destinations(conn, row["held_by"] or row["id"], named=True),
            formerly=_destinations(conn, row["held_by"] or row["id"], named=False),
        )
        for row in list(rows)
    ]


def _facts(conn: sqlite3.Connection, ident: FileId) -> dict[str, Any]:
    told, reason = facts.of_file(conn, ident) or (None, None)
    return {"facts": None if told is None else json.loads(told), "no_facts": reason}


def _destinations(
    conn: sqlite3.Connection, ident: int, *, named: bool
) -> dict[str, str]:
    rows = conn.execute(
        "SELECT destination, state FROM transfer JOIN destination"
        " ON name = destination WHERE file = ? AND configured = ? ORDER BY 1",
        (ident, named),
    )
    return {row["destination"]: row["state"] for row in rows}


def _escaped(text: str) -> str:
    for special in "\\%_":
        text = text.replace(special, "\\" + special)
    return text
