"""Queue what is sealed for a destination that was not known when it was sealed."""

import hashlib
import logging
import sqlite3
from pathlib import Path

from dock_agent.clock import Instant
from dock_agent.custody.manifest import OWN, SIGNATURE
from dock_agent.errors import FixityError
from dock_agent.recording import DestinationName, Digest, DockingId, TransferState
from dock_agent.store import dockings, orders, transfers
from dock_agent.store.confirmations import free_seals
from dock_agent.store.db import transaction
from dock_agent.store.transfers import NewTransfer
from dock_agent.sync.carry import require_vault
from dock_agent.vault.bag import HELD

log = logging.getLogger(__name__)


def backfill(
    conn: sqlite3.Connection, vault: Path, name: DestinationName, at: Instant
) -> int:
    """Queue every sealed docking of which nothing was queued for `name` yet.

    Returns how many dockings that were. One of whose own files something is gone is
    left out, and told of: it has no seal to send. Raises `VaultUnusable`.
    """
    missing = orders.without_rows(conn, name)
    if missing:
        require_vault(vault)
    count = 0
    for docking in missing:
        try:
            own = _own(conn, vault, docking)
        except FixityError as error:
            log.warning("not queued destination=%s docking=%s %s", name, docking, error)
            continue
        count += 1
        with transaction(conn):
            transfers.add_files(conn, docking, name, at)
            for new in own:
                transfers.add(conn, new, [name], at)
            free_seals(conn, name, docking, None)
    return count


def _own(conn: sqlite3.Connection, vault: Path, ident: DockingId) -> list[NewTransfer]:
    bag = dockings.get(conn, ident).bag
    names = [*sorted(OWN - {SIGNATURE}), f"data/{HELD}", SIGNATURE]
    found = []
    for name in names:
        path = vault / bag / name
        if name == f"data/{HELD}" and not path.exists():
            continue
        try:
            content = path.read_bytes()
        except OSError as error:
            raise FixityError(f"{bag / name}: {error.strerror}") from error
        last = name == SIGNATURE
        found.append(
            NewTransfer(
                docking=ident,
                path=str(bag / name),
                key=str(bag / name),
                size=len(content),
                sha256=Digest(hashlib.sha256(content).hexdigest()),
                state=TransferState.BLOCKED if last else TransferState.QUEUED,
            )
        )
    return found
