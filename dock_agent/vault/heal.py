"""Put a damaged file of the vault right, from whichever copy of it is still good.

What is damaged is moved to the quarantine, and kept. A good copy is one with the very
digest: another file of the vault with the same bytes, what the database can write
again, or what a destination gave back (`fetched`, beside the database: the process
that has the network may not write to the vault). It is written like any file: by a
part, flushed, read again from the medium, named without replacing anything.
"""

import hashlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dock_agent.clock import Clock
from dock_agent.errors import StoreError
from dock_agent.recording import FileId, ReadBack
from dock_agent.store import files, scrubs
from dock_agent.store.db import transaction
from dock_agent.store.scrubs import Item
from dock_agent.vault.disk import Beat, Disk, Reread, silent, vault_errors
from dock_agent.vault.quarantine import move_aside
from dock_agent.vault.remade import remade
from dock_agent.vault.scrub import examine, require_vault
from dock_agent.vault.write import part_of

log = logging.getLogger(__name__)

PIECE = 1 << 20  # bytes
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Healer:
    """Heals one file at a time, for whoever holds the vault.

    `fetched` is the directory of what destinations gave back, named by digest.
    """

    conn: sqlite3.Connection
    disk: Disk
    root: Path
    fetched: Path
    clock: Clock
    beat: Beat = silent

    def run(self) -> int:
        """Heal what can be healed; return how many files that was.

        Raises `NoRoom` and `VaultUnusable`.
        """
        return sum(map(self.heal, scrubs.damaged(self.conn)))

    def heal(self, item: Item) -> bool:
        """Heal one file, if there is a good copy of it."""
        require_vault(self.conn, self.disk, self.root)
        with vault_errors():
            seen = examine(self.disk, self.root, item, self.beat)
            if seen.wrong is None:  # it may have been a cable
                return self._say(item, "itself: it reads as it was", seen.method)
            wrong = self.root / item.path
            move_aside(self.disk, self.root, item.docking, wrong, item.name)
            for source, pieces in self._copies(item):
                found = self._put(item, pieces)
                if found is not None:
                    return self._say(item, source, found.method)
        return False

    def _say(self, item: Item, source: str, method: ReadBack) -> bool:
        with transaction(self.conn):
            scrubs.healed(self.conn, item, source, method, self.clock.now())
        log.warning("the vault's copy is healed path=%s from=%s", item.path, source)
        return True

    def _copies(self, item: Item) -> Iterator[tuple[str, Iterator[bytes]]]:
        for path in scrubs.twins(self.conn, item):
            yield f"the same bytes in {path}", _pieces(self.root / path)
        again = remade(self.conn, item)
        if again is not None:
            yield "the station's database", iter((again,))
        fetched = self.fetched / item.sha256
        if fetched.is_file():
            yield "a destination", _pieces(fetched)

    def _put(self, item: Item, pieces: Iterator[bytes]) -> Reread | None:
        """Write the file anew; None if these are not the bytes that it had."""
        target = self.root / item.path
        part = part_of(target)
        self.disk.make_directory(target.parent)
        if self.disk.exists(part):
            self.disk.unlink(part)
        if not self._written(item, part, pieces):
            self.disk.unlink(part)
            return None
        found = self.disk.reread(part, self.beat)
        if found.digest != item.sha256:
            self.disk.unlink(part)
            return None
        self.disk.rename(part, target)
        self.disk.sync_directory(target.parent)
        return found

    def _written(self, item: Item, part: Path, pieces: Iterator[bytes]) -> bool:
        whole, at = hashlib.sha256(), 0
        writer = self.disk.create(part, item.size)
        try:
            with suppress(_Unread):
                for piece in pieces:
                    whole.update(piece)
                    writer.write(memoryview(piece), at)
                    self.beat(len(piece))
                    at += len(piece)
            writer.finish(at, self._time(item.file))
            writer.sync()
        finally:
            writer.close()
        return whole.hexdigest() == item.sha256

    def _time(self, file: FileId | None) -> int:
        return 0 if file is None else files.get(self.conn, file).mtime_ns


class _Unread(StoreError):
    """Another copy could not be read to its end: then it is none."""


def _pieces(path: Path) -> Iterator[bytes]:
    try:
        fd = os.open(path, READ)
        try:
            at = 0
            while piece := os.pread(fd, PIECE, at):
                at += len(piece)
                yield piece
        finally:
            os.close(fd)
    except OSError as error:
        raise _Unread(f"{path}: {error.strerror}") from error
