"""The queue: one row for each object and destination, claimed by lease.

A docking's seal stays blocked until everything else of it, and what earlier dockings
hold for it, is confirmed there: where it is, the docking is complete. A lease has an
owner: what another worker took over is no longer this one's to write.
"""

import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from dock_agent.clock import Instant, stamp
from dock_agent.custody.chain import Event
from dock_agent.errors import LeaseLost
from dock_agent.recording import (
    DestinationName,
    Digest,
    DockingId,
    FileId,
    Priority,
    TransferId,
    TransferState,
)
from dock_agent.store import custody
from dock_agent.store.db import writer

FARTHEST = timedelta(days=1)  # no wait and no lease is longer: the clock was set back


@dataclass(frozen=True, slots=True)
class NewTransfer:
    """An object to send. `path` is below the vault, `key` at the destination.

    `rank` orders what has one priority: the smaller goes first.
    """

    docking: DockingId
    path: str
    key: str
    size: int
    sha256: Digest
    file: FileId | None = None
    priority: Priority = Priority.NORMAL
    rank: int = 0
    state: TransferState = TransferState.QUEUED


@dataclass(frozen=True, slots=True)
class Transfer:
    """One object on its way to one destination. `lease_owner` is who claimed it."""

    id: TransferId
    destination: DestinationName
    docking: DockingId
    file: FileId | None
    path: str
    key: str
    size: int
    sha256: Digest
    state: TransferState
    priority: Priority
    attempts: int
    lease_owner: str | None
    upload: str | None
    generation: int
    sent: int
    etag: str | None
    version: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """What an upload has reached: kept after each part."""

    upload: str | None
    generation: int
    parts: Sequence[tuple[int, str]]  # number from 1, ETag: the new ones
    sent: int  # bytes acknowledged


@dataclass(frozen=True, slots=True)
class Claim:
    """Who claims for which destination, for how long, and what may go now."""

    destination: DestinationName
    owner: str
    now: datetime
    lease: timedelta
    priorities: Collection[Priority] = tuple(Priority)


@writer
def add(
    conn: sqlite3.Connection,
    new: NewTransfer,
    destinations: Sequence[DestinationName],
    at: Instant,
) -> None:
    """Queue an object for each destination; one that is there already stays."""
    facts = asdict(new) | {"now": stamp(at.utc)}
    conn.executemany(
        "INSERT INTO transfer (destination, docking, file, path, key, size, sha256,"
        " state, priority, rank, created_at) VALUES (:destination, :docking, :file,"
        " :path, :key, :size, :sha256, :state, :priority, :rank, :now)"
        " ON CONFLICT (destination, key) DO NOTHING",
        [facts | {"destination": destination} for destination in destinations],
    )


@writer
def add_files(
    conn: sqlite3.Connection,
    docking: DockingId,
    destination: DestinationName,
    at: Instant,
) -> None:
    """Queue a docking's verified files for one more destination, damaged ones too.

    Priority and rank are those of another destination's rows, where there are any.
    """
    conn.execute(
        "INSERT INTO transfer (destination, docking, file, path, key, size, sha256,"
        " state, priority, rank, created_at) SELECT :destination, file.docking,"
        " file.id, docking.bag || '/data/' || file.stored,"
        " docking.bag || '/data/' || file.stored,"
        " ifnull(cipher_size, file.size), ifnull(cipher_sha256, file.sha256), 'queued',"
        " coalesce((SELECT min(priority) FROM transfer WHERE file = file.id), 2),"
        " -(file.mtime_ns / 1000000000), :now FROM file"
        " JOIN docking ON docking.id = file.docking WHERE file.docking = :docking"
        " AND file.state IN ('verified', 'damaged') ON CONFLICT DO NOTHING",
        {"destination": destination, "docking": docking, "now": stamp(at.utc)},
    )


@writer
def claim(conn: sqlite3.Connection, wish: Claim) -> Transfer | None:
    """Take the next object that is due, for the length of the lease.

    One seek in a partial index for each priority: O(log n), however many rows wait.
    Rows whose lease ran out (that is a try), or whose time has come, are ready again
    first; a time that lies too far ahead was written before the clock was set back.
    """
    now, far = stamp(wish.now), stamp(wish.now + FARTHEST)
    _wake(conn, wish.destination, now, far)
    for priority in sorted(wish.priorities):
        row = conn.execute(
            "SELECT * FROM transfer INDEXED BY transfer_queued WHERE state = 'queued'"
            " AND destination = ? AND priority = ? AND due = ''"
            " ORDER BY rank, id LIMIT 1",
            (wish.destination, priority),
        ).fetchone()
        if row is not None:
            until = stamp(wish.now + wish.lease)
            conn.execute(
                "UPDATE transfer SET state = 'sending', lease_owner = ?,"
                " lease_until = ? WHERE id = ?",
                (wish.owner, until, row["id"]),
            )
            return transfer(row, state=TransferState.SENDING, lease_owner=wish.owner)
    return None


