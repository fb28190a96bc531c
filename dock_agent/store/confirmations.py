"""What a destination proved, and which seals that sets free."""

import sqlite3
from dataclasses import dataclass

from dock_agent.clock import Instant, stamp
from dock_agent.custody.chain import Event
from dock_agent.errors import StoreError
from dock_agent.recording import DestinationName, Digest, DockingId, FileId, Proof
from dock_agent.store import alerts, custody
from dock_agent.store.db import writer
from dock_agent.store.transfers import Transfer, one


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The destination's proof; `apart` if it keeps the object elsewhere: why."""

    proof: Proof
    sha256: Digest
    etag: str = ""
    version: str = ""
    apart: str = ""


@writer
def confirm(
    conn: sqlite3.Connection, transfer: Transfer, told: Confirmed, at: Instant
) -> None:
    """The destination proved the whole object; free the seals that waited for it.

    Raises `StoreError` unless it is a proof, and about these bytes.
    """
    if told.proof is Proof.NONE or told.sha256 != transfer.sha256:
        raise StoreError(f"transfer {transfer.id}: {told.proof} proves nothing")
    now = stamp(at.utc)
    cursor = conn.execute(
        "UPDATE transfer SET state = 'confirmed', proof = ?, etag = ?, version = ?,"
        " confirmed_at = ?, looked_at = ?, sent = size, lease_owner = NULL,"
        " lease_until = NULL, failure = nullif(?, '')"
        " WHERE id = ? AND state = 'sending' AND lease_owner = ?",
        (
            told.proof,
            told.etag,
            told.version,
            now,
            now,
            told.apart,
            transfer.id,
            transfer.lease_owner,
        ),
    )
    one(cursor, transfer)
    conn.execute("DELETE FROM transfer_part WHERE transfer = ?", (transfer.id,))
    facts = {
        "destination": transfer.destination,
        "key": transfer.key,
        "sha256": transfer.sha256,
        "proof": told.proof.value,
        "etag": told.etag,
        "version": told.version,
    }
    facts |= {"apart": told.apart} if told.apart else {}
    custody.append(conn, Event("confirmed", transfer.docking, facts), at)
    alerts.mend(conn, transfer.destination, transfer.path, at)
    free_seals(conn, transfer.destination, transfer.docking, transfer.file)


@writer
def free_seals(
    conn: sqlite3.Connection,
    destination: DestinationName,
    docking: DockingId,
    file: FileId | None,
) -> None:
    """Queue the seal of a docking, and of those that rest on `file`, if all is there.

    Nothing may be on its way, withdrawn or missing of what was sealed, nor of the
    files that earlier dockings hold for it. (What was set aside is not part of it.)
    """
    conn.execute(
        "UPDATE transfer INDEXED BY transfer_docking SET state = 'queued', due = ''"
        " WHERE state = 'blocked' AND destination = :destination AND docking IN"
        "  (SELECT :docking UNION SELECT docking FROM file WHERE held_by = :file)"
        " AND NOT EXISTS (SELECT 1 FROM transfer AS other"
        "  WHERE other.docking = transfer.docking"
        "  AND other.destination = :destination"
        "  AND (other.state IN ('queued', 'sending', 'refused', 'paused')"
        "   OR (other.state = 'withdrawn' AND other.file IS NULL)))"
        " AND NOT EXISTS (SELECT 1 FROM file"
        "  WHERE file.docking = transfer.docking"
        "  AND file.state IN ('verified', 'damaged', 'expired')"
        "  AND NOT EXISTS (SELECT 1 FROM transfer AS other"
        "   WHERE other.file = file.id AND other.destination = :destination"
        "   AND other.state = 'confirmed'))"
        " AND NOT EXISTS (SELECT 1 FROM file"
        "  WHERE file.docking = transfer.docking AND file.held_by IS NOT NULL"
        "  AND NOT EXISTS (SELECT 1 FROM transfer AS other"
        "   WHERE other.file = file.held_by AND other.destination = :destination"
        "   AND other.state = 'confirmed'))",
        {"destination": destination, "docking": docking, "file": file},
    )
