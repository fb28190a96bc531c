"""Queue what is sealed for a destination that was not known when it was sealed.

A bag's own files are queued with the digests that they were sealed with, whatever is
on the disk now: what rotted since is refused in sight of everybody, and never sent
as if it were what was signed.
"""

import sqlite3
from pathlib import Path, PurePosixPath

from dock_agent.clock import Instant
from dock_agent.custody import manifest
from dock_agent.recording import DestinationName, Digest, DockingId, TransferState
from dock_agent.store import dockings, orders, transfers
from dock_agent.store.confirmations import free_seals
from dock_agent.store.db import transaction
from dock_agent.store.transfers import NewTransfer
from dock_agent.sync.carry import require_vault
from dock_agent.vault.own import as_sealed


def backfill(
    conn: sqlite3.Connection, vault: Path, name: DestinationName, at: Instant
) -> int:
    """Queue every sealed docking whose seal was never queued for `name`.

    Returns how many dockings that were. Raises `VaultUnusable`.
    """
    missing = orders.without_rows(conn, name)
    if missing:
        require_vault(vault)
    for docking in missing:
        own = _own(conn, vault, docking)
        with transaction(conn):
            transfers.add_files(conn, docking, name, at)
            for new in own:
                transfers.add(conn, new, [name], at)
            free_seals(conn, name, docking, None)
    return len(missing)


def _own(conn: sqlite3.Connection, vault: Path, ident: DockingId) -> list[NewTransfer]:
    bag = dockings.get(conn, ident).bag
    # A list that was changed is refused, and so the seal does not go.
    digests = as_sealed(conn, vault / bag, ident)
    return [_row(vault, bag / name, ident, digests[name]) for name in digests]


def _row(
    vault: Path, path: PurePosixPath, ident: DockingId, digest: Digest
) -> NewTransfer:
    last = path.name == manifest.SIGNATURE
    try:
        size = (vault / path).lstat().st_size
    except OSError:
        size = 0  # whoever comes to send it finds that it is gone, and says so
    return NewTransfer(
        docking=ident,
        path=str(path),
        key=str(path),
        size=size,
        sha256=digest,
        state=TransferState.BLOCKED if last else TransferState.QUEUED,
    )
