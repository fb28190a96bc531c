"""What was erased from cameras, or may have been: a row and an event for each file.

The intent is on record before anything is removed. What became of it is written
only from a look at the camera: right after, or at a later docking.
"""

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dock_agent.clock import Instant, stamp
from dock_agent.custody.chain import Event
from dock_agent.errors import StoreError
from dock_agent.recording import (
    ClearState,
    DestinationName,
    DockingId,
    EraseState,
    FileId,
    Policy,
)
from dock_agent.store import custody, files
from dock_agent.store.candidates import Candidate
from dock_agent.store.db import writer
from dock_agent.store.file import File

AT_NEXT = "the agent stopped, or the camera left, in the midst of it"


def on_hold(conn: sqlite3.Connection, docking: DockingId) -> bool:
    """Whether a person ordered that nothing of this docking goes."""
    row = conn.execute("SELECT 1 FROM hold WHERE docking = ?", (docking,)).fetchone()
    return row is not None


def state(conn: sqlite3.Connection, docking: DockingId) -> ClearState | None:
    """Return how far the erase of a docking's files is; None if it was not tried."""
    row = conn.execute(
        "SELECT state FROM clearing WHERE docking = ?", (docking,)
    ).fetchone()
    return None if row is None else ClearState(row["state"])


def may_be_gone(conn: sqlite3.Connection, docking: DockingId) -> int:
    """Count the files that a docking listed, and that this or a later erase took."""
    row = conn.execute(
        "SELECT count(DISTINCT file.id) AS files FROM erasure"
        " JOIN file AS gone ON gone.id = erasure.file"
        " JOIN file ON file.docking = ? AND file.path = gone.path"
        "  AND file.size = gone.size AND file.mtime_ns = gone.mtime_ns"
        " WHERE erasure.state <> 'kept'",
        (docking,),
    ).fetchone()
    return int(row["files"])


def ripe(
    conn: sqlite3.Connection,
    docking: DockingId,
    destinations: Collection[DestinationName],
) -> bool:
    """Whether all of a docking is confirmed at each of these, and nothing was tried.

    A quick look, before the rules are asked.
    """
    names = json.dumps(sorted(destinations))
    row = conn.execute(
        "SELECT EXISTS (SELECT 1 FROM clearing WHERE docking = :docking)"
        " OR EXISTS (SELECT 1 FROM file, json_each(:names) AS name"
        "  WHERE file.docking = :docking AND file.state <> 'skipped'"
        "  AND NOT EXISTS (SELECT 1 FROM transfer"
        "   WHERE transfer.file = coalesce(file.held_by, file.id)"
        "   AND transfer.destination = name.value"
        "   AND transfer.state = 'confirmed'"
        "   AND transfer.failure IS NULL)) AS waits",
        {"docking": docking, "names": names},
    ).fetchone()
    return bool(destinations) and not row["waits"]


@writer
def intend(
    conn: sqlite3.Connection,
    docking: DockingId,
    policy: Policy,
    doomed: Sequence[Candidate],
    at: Instant,
) -> None:
    """From now on any of these may be gone from the camera: say so, and on what."""
    conn.execute(
        "INSERT INTO clearing (docking, policy, state, begun_at) VALUES (?, ?, ?, ?)",
        (docking, policy, ClearState.INTENDED, stamp(at.utc)),
    )
    conn.executemany(
        "INSERT INTO erasure (file, docking, state) VALUES (?, ?, 'intended')",
        [(one.file.id, docking) for one in doomed],
    )
    custody.append_all(conn, [_intended(one, docking, policy) for one in doomed], at)


def _intended(one: Candidate, docking: DockingId, policy: Policy) -> Event:
    facts = name(one.file) | {
        "sha256": one.file.sha256,
        "policy": policy.value,
        "read_again": "the camera and the copy, just now: the same digest",
        "copy": {
            "docking": one.copy.docking,
            "file": one.copy.stored,
            "method": one.copy.method,
        },
        "proofs": {place: proof.value for place, proof in one.proofs.items()},
    }
    return Event("erase intended", docking, facts, actor=f"station, {policy}")


@writer
def looked(
    conn: sqlite3.Connection,
    docking: DockingId,
    found: Mapping[FileId, EraseState],
    at: Instant,
) -> None:
    """A look at the camera tells what became of each file.

    Raises `StoreError` for one whose erase was not intended.
    """
    events = []
    for ident, to in found.items():
        cursor = conn.execute(
            "UPDATE erasure SET state = ? WHERE file = ? AND docking = ?"
            " AND state = 'intended'",
            (to, ident, docking),
        )
        if cursor.rowcount != 1:
            raise StoreError(f"nobody intended to erase file {ident}")
        file = files.get(conn, ident)
        events.append(Event(LOOKED[to], docking, name(file) | {"sha256": file.sha256}))
    custody.append_all(conn, events, at)


