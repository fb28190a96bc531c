"""Queue what is sealed for a destination that was not known when it was sealed.

A bag's own files are queued with the digests that they were sealed with, whatever is
on the disk now: what rotted since is refused in sight of everybody, and never sent
as if it were what was signed.
"""

import hashlib
import json
import sqlite3
from pathlib import Path, PurePosixPath

from dock_agent.clock import Instant
from dock_agent.custody import manifest
from dock_agent.errors import DockError
from dock_agent.recording import DestinationName, Digest, DockingId, TransferState
from dock_agent.store import custody, dockings, orders, transfers
from dock_agent.store.confirmations import free_seals
from dock_agent.store.db import transaction
from dock_agent.store.transfers import NewTransfer
from dock_agent.sync.carry import require_vault
from dock_agent.vault.bag import HELD


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
    digests = _as_sealed(conn, vault / bag, ident)
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


def _as_sealed(
    conn: sqlite3.Connection, bag: Path, ident: DockingId
) -> dict[str, Digest]:
    """Return the digest of each of the bag's own files when it was signed.

    What a changed list would have told is left out: the list itself is refused, and
    so the seal does not go.
    """
    lines = map(json.loads, custody.lines(conn, ident))
    facts = next(line["facts"] for line in lines if line["kind"] == "sealed")
    signature = hashlib.sha256(bytes.fromhex(facts["signature"])).hexdigest()
    found = {manifest.TAG_MANIFEST: Digest(facts["tagmanifest_sha256"])}
    found |= _listed(bag / manifest.TAG_MANIFEST, found[manifest.TAG_MANIFEST])
    if manifest.MANIFEST in found:
        payload = _listed(bag / manifest.MANIFEST, found[manifest.MANIFEST])
        held = f"data/{HELD}"
        found |= {held: payload[held]} if held in payload else {}
    return found | {manifest.SIGNATURE: Digest(signature)}


def _listed(path: Path, digest: Digest) -> dict[str, Digest]:
    """Return what a list says, if it is still the one that was signed."""
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            return {}
        return manifest.parse(content.decode())
    except (OSError, ValueError, DockError):
        return {}
