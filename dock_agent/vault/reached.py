"""How far the custody log was, kept in the vault, too.

A database that is restored from a backup has forgotten the holds and erases since,
and does not know it. The vault does: after each of them it is told the last line's
number and digest, as the name of an empty file. Such a file is only ever followed by a
later one, so that writers side by side take nothing back.
"""

import re
import sqlite3
from contextlib import suppress
from pathlib import Path

from dock_agent.clock import Instant
from dock_agent.custody.chain import Event, Head
from dock_agent.errors import NotAllowed
from dock_agent.recording import Digest
from dock_agent.store import custody
from dock_agent.store.db import transaction
from dock_agent.vault.disk import Disk, vault_errors
from dock_agent.vault.write import write_file

REACHED = "reached"  # a directory beside the dockings
NAME = re.compile(r"(\d{12})-([0-9a-f]{64})")


def note(disk: Disk, root: Path, conn: sqlite3.Connection) -> None:
    """Tell the vault how far the log is; a log that is behind tells it nothing.

    Raises `VaultUnusable`.
    """
    head, known = custody.head(conn), _marks(disk, root)
    if known and _contradicts(conn, known[-1]) is not None:
        return
    if head not in known:
        _keep(disk, root, head)
    _forget(disk, root, [mark for mark in known if mark.seq < head.seq])


def behind(disk: Disk, root: Path, conn: sqlite3.Connection) -> str | None:
    """Return why this is not the database that the vault saw last; None if it is.

    Raises `VaultUnusable`.
    """
    known = _marks(disk, root)
    if not known:
        return "the vault does not say how far the custody log was"
    return _contradicts(conn, known[-1])


def accept(
    disk: Disk,
    root: Path,
    conn: sqlite3.Connection,
    says: tuple[str, str],
    at: Instant,
) -> None:
    """Take the database as it is; `says` is who says so, and why.

    Raises `NotAllowed` without a name or a reason, `VaultUnusable`.
    """
    by, why = says
    if not (by.strip() and why.strip()):
        raise NotAllowed("say who orders it, and why")
    known = _marks(disk, root)
    facts = {"reason": why, "vault_saw": known[-1].seq if known else None}
    with transaction(conn):
        custody.append(conn, Event("database accepted", None, facts, actor=by), at)
        head = custody.head(conn)
    _keep(disk, root, head)
    _forget(disk, root, [mark for mark in known if mark != head])


def _contradicts(conn: sqlite3.Connection, mark: Head) -> str | None:
    if custody.digest_at(conn, mark.seq) == mark.sha256:
        return None
    return f"the database is older than line {mark.seq} of the log, which the vault saw"


def _marks(disk: Disk, root: Path) -> list[Head]:
    """Return what the vault was told, oldest first."""
    folder = root / REACHED
    with vault_errors():
        there = disk.listing(folder) if disk.exists(folder) else ()
        found = [NAME.fullmatch(path.name) for path in there]
    return sorted(
        (Head(int(name[1]), Digest(name[2])) for name in found if name),
        key=lambda mark: mark.seq,
    )


def _keep(disk: Disk, root: Path, head: Head) -> None:
    with vault_errors():
        disk.make_directory(root / REACHED)
        with suppress(FileExistsError):  # another writer was here first
            write_file(disk, _path(root, head), b"")


def _forget(disk: Disk, root: Path, marks: list[Head]) -> None:
    with vault_errors():
        for mark in marks:
            if disk.exists(_path(root, mark)):
                disk.unlink(_path(root, mark))


def _path(root: Path, head: Head) -> Path:
    return root / REACHED / f"{head.seq:012d}-{head.sha256}"