LOOKED = {
    EraseState.ERASED: "erased",
    EraseState.KEPT: "not erased",
    EraseState.GONE: "found gone",
}


@writer
def cleared(conn: sqlite3.Connection, docking: DockingId, at: Instant) -> None:
    """A fresh look found none of the files, and everything else as it was.

    Raises `StoreError` while any of them is not known to be gone.
    """
    (left,) = conn.execute(
        "SELECT count(*) FROM erasure WHERE docking = ? AND state <> 'erased'",
        (docking,),
    ).fetchone()
    if left:
        raise StoreError(f"{left} files of docking {docking} are not known to be gone")
    _end(conn, docking, ClearState.CLEARED, None, at)
    custody.append(conn, Event("camera cleared", docking), at)


@writer
def broke_off(
    conn: sqlite3.Connection,
    docking: DockingId,
    to: ClearState,
    reason: str,
    at: Instant,
) -> None:
    """It was interrupted, or failed: some may be gone. A later docking looks."""
    _end(conn, docking, to, reason, at)
    custody.append(conn, Event(f"erase {to}", docking, {"reason": reason}), at)


@writer
def refused(
    conn: sqlite3.Connection,
    docking: DockingId,
    policy: Policy,
    reason: str,
    at: Instant,
) -> None:
    """Nothing was touched, and why. One that was tried already is left as it is."""
    cursor = conn.execute(
        "INSERT INTO clearing (docking, policy, state, begun_at, ended_at, reason)"
        " VALUES (?, ?, 'refused', ?, ?, ?) ON CONFLICT (docking) DO NOTHING",
        (docking, policy, stamp(at.utc), stamp(at.utc), reason),
    )
    if cursor.rowcount == 1:
        custody.append(conn, Event("erase refused", docking, {"reason": reason}), at)


@writer
def resolve(conn: sqlite3.Connection, docking: DockingId, at: Instant) -> None:
    """A complete docking of a camera tells what became of earlier erases on it.

    What it listed is still there; what it did not list, or listed as another file
    of that name, is gone.
    """
    rows = conn.execute(
        "SELECT erasure.file, erasure.docking, EXISTS (SELECT 1 FROM file AS now"
        "  WHERE now.docking = :docking AND now.path = file.path"
        "  AND now.size = file.size AND now.mtime_ns = file.mtime_ns) AS there"
        " FROM clearing JOIN erasure ON erasure.docking = clearing.docking"
        "  AND erasure.state = 'intended'"
        " JOIN file ON file.id = erasure.file"
        " JOIN docking ON docking.id = clearing.docking"
        " WHERE clearing.state <> 'cleared' AND docking.id <> :docking"
        " AND docking.camera = (SELECT camera FROM docking WHERE id = :docking)"
        " ORDER BY erasure.file",
        {"docking": docking},
    ).fetchall()
    for earlier in sorted({row["docking"] for row in rows}):
        found = {
            FileId(row["file"]): EraseState.KEPT if row["there"] else EraseState.GONE
            for row in rows
            if row["docking"] == earlier
        }
        looked(conn, earlier, found, at)
        if state(conn, earlier) is ClearState.INTENDED:
            broke_off(conn, earlier, ClearState.INTERRUPTED, AT_NEXT, at)


def of_file(conn: sqlite3.Connection, ident: FileId) -> list[str]:
    """Return the custody lines that tell of the erase of a file, oldest first.

    Also of a later docking's, for which this file's copy stood.
    """
    rows = conn.execute(
        "SELECT custody.line FROM file JOIN custody ON custody.docking = file.docking"
        " WHERE (file.id = :file OR file.held_by = :file)"
        " AND json_extract(line, '$.facts.file') = file.stored"
        " AND json_extract(line, '$.kind')"
        "  IN ('erase intended', 'erased', 'not erased', 'found gone')"
        " ORDER BY custody.seq",
        {"file": ident},
    )
    return [row["line"] for row in rows]


def _end(
    conn: sqlite3.Connection,
    docking: DockingId,
    to: ClearState,
    reason: str | None,
    at: Instant,
) -> None:
    cursor = conn.execute(
        "UPDATE clearing SET state = ?, reason = ?, ended_at = ?"
        " WHERE docking = ? AND state = 'intended'",
        (to, reason, stamp(at.utc), docking),
    )
    if cursor.rowcount != 1:
        raise StoreError(f"no erase of docking {docking} is under way")


def name(file: File) -> dict[str, Any]:
    """Return what every event about a file says of it."""
    return {
        "file": file.stored,
        "raw_name": files.raw(file.path),
        "size": file.size,
    }
