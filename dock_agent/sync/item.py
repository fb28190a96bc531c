"""A row of the queue as the object that it names, looked at on our own disk."""

import hashlib
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dock_agent.custody.manifest import SIGNATURE
from dock_agent.errors import FixityError, StoreError
from dock_agent.recording import PART_SIZE, Digest, Priority
from dock_agent.store import dockings, files, recordings
from dock_agent.store.transfers import Transfer
from dock_agent.sync.content import FileContent, Moved, unheard, unread
from dock_agent.sync.destination import About, Object

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def described(
    conn: sqlite3.Connection, vault: Path, transfer: Transfer, moved: Moved = unheard
) -> Object:
    """Return the object; raise `FixityError` if it cannot be what was queued.

    Raises `VaultUnread` where our own disk does not say.
    `moved` hears of its bytes, and that we live while it is hashed here.
    """
    path = vault / transfer.path
    try:
        size = path.lstat().st_size
    except OSError as error:
        raise unread(path, error) from error
    if size != transfer.size:
        raise FixityError(f"{transfer.path} has {size} bytes, not {transfer.size}")
    item = Object(
        key=transfer.key,
        content=FileContent(path),
        size=size,
        digest=transfer.sha256,
        parts=_known(conn, transfer),
        about=_about(conn, transfer),
        moved=moved,
    )
    return replace(item, parts=_parts(item))


def named(
    conn: sqlite3.Connection, vault: Path, transfer: Transfer, moved: Moved = unheard
) -> Object:
    """Return the object as it was queued, whether our own file is still there or not.

    It is for asking about, and not for sending.
    """
    return Object(
        key=transfer.key,
        content=FileContent(vault / transfer.path),
        size=transfer.size,
        digest=transfer.sha256,
        parts=(),
        about=_about(conn, transfer),
        moved=moved,
    )


def _about(conn: sqlite3.Connection, transfer: Transfer) -> About:
    docking = dockings.get(conn, transfer.docking)
    if docking.opened_at is None:
        raise StoreError(f"docking {docking.id} was never opened")
    file = transfer.path.removeprefix(f"{docking.bag}/")
    about = About(
        docking=docking.id,
        camera=docking.camera,
        opened_at=docking.opened_at,
        file=file,
        seal=file == SIGNATURE,
    )
    if transfer.file is None:
        return about
    found = recordings.of_file(conn, transfer.file)
    group = recordings.group(conn, transfer.file)
    if found is None or group is None:
        return about
    return replace(
        about.of(found),
        written=_moment(group.file_ns),
        stop=_moment(group.last_ns),
        video=group.video,
        marked=transfer.priority is Priority.MARKED,
    )


def _moment(ns: int) -> datetime:
    return EPOCH + timedelta(microseconds=ns // 1000)


def _known(conn: sqlite3.Connection, transfer: Transfer) -> tuple[Digest, ...]:
    if transfer.file is None or transfer.size <= PART_SIZE:
        return ()
    return files.parts(conn, transfer.file)


def _parts(item: Object) -> tuple[Digest, ...]:
    """Return the digests of the parts: of a file as offloaded, else made here."""
    if item.size <= PART_SIZE:
        return (item.digest,)
    if len(item.parts) == -(-item.size // PART_SIZE):
        return item.parts
    whole, made = hashlib.sha256(), []
    for offset in range(0, item.size, PART_SIZE):
        part = hashlib.sha256()
        for block in item.content.blocks(offset, min(PART_SIZE, item.size - offset)):
            whole.update(block)
            part.update(block)
            item.moved(0)  # nothing moves, and yet we live
        made.append(Digest(part.hexdigest()))
    if whole.hexdigest() != item.digest:
        raise FixityError(f"{item.key} is no longer what it was")
    return tuple(made)
