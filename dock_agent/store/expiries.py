"""Local copies that went after their time, or may have: a row and events for each.

The intent is on record before a name is removed: from then on the file is `expired`.
What an interrupted run left in the vault is verified again, and asked about anew.
"""

import sqlite3
from collections.abc import Mapping
from typing import Any

from dock_agent.clock import Instant
from dock_agent.custody.chain import Event
from dock_agent.errors import StoreError
from dock_agent.recording import ExpiryState, FileId
from dock_agent.store import custody, erasures, files
from dock_agent.store.db import writer
from dock_agent.store.file import encrypted


@writer
def intend(
    conn: sqlite3.Connection, ident: FileId, evidence: Mapping[str, Any], at: Instant
) -> None:
    """From now on this copy may be gone: say so, and on what evidence.

    Raises `StoreError` for one that is not in the vault, verified.
    """
    _move(conn, ident, "verified", "expired")
    conn.execute(
        "INSERT INTO expiry (file, state) VALUES (?, ?)", (ident, ExpiryState.INTENDED)
    )
    _tell(conn, "expire intended", ident, evidence, at)


@writer
def gone(conn: sqlite3.Connection, ident: FileId, at: Instant) -> None:
    """Its name is gone, durably. Raises `StoreError` if nobody intended that."""
    cursor = conn.execute(
        "UPDATE expiry SET state = ? WHERE file = ? AND state = ?",
        (ExpiryState.GONE, ident, ExpiryState.INTENDED),
    )
    _one(cursor, ident)
    _tell(conn, "expired", ident, {}, at)


@writer
def kept(conn: sqlite3.Connection, ident: FileId, reason: str, at: Instant) -> None:
    """It is still there: it is verified, as before. Raises `StoreError` as `gone`."""
    cursor = conn.execute(
        "DELETE FROM expiry WHERE file = ? AND state = ?",
        (ident, ExpiryState.INTENDED),
    )
    _one(cursor, ident)
    _move(conn, ident, "expired", "verified")
    _tell(conn, "not expired", ident, {"reason": reason}, at)


def unfinished(conn: sqlite3.Connection) -> list[FileId]:
    """Return the files that were to go, and of which nobody knows whether they did."""
    rows = conn.execute("SELECT file FROM expiry WHERE state = 'intended'")
    return [FileId(row["file"]) for row in rows]


def _move(conn: sqlite3.Connection, ident: FileId, before: str, after: str) -> None:
    cursor = conn.execute(
        "UPDATE file SET state = ? WHERE id = ? AND state = ?", (after, ident, before)
    )
    _one(cursor, ident)


def _one(cursor: sqlite3.Cursor, ident: FileId) -> None:
    if cursor.rowcount != 1:
        raise StoreError(f"file {ident} is not where its expiry would have it")


def _tell(
    conn: sqlite3.Connection,
    kind: str,
    ident: FileId,
    facts: Mapping[str, Any],
    at: Instant,
) -> None:
    file = files.get(conn, ident)
    told = erasures.name(file) | {"sha256": file.sha256} | encrypted(file) | dict(facts)
    custody.append(conn, Event(kind, file.docking, told), at)
