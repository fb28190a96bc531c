"""What `rebuild` writes into a new database: facts that the vault has, as they were.

No custody event tells of any of it: the events are among what is restored.
"""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from dock_agent.clock import Instant, stamp, unstamp
from dock_agent.custody.chain import canonical, digest
from dock_agent.custody.memory import Category
from dock_agent.recording import (
    Ciphertext,
    DestinationName,
    DockingId,
    ExpiryState,
    FileId,
    FileState,
)
from dock_agent.store import cameras, tree
from dock_agent.store.db import writer
from dock_agent.store.dockings import Docking
from dock_agent.store.file import columns
from dock_agent.store.holds import Hold
from dock_agent.store.inventory import NewFile


@dataclass(frozen=True, slots=True)
class OldFile:
    """A file as its docking's inventory, or its custody line, has it."""

    new: NewFile
    sha256: str | None
    method: str | None
    counted: int | None
    held_by: FileId | None
    encrypted: Ciphertext | None = None


@writer
def lines(conn: sqlite3.Connection, found: Sequence[str]) -> None:
    """Put lines at the end of the log as they are; the caller has verified them."""
    last = 0
    for line in found:
        fields = json.loads(line)
        last = fields["seq"]
        conn.execute(
            "INSERT INTO custody (seq, docking, docking_seq, line, sha256)"
            " VALUES (?, ?, ?, ?, ?)",
            (last, fields["docking"], fields["docking_seq"], line, digest(line)),
        )
    if last:
        tree.grow(conn, last)


@writer
def docking(conn: sqlite3.Connection, old: Docking, at: Instant) -> None:
    """Write a docking, and its camera; `at` is when the camera was docked."""
    cameras.seen(conn, old.camera, at)
    conn.execute(
        "INSERT INTO docking (id, camera, bay, state, bag, identity, opened_at,"
        " ended_at, complete, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            old.id,
            old.camera,
            old.bay,
            old.state,
            str(old.bag),
            canonical(dict(old.identity)),
            stamp(at.utc),
            None if old.ended_at is None else stamp(old.ended_at),
            old.complete,
            old.reason,
        ),
    )


@writer
def file(conn: sqlite3.Connection, ident: DockingId, old: OldFile) -> FileId:
    """Write one file of a docking, in the state that it has now."""
    cursor = conn.execute(
        "INSERT INTO file (docking, recording, path, stored, size, mtime_ns, state,"
        " sha256, method, counted, held_by, reason,"
        " cipher_sha256, cipher_size, cipher_keys)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            ident,
            old.new.recording,
            old.new.path,
            old.new.stored,
            old.new.size,
            old.new.mtime_ns,
            old.new.state,
            old.sha256,
            old.method,
            old.counted,
            old.held_by,
            old.new.reason,
            *columns(old.encrypted),
        ),
    )
    return FileId(cursor.lastrowid or 0)


def copy_of(
    conn: sqlite3.Connection, ident: DockingId, stored: str, sha256: str | None
) -> FileId | None:
    """Return a docking's file that was verified, by its name and digest."""
    row = conn.execute(
        "SELECT id FROM file WHERE docking = ? AND stored = ? AND sha256 = ?"
        " AND state IN (?, ?)",
        (ident, stored, sha256, FileState.VERIFIED, FileState.EXPIRED),
    ).fetchone()
    return None if row is None else FileId(row["id"])


@writer
def hold(conn: sqlite3.Connection, old: Hold, placed_at: str) -> None:
    """Write an order that stands; `placed_at` is RFC 3339 UTC."""
    conn.execute(
        "INSERT INTO hold (docking, placed_by, why, placed_at) VALUES (?, ?, ?, ?)",
        (old.docking, old.by, old.why, stamp(unstamp(placed_at))),
    )


@writer
def expiry(conn: sqlite3.Connection, ident: FileId) -> None:
    """Write that a copy is gone."""
    conn.execute(
        "INSERT INTO expiry (file, state) VALUES (?, ?)", (ident, ExpiryState.GONE)
    )


@writer
def category(
    conn: sqlite3.Connection, ident: DockingId, recording: str, told: Category
) -> None:
    """Put a docking's recording, by its name, into the category that it was in."""
    conn.execute(
        "INSERT INTO category (recording, name, set_by, set_at)"
        " SELECT id, ?, ?, ? FROM recording WHERE docking = ? AND name = ?",
        (told.name, told.by, stamp(unstamp(told.at)), ident, recording),
    )


@writer
def marker(conn: sqlite3.Connection, name: DestinationName, ident: str) -> None:
    """Bind a destination to the place that it was."""
    conn.execute("UPDATE destination SET marker = ? WHERE name = ?", (ident, name))
