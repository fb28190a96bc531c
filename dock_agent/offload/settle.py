"""Bring one docking that is over, and its bag, together again after anything.

It is settled from what is really on the disk: parts are deleted, what is whole is
adopted, what is wrong is set aside, and the rest is left for the camera's next
docking. Nothing is believed for its name or its length alone. All of it happens
while the bag is locked, so that no offload still writes there.
"""

import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath

from dock_agent.clock import Instant
from dock_agent.custody.chain import Event
from dock_agent.errors import CameraError
from dock_agent.machine import moved
from dock_agent.offload.docking import MOVES, OPEN, DockingMove
from dock_agent.offload.rows import transfer_of
from dock_agent.offload.source import shown
from dock_agent.recording import DockingId, DockingState, FileState
from dock_agent.store import custody, dockings, files, orders, transfers
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Change, Docking
from dock_agent.store.file import File
from dock_agent.vault.bag import HELD, Sealer, seal
from dock_agent.vault.disk import readable, vault_errors
from dock_agent.vault.layout import PART
from dock_agent.vault.lock import lock_bag
from dock_agent.vault.quarantine import move_aside

log = logging.getLogger(__name__)


class StillWritten(CameraError):
    """An earlier offload of this camera has not ended yet."""

    hint = "Wait a minute and dock it again. Nothing is lost."


@dataclass(slots=True)
class Recovered:
    """What was found: counts of files, and of dockings left for later."""

    adopted: int = 0
    quarantined: int = 0
    strays: int = 0
    parts: int = 0
    busy: int = 0


def settle(
    conn: sqlite3.Connection, sealer: Sealer, ident: DockingId, found: Recovered
) -> None:
    """Settle one docking; one that is sealed already is left alone.

    Raises `StillWritten`, what the store raises, `NoRoom` or `VaultUnusable`.
    """
    with _locked(sealer, dockings.get(conn, ident), 0.0):
        _settle(conn, sealer, ident, found)


def close_old(
    conn: sqlite3.Connection, sealer: Sealer, ident: DockingId, patience: float
) -> None:
    """Settle a docking that an earlier contact left, and seal what is there.

    Its offload is waited for `patience` seconds. Raises as `settle`.
    """
    with _locked(sealer, dockings.get(conn, ident), patience):
        if _settle(conn, sealer, ident, Recovered()):
            seal(conn, sealer, ident)


@contextmanager
def _locked(sealer: Sealer, docking: Docking, patience: float) -> Iterator[None]:
    bag = sealer.root / docking.bag
    if not bag.is_dir():  # nothing was written, or the disk is a simulated one
        yield
        return
    lock = lock_bag(bag, patience)
    if lock is None:
        raise StillWritten(f"docking {docking.id} is still being written")
    try:
        yield
    finally:
        os.close(lock)


def _settle(
    conn: sqlite3.Connection, sealer: Sealer, ident: DockingId, found: Recovered
) -> bool:
    # Read again: its own offload may have sealed it while it was waited for.
    docking = dockings.get(conn, ident)
    if docking.state is DockingState.SEALED:
        return False
    _Settling(conn, sealer, docking, found).run()
    return True


class _Settling:
    """One docking, held against what is on the disk."""

    def __init__(
        self,
        conn: sqlite3.Connection,
        sealer: Sealer,
        docking: Docking,
        found: Recovered,
    ) -> None:
        self._conn, self._docking, self._found = conn, docking, found
        self._sealer, self._disk = sealer, sealer.disk
        self._data = sealer.root / docking.bag / "data"

    def run(self) -> None:
        rows = {
            file.stored: file for file in files.of_docking(self._conn, self._docking.id)
        }
        self._require_vault()
        there = self._there()
        for name in sorted(there):
            self._judge(name, rows.get(name))
        self._tidy(rows)
        for file in rows.values():
            if file.state is FileState.VERIFIED and file.stored not in there:
                self._doubt(file, "its copy is missing from the vault")
        self._stop()

    def _there(self) -> set[str]:
        """Return the stored names on the disk; what has no name of its own goes."""
        names = set()
        with vault_errors():
            odd = set(self._disk.oddities(self._data))
            for path in sorted(odd):  # no pipe and no link is ever opened
                self._stray(str(path.relative_to(self._data)))
            for path in self._disk.listing(self._data):
                if path in odd:
                    continue
                name = str(PurePosixPath(path.relative_to(self._data)))
                if path.name.startswith(PART) or name == HELD:  # a seal's own list
                    self._disk.unlink(path)
                    self._found.parts += 1
                else:
                    names.add(name)
        return names

    def _tidy(self, rows: Mapping[str, File]) -> None:
        """Set directories aside that no row needs: a seal would not cover them."""
        with vault_errors():
            folders = sorted(self._disk.directories(self._data), reverse=True)
        for folder in folders:
            name = str(folder.relative_to(self._data))
            if not any(stored.startswith(f"{name}/") for stored in rows):
                self._stray(name)

    def _judge(self, name: str, file: File | None) -> None:
        """Decide about a file that has its name."""
        proved = {FileState.PROVEN, FileState.VERIFIED}
        if file is None or file.sha256 is None or file.state not in proved:
            self._stray(name)
            return
        if file.state is FileState.VERIFIED and self._docking.state not in OPEN:
            return  # it was called verified while its offload lived; held is read again
        with vault_errors():
            found = readable(self._disk, self._data / name)
        if found is None or found.digest != file.copy_sha256:
            self._set_aside(name)
            read = "nothing" if found is None else found.digest
            self._doubt(file, f"recovery read {read}")
        elif file.state is FileState.PROVEN:
            self._adopt(file)

    def _adopt(self, file: File) -> None:
        """It was proved and named; only the last commit was missing."""
        at = self._now()
        with vault_errors():
            self._disk.sync_directory((self._data / file.stored).parent)
        with transaction(self._conn) as conn:
            for named in files.named(conn, [file.id], at):
                new = transfer_of(named, self._docking.bag, self._docking.camera)
                transfers.add(conn, new, self._sealer.destinations, at)
        self._found.adopted += 1

    def _doubt(self, file: File, reason: str) -> None:
        self._require_vault()  # or it is the whole vault that is gone, and no file
        with transaction(self._conn) as conn:
            at = self._now()
            files.quarantined(conn, file.id, reason, at)
            orders.withdraw(conn, file.id, at)
        self._found.quarantined += 1
        log.warning("file quarantined docking=%s %s", self._docking.id, reason)

    def _stray(self, name: str) -> None:
        """A name that no row proves: told of, kept, and never called evidence."""
        facts = {"file": shown(os.fsencode(name))}
        with transaction(self._conn) as conn:
            custody.append(conn, Event("stray", self._docking.id, facts), self._now())
        self._set_aside(name)
        self._found.strays += 1

    def _set_aside(self, name: str) -> None:
        wrong = self._data / name
        with vault_errors():
            move_aside(self._disk, self._sealer.root, self._docking.id, wrong, name)

    def _require_vault(self) -> None:
        with vault_errors():
            self._disk.make_directory(self._sealer.root)  # raises where it is not there

    def _stop(self) -> None:
        with transaction(self._conn) as conn:
            state = dockings.get(conn, self._docking.id).state
            if state not in OPEN:
                return
            change = Change(
                state,
                moved(MOVES, state, DockingMove.LOST),
                reason="the agent stopped before it was sealed",
            )
            dockings.set_state(conn, self._docking.id, change, self._now())

    def _now(self) -> Instant:
        return self._sealer.clock.now()
