"""Dockings: one row for each visit of a camera, one custody event for each change."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

from dock_agent.clock import Instant, stamp, unstamp
from dock_agent.custody.chain import Event, canonical
from dock_agent.errors import StoreError
from dock_agent.recording import BayName, CameraId, DockingId, DockingState
from dock_agent.store import cameras, custody
from dock_agent.store.db import writer


@dataclass(frozen=True, slots=True)
class Docking:
    """One visit of one camera to one bay. `bag` is below the vault."""

    id: DockingId
    camera: CameraId
    bay: BayName
    bag: PurePosixPath
    identity: Mapping[str, Any] = field(default_factory=dict)
    state: DockingState = DockingState.OPENED
    opened_at: datetime | None = None
    ended_at: datetime | None = None
    complete: bool | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A move of a docking, as `set_state` writes it."""

    expected: DockingState
    to: DockingState
    reason: str | None = None
    complete: bool | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@writer
def open_docking(conn: sqlite3.Connection, docking: Docking, at: Instant) -> None:
    """Write the row, the camera's, and the custody event "docked"."""
    cameras.seen(conn, docking.camera, at)
    conn.execute(
        "INSERT INTO docking (id, camera, bay, state, bag, identity, opened_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            docking.id,
            docking.camera,
            docking.bay,
            DockingState.OPENED,
            str(docking.bag),
            canonical(dict(docking.identity)),
            stamp(at.utc),
        ),
    )
    facts = {
        "camera": docking.camera,
        "bay": docking.bay,
        "identity": dict(docking.identity),
    }
    custody.append(conn, Event("docked", docking.id, facts), at)


@writer
def set_state(
    conn: sqlite3.Connection, docking: DockingId, change: Change, at: Instant
) -> None:
    """Move a docking and tell of it; raise `StoreError` if it moved meanwhile."""
    ends = change.to not in {DockingState.COPYING, DockingState.CHECKING}
    cursor = conn.execute(
        "UPDATE docking SET state = ?, reason = ?, complete = ?, ended_at = ?"
        " WHERE id = ? AND state = ?",
        (
            change.to,
            change.reason,
            change.complete,
            stamp(at.utc) if ends else None,
            docking,
            change.expected,
        ),
    )
    if cursor.rowcount != 1:
        raise StoreError(f"docking {docking} is no longer {change.expected}")
    facts = dict(change.facts)
    if change.reason is not None:
        facts["reason"] = change.reason
    if change.complete is not None:
        facts["complete"] = change.complete
    custody.append(conn, Event(change.to.value, docking, facts), at)


def get(conn: sqlite3.Connection, docking: DockingId) -> Docking:
    """Return one docking; raise `StoreError` if there is none."""
    row = conn.execute("SELECT * FROM docking WHERE id = ?", (docking,)).fetchone()
    if row is None:
        raise StoreError(f"no docking {docking}")
    return _docking(row)


def state(conn: sqlite3.Connection, docking: DockingId) -> DockingState | None:
    """Return how far a docking is; None if it was never opened."""
    row = conn.execute("SELECT state FROM docking WHERE id = ?", (docking,)).fetchone()
    return None if row is None else DockingState(row["state"])


def unfinished(
    conn: sqlite3.Connection, camera: CameraId | None = None
) -> list[Docking]:
    """Return the dockings that are not sealed, oldest first."""
    rows = conn.execute(
        "SELECT * FROM docking WHERE state <> 'sealed'"
        " AND (:camera IS NULL OR camera = :camera) ORDER BY id",
        {"camera": camera},
    )
    return [_docking(row) for row in rows]


def sealed(conn: sqlite3.Connection) -> list[Docking]:
    """Return every sealed docking, oldest first."""
    rows = conn.execute("SELECT * FROM docking WHERE state = 'sealed' ORDER BY id")
    return [_docking(row) for row in rows]


def _docking(row: sqlite3.Row) -> Docking:
    return Docking(
        id=DockingId(row["id"]),
        camera=CameraId(row["camera"]),
        bay=BayName(row["bay"]),
        bag=PurePosixPath(row["bag"]),
        identity=json.loads(row["identity"]),
        state=DockingState(row["state"]),
        opened_at=unstamp(row["opened_at"]),
        ended_at=None if row["ended_at"] is None else unstamp(row["ended_at"]),
        complete=None if row["complete"] is None else bool(row["complete"]),
        reason=row["reason"],
    )
