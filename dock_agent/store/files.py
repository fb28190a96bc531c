"""The files of a docking, each with the custody event of what became of it."""

import base64
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from dock_agent.clock import Instant, stamp, unstamp
from dock_agent.custody.chain import Event
from dock_agent.errors import StoreError
from dock_agent.recording import (
    CameraId,
    Digest,
    DockingId,
    FileId,
    FileState,
)
from dock_agent.store import custody
from dock_agent.store.db import writer
from dock_agent.store.file import File, FileProof, columns, encrypted, file_of


@dataclass(frozen=True, slots=True)
class Tally:
    """How many files are in a state, and their bytes."""

    files: int = 0
    size: int = 0


def shown(path: bytes) -> str:
    """Return a raw name as text for people: what is not UTF-8 is escaped."""
    return path.decode("utf-8", "backslashreplace")


def raw(path: bytes) -> str:
    """Return a raw name as base64, which loses nothing."""
    return base64.b64encode(path).decode("ascii")


def held(
    conn: sqlite3.Connection, camera: CameraId, path: bytes, size: int, mtime_ns: int
) -> File | None:
    """Return the newest verified copy of this name, size and time, if any.

    Only of a sealed docking: nothing may rest on one that is still open.
    """
    row = conn.execute(
        "SELECT file.* FROM file JOIN docking ON docking.id = file.docking"
        " WHERE file.path = ? AND docking.camera = ? AND file.size = ?"
        " AND file.mtime_ns = ? AND file.state = 'verified'"
        " AND docking.state = 'sealed'"
        " ORDER BY file.id DESC LIMIT 1",
        (path, camera, size, mtime_ns),
    ).fetchone()
    return None if row is None else file_of(row)


@writer
def proved(conn: sqlite3.Connection, proofs: Sequence[FileProof]) -> None:
    """Keep digest and proof of parts that have no name yet (F3)."""
    for proof in proofs:
        cursor = conn.execute(
            "UPDATE file SET state = 'proven', sha256 = ?, method = ?, counted = ?,"
            " retries = ?, cipher_sha256 = ?, cipher_size = ?, cipher_keys = ?"
            " WHERE id = ? AND state = 'listed'",
            (
                proof.sha256,
                proof.method,
                proof.counted,
                proof.retries,
                *columns(proof.encrypted),
                proof.id,
            ),
        )
        _one(cursor, proof.id, FileState.LISTED)
        conn.execute("DELETE FROM part WHERE file = ?", (proof.id,))
        conn.executemany(
            "INSERT INTO part (file, number, sha256) VALUES (?, ?, ?)",
            [(proof.id, n, part) for n, part in enumerate(proof.parts, 1)],
        )


@writer
def named(conn: sqlite3.Connection, ids: Sequence[FileId], at: Instant) -> list[File]:
    """Call files verified, one custody event each (F5); the caller queues them."""
    done = [_moved(conn, NAMED, file_id, FileState.PROVEN) for file_id in ids]
    custody.append_all(conn, list(map(_verified, done)), at)
    return done


NAMED = (
    "UPDATE file SET state = 'verified' WHERE id = :id AND state = 'proven' RETURNING *"
)


def _verified(file: File) -> Event:
    facts = _name(file) | {
        "sha256": file.sha256,
        "method": file.method,
        "read_from_medium": file.counted,
    }
    return Event("verified", file.docking, facts | encrypted(file))


@writer
def matched(
    conn: sqlite3.Connection, held_by: Mapping[FileId, FileId], at: Instant
) -> None:
    """The camera was read again and has the same bytes as earlier copies.

    Raises `StoreError` if such a copy is not a verified one, of this length.
    """
    done = [_matched(conn, *pair) for pair in held_by.items()]
    custody.append_all(conn, done, at)


MATCHED = (
    "UPDATE file SET state = 'held', sha256 = :sha256, held_by = :held_by"
    " WHERE id = :id AND state = 'listed' RETURNING *"
)


def _matched(conn: sqlite3.Connection, file_id: FileId, held_by: FileId) -> Event:
    earlier = get(conn, held_by)
    known = {"sha256": earlier.sha256, "held_by": held_by}
    file = _moved(conn, MATCHED, file_id, FileState.LISTED, known)
    if earlier.state is not FileState.VERIFIED or earlier.size != file.size:
        raise StoreError(f"file {held_by} vouches for no other: it is {earlier.state}")
    facts = _name(file) | {"sha256": file.sha256, "held_by": earlier.docking}
    return Event("held", file.docking, facts)


