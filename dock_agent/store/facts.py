"""What was derived of files and of dockings: may be lost, and made again."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from dock_agent.clock import Instant, stamp
from dock_agent.custody.chain import Event
from dock_agent.recording import CameraId, DockingId, FileId
from dock_agent.store import custody
from dock_agent.store.db import writer


@dataclass(frozen=True, slots=True)
class Source:
    """A file that facts are derived from; `docking` and `stored` say where it lies.

    `file` is the one whose copy it is: of one that an earlier docking holds, that.
    `told` is JSON, None before it was looked at, and where it told nothing.
    """

    file: FileId
    path: bytes
    bag: str
    stored: str
    mtime_ns: int
    looked_at: str | None
    told: str | None


@dataclass(frozen=True, slots=True)
class Due:
    """A sealed docking of which nothing was derived yet."""

    docking: DockingId
    camera: CameraId


def due(conn: sqlite3.Connection) -> Due | None:
    """Return the sealed docking that waits longest, if any does."""
    row = conn.execute(
        "SELECT id, camera FROM docking WHERE state = 'sealed' AND derived = 0"
        " ORDER BY id LIMIT 1"
    ).fetchone()
    return None if row is None else Due(DockingId(row["id"]), CameraId(row["camera"]))


def sources(conn: sqlite3.Connection, docking: DockingId) -> list[Source]:
    """Return the files of a docking that are in the vault, in order of their ids."""
    rows = conn.execute(
        "SELECT copy.id, file.path, bag, copy.stored, file.mtime_ns, looked_at, told"
        " FROM file JOIN file AS copy ON copy.id = coalesce(file.held_by, file.id)"
        " JOIN docking ON docking.id = copy.docking"
        " LEFT JOIN fact ON fact.file = copy.id"
        " WHERE file.docking = ? AND file.state IN ('verified', 'held')"
        " ORDER BY file.id",
        (docking,),
    )
    return [
        Source(
            FileId(row["id"]),
            bytes(row["path"]),
            row["bag"],
            row["stored"],
            row["mtime_ns"],
            row["looked_at"],
            row["told"],
        )
        for row in rows
    ]


@writer
def keep(
    conn: sqlite3.Connection,
    file: FileId,
    told: str | None,
    reason: str | None,
    at: Instant,
) -> None:
    """Keep what a file told, as JSON, or why it told nothing."""
    conn.execute(
        "INSERT OR REPLACE INTO fact (file, told, reason, looked_at)"
        " VALUES (?, ?, ?, ?)",
        (file, told, reason, stamp(at.utc)),
    )


@writer
def finish(
    conn: sqlite3.Connection, docking: DockingId, odd: Sequence[str], at: Instant
) -> None:
    """Keep what is odd in a docking's timeline, in words, and put it on record."""
    conn.execute("UPDATE docking SET derived = 1 WHERE id = ?", (docking,))
    conn.executemany(
        "INSERT INTO finding (docking, number, text) VALUES (?, ?, ?)",
        ((docking, number, text) for number, text in enumerate(odd, 1)),
    )
    if odd:
        custody.append(conn, Event("timeline", docking, {"odd": list(odd)}), at)


def findings(conn: sqlite3.Connection, docking: DockingId) -> list[str]:
    """Return what is odd in a docking's timeline, in words."""
    rows = conn.execute(
        "SELECT text FROM finding WHERE docking = ? ORDER BY number", (docking,)
    )
    return [row["text"] for row in rows]


def of_file(
    conn: sqlite3.Connection, file: FileId
) -> tuple[str | None, str | None] | None:
    """Return what a file told, and why nothing; None if it was not looked at."""
    row = conn.execute(
        "SELECT told, reason FROM fact WHERE file ="
        " (SELECT coalesce(held_by, id) FROM file WHERE id = ?)",
        (file,),
    ).fetchone()
    return None if row is None else (row["told"], row["reason"])
