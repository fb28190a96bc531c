"""The queue: one row for each object and destination, claimed by lease.

A docking's `tagmanifest.sig` stays blocked until everything else of it is
confirmed there, so that its presence means the docking is complete.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from dock_agent.clock import Instant, stamp, unstamp
from dock_agent.custody.chain import Event
from dock_agent.errors import StoreError
from dock_agent.recording import (
    DestinationName,
    Digest,
    DockingId,
    FileId,
    Priority,
    Proof,
    TransferId,
    TransferState,
)
from dock_agent.store import custody
from dock_agent.store.db import writer


@dataclass(frozen=True, slots=True)
class NewTransfer:
    """An object to send. `path` is below the vault, `key` at the destination."""

    docking: DockingId
    path: str
    key: str
    size: int
    sha256: Digest
    file: FileId | None = None
    priority: Priority = Priority.NORMAL
    state: TransferState = TransferState.QUEUED


@dataclass(frozen=True, slots=True)
class Transfer:
    """One object on its way to one destination."""

    id: TransferId
    destination: DestinationName
    docking: DockingId
    file: FileId | None
    path: str
    key: str
    size: int
    sha256: Digest
    state: TransferState
    attempts: int
    due_at: datetime
    upload: str | None
    generation: int
    sent: int


@dataclass(frozen=True, slots=True)
class Step:
    """What an upload has reached: kept after each part."""

    upload: str | None
    generation: int
    parts: Sequence[tuple[int, str]]  # number from 1, ETag
    sent: int  # bytes acknowledged


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The destination's proof."""

    proof: Proof
    sha256: Digest
    etag: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is not confirmed yet. `oldest` is when the first of it was queued."""

    count: int
    size: int
    refused: int
    oldest: datetime | None


@writer
def add(
    conn: sqlite3.Connection,
    new: NewTransfer,
    destinations: Sequence[DestinationName],
    at: Instant,
) -> None:
    """Queue an object for each destination; one that is there already stays."""
    conn.executemany(
        "INSERT INTO transfer (destination, docking, file, path, key, size, sha256,"
        " state, priority, created_at, due_at) VALUES (:destination, :docking, :file,"
        " :path, :key, :size, :sha256, :state, :priority, :now, :now)"
        " ON CONFLICT (destination, key) DO NOTHING",
        [
            asdict(new) | {"destination": destination, "now": stamp(at.utc)}
            for destination in destinations
        ],
    )


@writer
def claim(
    conn: sqlite3.Connection,
    destination: DestinationName,
    now: datetime,
    lease: timedelta,
) -> Transfer | None:
    """Take the next object that is due, for the length of the lease.

    One seek in a partial index for each priority: O(log n), however many rows
    wait or are postponed. Rows whose lease ran out are queued again first.
    """
    moment = stamp(now)
    conn.execute(
        "UPDATE transfer INDEXED BY transfer_sending SET state = 'queued',"
        " lease_until = NULL WHERE state = 'sending' AND lease_until <= ?",
        (moment,),
    )
    for priority in Priority:
        row = conn.execute(
            "SELECT * FROM transfer INDEXED BY transfer_queued WHERE state = 'queued'"
            " AND destination = ? AND priority = ? AND due_at <= ?"
            " ORDER BY due_at, id LIMIT 1",
            (destination, priority, moment),
        ).fetchone()
        if row is not None:
            conn.execute(
                "UPDATE transfer SET state = 'sending', lease_until = ? WHERE id = ?",
                (stamp(now + lease), row["id"]),
            )
            return _claimed(row)
    return None


@writer
def renew(conn: sqlite3.Connection, transfer: TransferId, until: datetime) -> None:
    """Keep the lease while bytes still move; raise `StoreError` if it was lost."""
    cursor = conn.execute(
        "UPDATE transfer SET lease_until = ? WHERE id = ? AND state = 'sending'",
        (stamp(until), transfer),
    )
    _one(cursor, transfer)


@writer
def remember(conn: sqlite3.Connection, transfer: TransferId, step: Step) -> None:
    """Keep how far an upload got: what a restart resumes from."""
    cursor = conn.execute(
        "UPDATE transfer SET upload = ?, generation = ?, sent = ?"
        " WHERE id = ? AND state = 'sending'",
        (step.upload, step.generation, step.sent, transfer),
    )
    _one(cursor, transfer)
    conn.executemany(
        "INSERT INTO transfer_part (transfer, generation, number, etag)"
        " VALUES (?, ?, ?, ?) ON CONFLICT (transfer, generation, number)"
        " DO UPDATE SET etag = excluded.etag",
        [(transfer, step.generation, number, etag) for number, etag in step.parts],
    )


def acknowledged(
    conn: sqlite3.Connection, transfer: Transfer
) -> tuple[tuple[int, str], ...]:
    """Return number and ETag of each part that the destination has."""
    rows = conn.execute(
        "SELECT number, etag FROM transfer_part WHERE transfer = ?"
        " AND generation = ? ORDER BY number",
        (transfer.id, transfer.generation),
    )
    return tuple((row["number"], row["etag"]) for row in rows)


@writer
def confirm(
    conn: sqlite3.Connection, transfer: Transfer, told: Confirmed, at: Instant
) -> None:
    """The destination proved the whole object; free the seal if it was the last.

    Raises `StoreError` unless it is a proof, and about these bytes.
    """
    if told.proof is Proof.NONE or told.sha256 != transfer.sha256:
        raise StoreError(f"transfer {transfer.id}: {told.proof} proves nothing")
    cursor = conn.execute(
        "UPDATE transfer SET state = 'confirmed', proof = ?, etag = ?, version = ?,"
        " confirmed_at = ?, sent = size, lease_until = NULL, failure = NULL"
        " WHERE id = ? AND state = 'sending'",
        (told.proof, told.etag, told.version, stamp(at.utc), transfer.id),
    )
    _one(cursor, transfer.id)
    conn.execute("DELETE FROM transfer_part WHERE transfer = ?", (transfer.id,))
    facts = {
        "destination": transfer.destination,
        "key": transfer.key,
        "sha256": transfer.sha256,
        "proof": told.proof.value,
        "etag": told.etag,
        "version": told.version,
    }
    custody.append(conn, Event("confirmed", transfer.docking, facts), at)
    _free(conn, transfer, at)


def _free(conn: sqlite3.Connection, done: Transfer, at: Instant) -> None:
    conn.execute(
        "UPDATE transfer SET state = 'queued', due_at = ?3 WHERE docking = ?1"
        " AND destination = ?2 AND state = 'blocked' AND NOT EXISTS ("
        "  SELECT 1 FROM transfer AS other WHERE other.docking = ?1"
        "  AND other.destination = ?2"
        "  AND other.state IN ('queued', 'sending', 'refused'))",
        (done.docking, done.destination, stamp(at.utc)),
    )


@writer
def postpone(
    conn: sqlite3.Connection, transfer: TransferId, due_at: datetime, failure: str
) -> None:
    """Unreachable: the row waits until `due_at`, also across restarts."""
    cursor = conn.execute(
        "UPDATE transfer SET state = 'queued', due_at = ?, failure = ?,"
        " attempts = attempts + 1, lease_until = NULL"
        " WHERE id = ? AND state = 'sending'",
        (stamp(due_at), failure, transfer),
    )
    _one(cursor, transfer)


@writer
def refuse(
    conn: sqlite3.Connection, transfer: Transfer, failure: str, at: Instant
) -> None:
    """A person must look; nothing more is tried by itself."""
    cursor = conn.execute(
        "UPDATE transfer SET state = 'refused', failure = ?,"
        " attempts = attempts + 1, lease_until = NULL"
        " WHERE id = ? AND state = 'sending'",
        (failure, transfer.id),
    )
    _one(cursor, transfer.id)
    facts = {"destination": transfer.destination, "key": transfer.key}
    facts["reason"] = failure
    custody.append(conn, Event("refused", transfer.docking, facts), at)


@writer
def ask_again(conn: sqlite3.Connection, transfer: TransferId, at: Instant) -> None:
    """A person says: try once more."""
    cursor = conn.execute(
        "UPDATE transfer SET state = 'queued', due_at = ?, failure = NULL"
        " WHERE id = ? AND state = 'refused'",
        (stamp(at.utc), transfer),
    )
    _one(cursor, transfer)


def waiting(conn: sqlite3.Connection) -> Waiting:
    """Sum up what is not confirmed, over all destinations. However much: O(1)."""
    row = conn.execute(
        "SELECT coalesce(sum(count), 0) AS count, coalesce(sum(size), 0) AS size,"
        " coalesce(sum(count) FILTER (WHERE state = 'refused'), 0) AS refused,"
        " min((SELECT min(created_at) FROM transfer WHERE state <> 'confirmed'"
        "  AND state = backlog.state AND destination = backlog.destination)) AS oldest"
        " FROM backlog WHERE state <> 'confirmed'"
    ).fetchone()
    oldest = None if row["oldest"] is None else unstamp(row["oldest"])
    return Waiting(row["count"], row["size"], row["refused"], oldest)


def confirmed(conn: sqlite3.Connection) -> int:
    """Count what the destinations have proved."""
    row = conn.execute(
        "SELECT coalesce(sum(count), 0) FROM backlog WHERE state = 'confirmed'"
    ).fetchone()
    return int(row[0])


def _one(cursor: sqlite3.Cursor, transfer: TransferId) -> None:
    if cursor.rowcount != 1:
        raise StoreError(f"transfer {transfer} is no longer this worker's")


def _claimed(row: sqlite3.Row) -> Transfer:
    facts = {column: row[column] for column in Transfer.__dataclass_fields__}
    facts["state"] = TransferState.SENDING
    facts["due_at"] = unstamp(row["due_at"])
    return Transfer(**facts)
