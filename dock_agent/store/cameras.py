"""The cameras that were ever docked."""

import sqlite3

from dock_agent.clock import Instant, stamp
from dock_agent.recording import CameraId
from dock_agent.store.db import writer


@writer
def seen(conn: sqlite3.Connection, camera: CameraId, at: Instant) -> None:
    """Remember that a camera is here, for the first time or again."""
    model, _, serial = camera.partition(":")
    conn.execute(
        "INSERT INTO camera (id, model, serial, first_seen, last_seen)"
        " VALUES (:id, :model, :serial, :now, :now)"
        " ON CONFLICT (id) DO UPDATE SET last_seen = excluded.last_seen",
        {"id": camera, "model": model, "serial": serial, "now": stamp(at.utc)},
    )
