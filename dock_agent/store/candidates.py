"""What is known of each file that might be erased from a camera: plain facts."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from dock_agent.recording import DestinationName, DockingId, Proof
from dock_agent.store import files, holds
from dock_agent.store.file import File


@dataclass(frozen=True, slots=True)
class Candidate:
    """A listed entry, the copy that stands for it, and what destinations proved.

    `bag` is below the vault, of the docking that the copy lies in. `kept` is how many
    erases this very file outlived on this camera.
    """

    file: File
    copy: File
    bag: PurePosixPath
    sealed: bool
    on_hold: bool
    proofs: Mapping[DestinationName, Proof]
    kept: int


def of_docking(conn: sqlite3.Connection, docking: DockingId) -> list[Candidate]:
    """Return every entry of a docking's inventory, in its order."""
    rows = conn.execute(
        "SELECT file.id AS entry, docking.bag, docking.state = 'sealed' AS sealed,"
        " (SELECT count(*) FROM erasure JOIN file AS before ON before.id = erasure.file"
        "  JOIN docking AS then_ ON then_.id = before.docking"
        "  JOIN clearing ON clearing.docking = before.docking"
        "  WHERE erasure.state = 'kept' AND clearing.state = 'failed'"
        "  AND before.path = file.path"
        "  AND before.size = file.size AND before.mtime_ns = file.mtime_ns"
        "  AND then_.camera = visit.camera) AS kept"
        " FROM file JOIN docking AS visit ON visit.id = file.docking"
        " JOIN file AS copy ON copy.id = coalesce(file.held_by, file.id)"
        " JOIN docking ON docking.id = copy.docking"
        " WHERE file.docking = ? ORDER BY file.id",
        (docking,),
    ).fetchall()
    return [_candidate(conn, row) for row in rows]


def _candidate(conn: sqlite3.Connection, row: sqlite3.Row) -> Candidate:
    file = files.get(conn, row["entry"])
    copy = file if file.held_by is None else files.get(conn, file.held_by)
    return Candidate(
        file=file,
        copy=copy,
        bag=PurePosixPath(row["bag"]),
        sealed=bool(row["sealed"]),
        on_hold=holds.keeps(conn, file.id),
        proofs=_proofs(conn, copy),
        kept=row["kept"],
    )


def _proofs(conn: sqlite3.Connection, copy: File) -> dict[DestinationName, Proof]:
    """Return who proved this very copy, and says nothing besides against it."""
    rows = conn.execute(
        "SELECT destination, proof FROM transfer JOIN destination"
        " ON name = destination WHERE file = ? AND state = 'confirmed'"
        " AND sha256 = ? AND proof IS NOT NULL AND transfer.failure IS NULL"
        " AND configured = 1",
        (copy.id, copy.copy_sha256),
    )
    return {DestinationName(row["destination"]): Proof(row["proof"]) for row in rows}