def _wake(
    conn: sqlite3.Connection, destination: DestinationName, now: str, far: str
) -> None:
    conn.execute(
        "UPDATE transfer INDEXED BY transfer_sending SET state = 'queued', due = '',"
        " attempts = attempts + 1, lease_owner = NULL, lease_until = NULL"
        " WHERE state = 'sending' AND destination = ?"
        " AND (lease_until <= ? OR lease_until > ?)",
        (destination, now, far),
    )
    conn.executemany(
        "UPDATE transfer INDEXED BY transfer_queued SET due = ''"
        " WHERE state = 'queued' AND destination = ? AND priority = ?"
        " AND due > ? AND due <= ?",
        [
            (destination, priority, low, high)
            for priority in Priority
            for low, high in (("", now), (far, "~"))
        ],
    )


@writer
def renew(conn: sqlite3.Connection, transfer: Transfer, until: datetime) -> None:
    """Keep the lease while bytes still move; raise `LeaseLost` if it was lost."""
    cursor = conn.execute(
        "UPDATE transfer SET lease_until = ?"
        " WHERE id = ? AND state = 'sending' AND lease_owner = ?",
        (stamp(until), transfer.id, transfer.lease_owner),
    )
    one(cursor, transfer)


@writer
def remember(conn: sqlite3.Connection, transfer: Transfer, step: Step) -> None:
    """Keep how far an upload got: what a restart resumes from.

    Tries that get one upload farther each time are no failures of the object.
    """
    farther = step.generation == transfer.generation and step.sent > transfer.sent
    cursor = conn.execute(
        "UPDATE transfer SET upload = ?, generation = ?, sent = ?,"
        " attempts = CASE WHEN ? THEN 0 ELSE attempts END"
        " WHERE id = ? AND state = 'sending' AND lease_owner = ?",
        (
            step.upload,
            step.generation,
            step.sent,
            farther,
            transfer.id,
            transfer.lease_owner,
        ),
    )
    one(cursor, transfer)
    conn.executemany(
        "INSERT INTO transfer_part (transfer, generation, number, etag)"
        " VALUES (?, ?, ?, ?) ON CONFLICT (transfer, generation, number)"
        " DO UPDATE SET etag = excluded.etag",
        [(transfer.id, step.generation, number, etag) for number, etag in step.parts],
    )


def attempts(conn: sqlite3.Connection, transfer: Transfer) -> int:
    """Return how often it was tried in vain before, as it stands now."""
    row = conn.execute("SELECT attempts FROM transfer WHERE id = ?", (transfer.id,))
    return int(row.fetchone()[0])


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
def postpone(
    conn: sqlite3.Connection, transfer: Transfer, due: datetime, failure: str
) -> None:
    """It did not go this time: the row waits until `due`, also across restarts."""
    cursor = conn.execute(
        "UPDATE transfer SET state = 'queued', due = ?, failure = ?,"
        " attempts = attempts + 1, lease_owner = NULL, lease_until = NULL"
        " WHERE id = ? AND state = 'sending' AND lease_owner = ?",
        (stamp(due), failure, transfer.id, transfer.lease_owner),
    )
    one(cursor, transfer)


@writer
def release(
    conn: sqlite3.Connection, transfer: Transfer, due: datetime | None = None
) -> None:
    """Give the row back without counting a try; it is due at once, or then."""
    conn.execute(
        "UPDATE transfer SET state = 'queued', due = ?, lease_owner = NULL,"
        " lease_until = NULL WHERE id = ? AND state = 'sending' AND lease_owner = ?",
        ("" if due is None else stamp(due), transfer.id, transfer.lease_owner),
    )


@writer
def refuse(
    conn: sqlite3.Connection, transfer: Transfer, failure: str, at: Instant
) -> None:
    """A person must look; nothing more is tried by itself."""
    cursor = conn.execute(
        "UPDATE transfer SET state = 'refused', failure = ?,"
        " attempts = attempts + 1, lease_owner = NULL, lease_until = NULL"
        " WHERE id = ? AND state = 'sending' AND lease_owner = ?",
        (failure, transfer.id, transfer.lease_owner),
    )
    one(cursor, transfer)
    facts = {"destination": transfer.destination, "key": transfer.key}
    facts["reason"] = failure
    custody.append(conn, Event("refused", transfer.docking, facts), at)


def one(cursor: sqlite3.Cursor, transfer: Transfer) -> None:
    """Raise `LeaseLost` unless a change met the row that this worker holds."""
    if cursor.rowcount != 1:
        raise LeaseLost(f"transfer {transfer.id} is no longer this worker's")


def transfer(row: sqlite3.Row, **known: object) -> Transfer:
    """Return a row as the object that it is, with what is known besides."""
    facts = {column: row[column] for column in Transfer.__dataclass_fields__}
    facts |= {
        "state": TransferState(row["state"]),
        "priority": Priority(row["priority"]),
    }
    return Transfer(**(facts | known))
