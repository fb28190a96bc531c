"""Fetch back what rotted in the vault, from a destination that proved its copy.

This process has the network and may not write to the vault; so what is fetched is left
beside the database, under its digest, and the agent puts it in its place.
"""

import hashlib
import logging
import os
import shutil
import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from dock_agent.clock import Clock
from dock_agent.errors import FixityError, NotTaken, Refused, VaultUnread
from dock_agent.recording import DestinationName, Digest, TransferId
from dock_agent.store import destinations, orders, scrubs
from dock_agent.store.db import transaction
from dock_agent.store.transfers import Transfer
from dock_agent.sync.contact import require_place
from dock_agent.sync.content import Moved, unheard
from dock_agent.sync.destination import Progress
from dock_agent.sync.item import named
from dock_agent.sync.lane import Lane
from dock_agent.vault.layout import PART

log = logging.getLogger(__name__)

AGAIN_NS = 3600 * 10**9  # until an object that did not come is asked for again
MINE = f"{PART}{os.getpid()}-"  # what is being fetched; an older one is of nobody
SPARE = 256 << 20  # bytes that are left free where the database is
FOLDER_MODE, FILE_MODE = 0o770, 0o640  # the agent is of the same group


@dataclass(frozen=True, slots=True)
class Fetcher:
    """Fetches into `fetched`. `moved` hears of the bytes.

    `tried` remembers, for all threads, when an object was asked for last.
    """

    vault: Path
    fetched: Path
    clock: Clock
    moved: Moved = unheard
    tried: dict[TransferId, int] = field(default_factory=dict)

    def fetch(self, conn: sqlite3.Connection, name: DestinationName, lane: Lane) -> int:
        """Fetch what is damaged here and kept there; return how many objects came.

        What heals, or was healed, is removed. One that is wrong there, too, is told
        of as lost there. Raises as a destination does, but for what concerns one
        object only.
        """
        self._tidy(scrubs.wanted(conn))
        due = [one for one in scrubs.kept_there(conn, name) if self._is_due(one)]
        return sum(self._came(conn, lane, transfer) for transfer in due)

    def _is_due(self, transfer: Transfer) -> bool:
        """Whether it is to be fetched now, and by this thread."""
        now, before = self.clock.monotonic_ns(), self.tried.get(transfer.id)
        if before is not None and now - before < AGAIN_NS:
            return False
        if (self.fetched / transfer.sha256).exists():
            return False
        if self.tried.setdefault(transfer.id, now) not in {before, now}:
            return False
        self.tried[transfer.id] = now
        return self._has_room(transfer.size)

    def _came(self, conn: sqlite3.Connection, lane: Lane, transfer: Transfer) -> bool:
        part = self.fetched / f"{MINE}{transfer.id}"
        try:
            size, whole = self._into(part, conn, lane, transfer)
        except (FixityError, NotTaken, Refused, VaultUnread) as error:
            log.warning("not fetched key=%s %s", transfer.key, error)
            return False
        finally:
            part.unlink(missing_ok=True)
        if size == transfer.size and not whole:  # and not only kept from our eyes
            require_place(
                destinations.get(conn, transfer.destination), lane.destination
            )
            with transaction(conn):
                told = "the copy there is not what was sent, either"
                orders.missed(conn, transfer, told, self.clock.now())
        return whole

    def _into(
        self, part: Path, conn: sqlite3.Connection, lane: Lane, transfer: Transfer
    ) -> tuple[int, bool]:
        """Have the destination prove it once more, and keep what it proves it with.

        Returns how many bytes came, and whether they are the very bytes.
        """
        self.fetched.mkdir(FOLDER_MODE, exist_ok=True)
        with part.open("w+b") as file:

            def keep(offset: int, piece: bytes) -> None:
                file.seek(offset)
                file.truncate()
                file.write(piece)

            item = named(conn, self.vault, transfer, self.moved)
            handle = Progress(transfer.upload, transfer.generation, (), transfer.sent)
            lane.destination.confirm(replace(item, keep=keep), handle)
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            found = Digest(hashlib.file_digest(file, "sha256").hexdigest())
            if found != transfer.sha256:
                return size, False
            os.fchmod(file.fileno(), FILE_MODE)
            os.fsync(file.fileno())
        part.rename(self.fetched / transfer.sha256)
        log.info("fetched back key=%s from=%s", transfer.key, transfer.destination)
        return size, True

    def _has_room(self, size: int) -> bool:
        free = shutil.disk_usage(self.fetched.parent).free
        if free < size + SPARE:
            log.warning("no room to fetch back bytes=%d free=%d", size, free)
        return free >= size + SPARE

    def _tidy(self, wanted: set[Digest]) -> None:
        with suppress(FileNotFoundError):
            for path in self.fetched.iterdir():
                if not path.name.startswith(MINE) and path.name not in wanted:
                    path.unlink()
