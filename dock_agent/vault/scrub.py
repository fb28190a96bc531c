"""Read the sealed bags again from the medium, the longest unread file first.

What is missing, short, different or unreadable is on record at once, and counts as no
copy any more. A vault that is out as a whole has lost nothing: its marker is read
again before anything is said against a file.
"""

import errno
import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from dock_agent.clock import Clock
from dock_agent.errors import VaultUnusable
from dock_agent.recording import DockingId, ReadBack
from dock_agent.store import dockings, scrubs, station
from dock_agent.store.db import transaction
from dock_agent.store.scrubs import Item, Own
from dock_agent.vault.disk import Beat, Disk, silent
from dock_agent.vault.layout import MARKER
from dock_agent.vault.own import as_sealed

log = logging.getLogger(__name__)

ABSENT = {errno.ENOENT, errno.ENOTDIR}
OUR_OWN = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a reading found: why it is no good copy, None if it is one; and how."""

    wrong: str | None
    method: ReadBack


def examine(disk: Disk, root: Path, item: Item, beat: Beat = silent) -> Seen:
    """Read a file again and compare.

    Raises `OSError` where that says nothing of the file: no memory, no descriptor.
    """
    try:
        found = disk.reread(root / item.path, beat)
    except OSError as error:
        if error.errno in OUR_OWN:
            raise
        told = "is missing"
        if error.errno not in ABSENT:
            told = f"cannot be read: {error.strerror}"
        return Seen(told, ReadBack.CACHED)
    if found.digest == item.sha256:
        return Seen(None, found.method)
    if item.file is not None and found.size != item.size:
        told = f"has {found.size} bytes, and had {item.size}"
        return Seen(told, found.method)
    return Seen("has other bytes than it had", found.method)


def require_vault(conn: sqlite3.Connection, disk: Disk, root: Path) -> None:
    """Raise `VaultUnusable` unless the vault is there, and the one that it was."""
    try:
        disk.reread(root / MARKER)
        found = disk.read(root / MARKER).decode(errors="replace")
    except OSError as error:
        raise VaultUnusable(f"the vault {root} is not there: {error}") from error
    known = station.vault_id(conn)
    if known is not None and known not in found:
        raise VaultUnusable(f"{root} is another vault")


@dataclass(frozen=True, slots=True)
class Scrubber:
    """Looks at one file at a time. `beat` hears of the bytes that are read."""

    conn: sqlite3.Connection
    disk: Disk
    root: Path
    clock: Clock
    beat: Beat = silent

    def enrol(self) -> int:
        """Know what was sealed since; return how many dockings that is."""
        missing = scrubs.not_enrolled(self.conn)
        for ident in missing:
            own = self._own(ident)
            with transaction(self.conn):
                scrubs.enrol(self.conn, ident, own)
        return len(missing)

    def _own(self, ident: DockingId) -> list[Own]:
        bag = dockings.get(self.conn, ident).bag
        digests = scrubs.queued_own(self.conn, ident)
        digests |= {
            str(bag / name): digest
            for name, digest in as_sealed(self.conn, self.root / bag, ident).items()
        }
        return [Own(path, self._size(path), sha) for path, sha in digests.items()]

    def _size(self, path: str) -> int:
        try:
            return self.disk.size(self.root / path)
        except OSError:
            return 0  # its digest decides

    def look(self, item: Item) -> str | None:
        """Read one file again; return why it is no good copy.

        One that fails is read twice: a reading can go wrong, too.
        """
        seen = self._read(item)
        if seen.wrong is not None:
            log.warning("a reading of the vault failed path=%s %s", item.path, seen)
            require_vault(self.conn, self.disk, self.root)
            seen = self._read(item)
        with transaction(self.conn):
            at = self.clock.now()
            if seen.wrong is None:
                scrubs.passed(self.conn, item, seen.method, at)
            else:
                scrubs.failed(self.conn, item, seen.wrong, at)
        if seen.wrong is not None:
            log.error("the vault's copy is damaged path=%s %s", item.path, seen.wrong)
        return seen.wrong

    def _read(self, item: Item) -> Seen:
        try:
            return examine(self.disk, self.root, item, self.beat)
        except OSError as error:
            raise VaultUnusable(f"{item.path}: {error.strerror}") from error