@writer
def missed(conn: sqlite3.Connection, file_id: FileId, reason: str, at: Instant) -> None:
    """This docking will not have the file."""
    cursor = conn.execute(
        "UPDATE file SET state = 'missed', reason = ?"
        " WHERE id = ? AND state IN ('listed', 'proven')",
        (reason, file_id),
    )
    _one(cursor, file_id, FileState.LISTED)
    _tell(conn, "missed", file_id, at)


@writer
def quarantined(
    conn: sqlite3.Connection, file_id: FileId, reason: str, at: Instant
) -> None:
    """The copy is not what was recorded; it is kept, and never called safe."""
    cursor = conn.execute(
        "UPDATE file SET state = 'quarantined', reason = ?"
        " WHERE id = ? AND state IN ('listed', 'proven', 'verified')",
        (reason, file_id),
    )
    _one(cursor, file_id, FileState.VERIFIED)
    _tell(conn, "quarantined", file_id, at)


def _tell(conn: sqlite3.Connection, kind: str, file_id: FileId, at: Instant) -> None:
    file = get(conn, file_id)
    facts = _name(file) | {"reason": file.reason}
    custody.append(conn, Event(kind, file.docking, facts), at)


def _name(file: File) -> dict[str, Any]:
    return {"file": file.stored, "raw_name": raw(file.path), "size": file.size}


def _moved(
    conn: sqlite3.Connection,
    change: str,
    file_id: FileId,
    expected: FileState,
    known: Mapping[str, Any] = MappingProxyType({}),
) -> File:
    """Run an UPDATE … RETURNING of one file; raise `StoreError` if it moved before."""
    row = conn.execute(change, {"id": file_id, **known}).fetchone()
    if row is None:
        raise StoreError(f"file {file_id} is no longer {expected}")
    return file_of(row)


def _one(cursor: sqlite3.Cursor, file_id: FileId, expected: FileState) -> None:
    if cursor.rowcount != 1:
        raise StoreError(f"file {file_id} is no longer {expected}")


def get(conn: sqlite3.Connection, file_id: FileId) -> File:
    """Return one file; raise `StoreError` if there is none."""
    found = find(conn, file_id)
    if found is None:
        raise StoreError(f"no file {file_id}")
    return found


def find(conn: sqlite3.Connection, file_id: FileId) -> File | None:
    """Return one file, if there is one."""
    row = conn.execute("SELECT * FROM file WHERE id = ?", (file_id,)).fetchone()
    return None if row is None else file_of(row)


def of_docking(conn: sqlite3.Connection, docking: DockingId) -> list[File]:
    """Return the files of a docking in the order of its inventory."""
    rows = conn.execute("SELECT * FROM file WHERE docking = ? ORDER BY id", (docking,))
    return [file_of(row) for row in rows]


def counts(conn: sqlite3.Connection, docking: DockingId) -> dict[FileState, Tally]:
    """Count a docking's files by state; absent states are not in the answer."""
    rows = conn.execute(
        "SELECT state, count(*) AS files, sum(size) AS size FROM file"
        " WHERE docking = ? GROUP BY state",
        (docking,),
    )
    return {FileState(r["state"]): Tally(r["files"], r["size"]) for r in rows}


def taken_in(conn: sqlite3.Connection) -> Tally:
    """Return how many files the vault holds, proved, and their bytes."""
    row = conn.execute(
        "SELECT count(*) AS files, coalesce(sum(size), 0) AS size FROM file"
        " WHERE state = 'verified'"
    ).fetchone()
    return Tally(row["files"], row["size"])


def daily_bytes(conn: sqlite3.Connection, since: datetime, now: datetime) -> float:
    """Return how many bytes a day were taken in since then; 0 for no history."""
    row = conn.execute(
        "SELECT min(d.opened_at) AS first, coalesce(sum(f.size), 0) AS size"
        " FROM docking AS d CROSS JOIN file AS f ON f.docking = d.id"  # in this order
        " WHERE d.opened_at >= ? AND f.state = 'verified'",
        (stamp(since),),
    ).fetchone()
    if row["first"] is None:
        return 0.0
    days = (now - unstamp(row["first"])).total_seconds() / 86_400
    return float(row["size"] / days) if days >= 1 else 0.0


def parts(conn: sqlite3.Connection, file_id: FileId) -> tuple[Digest, ...]:
    """Return the digests of the file's parts, in order."""
    rows = conn.execute(
        "SELECT sha256 FROM part WHERE file = ? ORDER BY number", (file_id,)
    )
    return tuple(Digest(row["sha256"]) for row in rows)
