"""Bring the vault and the database together again after anything.

A docking that an earlier run left in the middle is settled from what is really
on the disk: parts are deleted, what is whole is adopted, what is wrong is set
aside, and the rest is left for the camera's next docking. Nothing is believed
for its name or its length alone.
"""

import logging
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dock_agent.clock import Instant
from dock_agent.custody.chain import Event
from dock_agent.machine import moved
from dock_agent.offload.docking import MOVES, DockingMove
from dock_agent.recording import DockingState, FileState
from dock_agent.store import custody, dockings, files, transfers
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Change, Docking
from dock_agent.store.files import File
from dock_agent.store.transfers import NewTransfer
from dock_agent.vault.bag import Sealer
from dock_agent.vault.disk import readable, vault_errors
from dock_agent.vault.layout import PART, quarantine_path
from dock_agent.vault.lock import lock_bag

log = logging.getLogger(__name__)

STOPPED = frozenset(
    {DockingState.INTERRUPTED, DockingState.WAITING, DockingState.FAULT}
)


@dataclass(slots=True)
class Recovered:
    """What a recovery found: counts of files, and of dockings left for later."""

    adopted: int = 0
    quarantined: int = 0
    strays: int = 0
    parts: int = 0
    busy: int = 0


def recover(conn: sqlite3.Connection, sealer: Sealer) -> Recovered:
    """Settle every docking that is not sealed; safe to repeat.

    Raises what the store raises, `NoRoom` or `VaultUnusable`.
    """
    found = Recovered()
    for docking in dockings.unfinished(conn):
        if not settle(conn, sealer, docking, found):
            found.busy += 1
    return found


def settle(
    conn: sqlite3.Connection,
    sealer: Sealer,
    docking: Docking,
    found: Recovered | None = None,
    *,
    patience: float = 0.0,
) -> bool:
    """Settle one docking; False if a process of an earlier run still writes it.

    Such a process is waited for `patience` seconds: it ends with its agent.
    """
    lock = _locked(sealer, docking, patience)
    if lock == BUSY:
        return False
    try:
        _Settling(conn, sealer, docking, found or Recovered()).run()
    finally:
        if lock is not None:
            os.close(lock)
    return True


BUSY = -1


def _locked(sealer: Sealer, docking: Docking, patience: float) -> int | None:
    bag = sealer.root / docking.bag
    if not bag.is_dir():
        return None  # nothing was written, or the disk is a simulated one
    lock = lock_bag(bag, patience)
    return BUSY if lock is None else lock


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
        there = self._there()
        for name in sorted(there):
            self._judge(name, rows.get(name))
        for file in rows.values():
            if file.state is FileState.VERIFIED and file.stored not in there:
                self._doubt(file, "its copy is missing from the vault")
        self._stop()

    def _there(self) -> set[str]:
        """Return the stored names on the disk; parts are deleted on the way."""
        names = set()
        with vault_errors():
            odd = set(self._disk.oddities(self._data))
            for path in sorted(odd):  # no pipe and no link is ever opened
                self._stray(str(path.relative_to(self._data)))
            for path in self._disk.listing(self._data):
                if path in odd:
                    continue
                if path.name.startswith(PART):
                    self._disk.unlink(path)
                    self._found.parts += 1
                else:
                    names.add(str(PurePosixPath(path.relative_to(self._data))))
        return names

    def _judge(self, name: str, file: File | None) -> None:
        """Decide about a file that has its name."""
        if file is None or file.sha256 is None:
            self._stray(name)
            return
        if file.state not in {FileState.PROVEN, FileState.VERIFIED}:
            self._stray(name)
            return
        with vault_errors():
            found = readable(self._disk, self._data / name)
        if found is None or found.digest != file.sha256:
            self._set_aside(name)
            read = "nothing" if found is None else found.digest
            self._doubt(file, f"recovery read {read}")
        elif file.state is FileState.PROVEN:
            self._adopt(file)

    def _adopt(self, file: File) -> None:
        """It was proved and named; only the last commit was missing."""
        at = self._now()
        path = str(self._docking.bag / "data" / file.stored)
        with vault_errors():
            self._disk.sync_directory((self._data / file.stored).parent)
        with transaction(self._conn) as conn:
            for named in files.named(conn, [file.id], at):
                if named.sha256 is not None:
                    new = NewTransfer(
                        self._docking.id,
                        path,
                        path,
                        named.size,
                        named.sha256,
                        named.id,
                    )
                    transfers.add(conn, new, self._sealer.destinations, at)
        self._found.adopted += 1

    def _doubt(self, file: File, reason: str) -> None:
        with transaction(self._conn) as conn:
            files.quarantined(conn, file.id, reason, self._now())
        self._found.quarantined += 1
        log.warning("file quarantined docking=%s %s", self._docking.id, reason)

    def _stray(self, name: str) -> None:
        """A name that no row proves: kept, and never called evidence."""
        self._set_aside(name)
        event = Event("stray", self._docking.id, {"file": name})
        with transaction(self._conn) as conn:
            custody.append(conn, event, self._now())
        self._found.strays += 1

    def _set_aside(self, name: str) -> None:
        kept = self._sealer.root / quarantine_path(self._docking.id) / name
        wrong = self._data / name
        with vault_errors():
            self._disk.make_directory(kept.parent)
            self._disk.rename(wrong, _free_name(self._disk.exists, kept))
            self._disk.sync_directory(kept.parent)
            self._disk.sync_directory(wrong.parent)

    def _stop(self) -> None:
        state = self._docking.state
        if state in STOPPED:
            return
        change = Change(
            state,
            moved(MOVES, state, DockingMove.LOST),
            reason="the agent stopped before it was sealed",
        )
        with transaction(self._conn) as conn:
            dockings.set_state(conn, self._docking.id, change, self._now())

    def _now(self) -> Instant:
        return self._sealer.clock.now()


def _free_name(exists: Callable[[Path], bool], path: Path) -> Path:
    """Return the path, or the first `path~n` that is free."""
    name, count = path, 0
    while exists(name):
        count += 1
        name = path.with_name(f"{path.name}~{count}")
    return name
