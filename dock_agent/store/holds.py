"""Dockings that are kept by order: nothing is erased from a camera, or expires."""

import sqlite3
from dataclasses import dataclass

from dock_agent.clock import Instant, stamp
from dock_agent.custody.chain import Event
from dock_agent.errors import NoSuchDocking, NotAllowed
from dock_agent.recording import DockingId, FileId
from dock_agent.store import custody, dockings
from dock_agent.store.db import writer


@dataclass(frozen=True, slots=True)
class Hold:
    """A person's order: who gave it, and why, as text."""

    docking: DockingId
    by: str
    why: str


@writer
def place(conn: sqlite3.Connection, hold: Hold, at: Instant) -> None:
    """Keep a docking; one that is kept already stays so, by the first order.

    Raises `NotAllowed` without a name or a reason, `NoSuchDocking`.
    """
    _require_words(hold)
    if dockings.state(conn, hold.docking) is None:
        raise NoSuchDocking(f"no docking is called {hold.docking}")
    cursor = conn.execute(
        "INSERT INTO hold (docking, placed_by, why, placed_at) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (docking) DO NOTHING",
        (hold.docking, hold.by, hold.why, stamp(at.utc)),
    )
    if cursor.rowcount == 1:
        _tell(conn, "hold placed", hold, at)


@writer
def lift(conn: sqlite3.Connection, hold: Hold, at: Instant) -> None:
    """End the order, with who says so and why. One that is not kept is left alone."""
    _require_words(hold)
    cursor = conn.execute("DELETE FROM hold WHERE docking = ?", (hold.docking,))
    if cursor.rowcount == 1:
        _tell(conn, "hold lifted", hold, at)


def keeps(conn: sqlite3.Connection, file: FileId) -> bool:
    """Whether an order keeps any docking that listed this file, or has its copy.

    It is on the camera once, whichever of them the order names. The camera's own
    name is not asked: of two with one serial it may be another each time.
    """
    row = conn.execute(
        "SELECT EXISTS (SELECT 1 FROM file"
        " JOIN file AS copy ON copy.id = coalesce(file.held_by, file.id)"
        " JOIN hold ON hold.docking IN (file.docking, copy.docking)"
        "  OR EXISTS (SELECT 1 FROM file AS other WHERE other.docking = hold.docking"
        "   AND other.path = file.path AND other.size = file.size"
        "   AND other.mtime_ns = file.mtime_ns)"
        " WHERE file.id = ?) AS kept",
        (file,),
    ).fetchone()
    return bool(row["kept"])


def every(conn: sqlite3.Connection) -> list[Hold]:
    """Return the orders that stand, oldest docking first."""
    rows = conn.execute("SELECT * FROM hold ORDER BY docking")
    return [
        Hold(DockingId(row["docking"]), row["placed_by"], row["why"]) for row in rows
    ]


def _require_words(hold: Hold) -> None:
    if not (hold.by.strip() and hold.why.strip()):
        raise NotAllowed("say who orders it, and why")


def _tell(conn: sqlite3.Connection, kind: str, hold: Hold, at: Instant) -> None:
    facts = {"reason": hold.why}
    custody.append(conn, Event(kind, hold.docking, facts, actor=hold.by), at)
