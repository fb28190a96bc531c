"""A row of the queue as the object that it names, looked at on our own disk."""

import hashlib
import sqlite3
from pathlib import Path

from dock_agent.errors import FixityError
from dock_agent.recording import PART_SIZE, Digest
from dock_agent.store import files
from dock_agent.store.transfers import Transfer
from dock_agent.sync.destination import Object
from dock_agent.sync.transport import Window


def described(conn: sqlite3.Connection, vault: Path, transfer: Transfer) -> Object:
    """Return the object; raise `FixityError` if it cannot be what was queued."""
    path = vault / transfer.path
    try:
        size = path.lstat().st_size
    except OSError as error:
        raise FixityError(f"{transfer.path}: {error.strerror}") from error
    if size != transfer.size:
        raise FixityError(f"{transfer.path} has {size} bytes, not {transfer.size}")
    return Object(
        transfer.key, path, size, transfer.sha256, _parts(conn, transfer, path)
    )


def _parts(
    conn: sqlite3.Connection, transfer: Transfer, path: Path
) -> tuple[Digest, ...]:
    """Return the digests of the parts: of a file as offloaded, else made here."""
    if transfer.size <= PART_SIZE:
        return (transfer.sha256,)
    known = () if transfer.file is None else files.parts(conn, transfer.file)
    if len(known) == -(-transfer.size // PART_SIZE):
        return known
    whole, made = hashlib.sha256(), []
    for offset in range(0, transfer.size, PART_SIZE):
        part = hashlib.sha256()
        for block in Window(
            path, offset, min(PART_SIZE, transfer.size - offset)
        ).blocks():
            whole.update(block)
            part.update(block)
        made.append(Digest(part.hexdigest()))
    if whole.hexdigest() != transfer.sha256:
        raise FixityError(f"{transfer.path} is no longer what it was")
    return tuple(made)
