"""Let local copies go whose time is over: those alone that are proved elsewhere now.

For each file in turn: the rules are asked; every destination proves its copy anew;
the rules are asked again in the transaction that commits the intent; then the name is
removed, the directory flushed, and that is on record. Whatever stops it in between,
the next run begins with what was intended: what is still there stays, and is verified
as before. The bag's own files stay for good.
"""

import logging
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from dock_agent import retaining
from dock_agent.clock import Clock, stamp
from dock_agent.config import Config
from dock_agent.errors import AlreadyRunning, FixityError, SyncError, VaultUnusable
from dock_agent.recording import DestinationName, FileId, Proof
from dock_agent.store import expiries, kept, station
from dock_agent.store.db import transaction
from dock_agent.store.kept import KeptFile
from dock_agent.store.transfers import Transfer
from dock_agent.vault import lock, reached
from dock_agent.vault.disk import Disk, vault_errors
from dock_agent.vault.layout import MARKER
from dock_agent.vault.retention import Rule, Station, objection, unproved

log = logging.getLogger(__name__)

Ask = Callable[[Transfer], Proof]
"""Asks a destination for proof, now; raises as a destination does."""

LEFT = "the run before did not end"


class Expired(msgspec.Struct, frozen=True, kw_only=True):
    """What a run did, as `--json` prints it. `bytes` were freed; `stays` says why."""

    files: int
    bytes: int
    stays: dict[str, int]


@dataclass(frozen=True, slots=True)
class Expiry:
    """One run. `ask` asks a destination; the disk is the vault's."""

    conn: sqlite3.Connection
    config: Config
    disk: Disk
    clock: Clock
    ask: Ask

    @property
    def root(self) -> Path:
        return self.config.vault_path

    def run(self) -> Expired:
        """Let go what may go. Raises `VaultUnusable`, `AlreadyRunning`."""
        with self._alone():
            self.recover()
            retaining.enforce(self.conn, self.config, self.clock.now())
            about, freed, stays = self._station(), list[int](), Counter[str]()
            for ident in kept.classified(self.conn):
                size = kept.of_file(self.conn, ident).file.copy_size
                why = self._asked_rules(ident, about)[0] or self._expire(ident)
                if why is None:
                    freed.append(size)
                else:
                    stays[why] += 1
        return Expired(files=len(freed), bytes=sum(freed), stays=dict(stays))

    def recover(self) -> None:
        """Settle what an earlier run intended: what is still there stays.

        Raises `VaultUnusable` where the vault is not there: nothing is concluded.
        """
        open_ = expiries.unfinished(self.conn)
        if open_:
            self._require_vault()
        for ident in open_:
            path = self._path(kept.of_file(self.conn, ident))
            with vault_errors():
                there = self.disk.exists(path)
                self.disk.sync_directory(path.parent)  # its name may come back yet
            at = self.clock.now()
            with transaction(self.conn) as conn:
                if there:
                    expiries.kept(conn, ident, LEFT, at)
                else:
                    expiries.gone(conn, ident, at)
        if open_:
            reached.note(self.disk, self.root, self.conn)

    def _expire(self, ident: FileId) -> str | None:
        """Let one copy go that may, if it is proved; return why not, or None."""
        proofs, told = self._proofs(ident)
        with transaction(self.conn) as conn:
            # A hold may have come meanwhile.
            why, found = self._asked_rules(ident, self._station())
            now = self.clock.now()
            rule = self._rule()
            why = why or told or unproved(rule, proofs)
            if why is not None:
                return why
            evidence = self._evidence(found, proofs) | {"asked_until": stamp(now.utc)}
            expiries.intend(conn, ident, evidence, now)
        reached.note(self.disk, self.root, self.conn)
        path = self._path(found)
        with vault_errors():
            self.disk.unlink(path)
            self.disk.sync_directory(path.parent)
        with transaction(self.conn) as conn:
            expiries.gone(conn, ident, self.clock.now())
        reached.note(self.disk, self.root, self.conn)
        log.info("copy expired file=%d docking=%s", ident, found.file.docking)
        return None

    def _station(self) -> Station:
        self._require_vault()
        now = self.clock.now()
        return retaining.station(self.conn, self.disk, self.root, now)

    def _asked_rules(
        self, ident: FileId, about: Station
    ) -> tuple[str | None, KeptFile]:
        found = kept.of_file(self.conn, ident)
        copy = retaining.copy_of(found, self.disk, self.root)
        return objection(self._rule(), about, copy), found

    def _rule(self) -> Rule:
        now = retaining.in_force(self.conn, self.config)
        return retaining.rule_of(self.config, now)

    def _proofs(self, ident: FileId) -> tuple[dict[DestinationName, Proof], str | None]:
        """Return what each destination proves now; and what kept one from it."""
        proofs: dict[DestinationName, Proof] = {}
        for sent in kept.transfers(self.conn, ident):
            try:
                proofs[sent.destination] = self.ask(sent)
            except (SyncError, FixityError) as error:
                return proofs, f"{sent.destination} could not be asked: {error}"
        return proofs, None

    def _evidence(
        self, found: KeptFile, proofs: Mapping[DestinationName, Proof]
    ) -> dict[str, Any]:
        now = retaining.in_force(self.conn, self.config)
        return {
            "proofs": {name: proof.value for name, proof in sorted(proofs.items())},
            "terms": now.facts(),
            "listed": [
                {
                    "docking": one.docking,
                    "category": one.category,
                    "sealed_at": one.sealed_at and stamp(one.sealed_at),
                }
                for one in found.listings
            ],
        }

    def _path(self, found: KeptFile) -> Path:
        return self.root / found.bag / "data" / found.file.stored

    def _require_vault(self) -> None:
        """Raise `VaultUnusable` unless it is the very vault of this station."""
        known = station.vault_id(self.conn)
        if known is not None:
            lock.identity(self.disk, self.root, self.clock, known)
        elif not self.disk.exists(self.root / MARKER):
            raise VaultUnusable(f"{self.root} is not the vault: its marker is missing")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One run at a time: another's intent would look like one that was left."""
        held = lock.lock_bag(self.config.store_path.parent)
        if held is None:
            raise AlreadyRunning("copies are expired by another run just now")
        try:
            yield
        finally:
            os.close(held)
