"""The rows of a rebuilt database: each docking, held against its bag."""

import base64
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from dock_agent.clock import Clock, ulid
from dock_agent.config import Config
from dock_agent.custody import manifest
from dock_agent.custody.memory import Memory, Past
from dock_agent.custody.signing import PublicKey
from dock_agent.errors import CustodyError
from dock_agent.offload.plan import begin, stem
from dock_agent.offload.rows import transfer_of
from dock_agent.recording import (
    BayName,
    CameraId,
    DestinationName,
    DockingId,
    DockingState,
    FileId,
    FileState,
    RecordingId,
)
from dock_agent.store import approvals, files, recordings, restore, transfers
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Docking
from dock_agent.store.file import told_encrypted
from dock_agent.store.holds import Hold
from dock_agent.store.inventory import NewFile
from dock_agent.store.recordings import NewRecording
from dock_agent.store.restore import OldFile
from dock_agent.vault.disk import readable
from dock_agent.vault.layout import bag_path
from dock_agent.vault.real import RealDisk
from dock_agent.vault.verify import verify_bag

Told = dict[str, Any]
"""A line of an inventory, or what the log says of a file in the same words."""


@dataclass(slots=True)
class Rows:
    """Writes what is known of each docking, and counts."""

    config: Config
    conn: sqlite3.Connection
    clock: Clock
    known: Memory
    dockings: int = 0
    files: int = 0
    failed: list[str] = field(default_factory=list)
    disk: RealDisk = field(default_factory=RealDisk)
    bags: dict[str, PurePosixPath] = field(default_factory=dict)

    def __post_init__(self) -> None:
        root = self.config.vault_path
        for bag in root.glob("dockings/*/*/*/*/*"):
            self.bags[bag.name] = PurePosixPath(bag.relative_to(root))
        for name in sorted(self.bags.keys() - self.known.dockings):
            self.failed.append(f"{self.bags[name]}: the custody log does not know it")

    def keys(self) -> list[PublicKey]:
        """Return the keys that the log names: whole from there, or from a bag."""
        pems = [pem.encode() for pem in self.known.pems]
        for bag in self.bags.values():
            path = self.config.vault_path / bag / "station-key.pem"
            pems += [path.read_bytes()] if path.is_file() else []
        found = {key.id: key for key in _readable(pems)}
        return [key for ident, key in found.items() if ident in self.known.keys]

    def restore(self, past: Past) -> None:
        """Write one docking, its files as they are now, and what is to be sent."""
        bag = self.bags.get(past.id)
        if bag is None:
            bag = bag_path(past.id, CameraId(past.camera), past.opened.utc)
        sealed = past.state is DockingState.SEALED
        wrong: dict[str, str] = {}
        if sealed:
            wrong = self._checked(past, self.config.vault_path / bag)
        told = self._told(past, bag, trusted=sealed and "" not in wrong)
        self._gone(past, told, bag)
        if not sealed:
            wrong = self._reread(told, bag)
        if "" in wrong:
            wrong |= {one["file"]: wrong[""] for one in told}
        self.failed += [f"{past.id}: {n}: {why}" for n, why in wrong.items() if n]
        complete = past.complete and not wrong if sealed else past.complete
        row = Docking(
            past.id,
            CameraId(past.camera),
            BayName(past.bay),
            bag,
            past.identity,
            past.state,
            past.opened.utc,
            past.ended_at,
            complete,
            wrong.get("", past.reason),
        )
        with transaction(self.conn):
            restore.docking(self.conn, row, past.opened)
            self._files(row, told, wrong)
            for name, category in past.categories.items():
                restore.category(self.conn, past.id, name, category)
        self.dockings += not wrong

    def holds(self, conn: sqlite3.Connection) -> None:
        """Write every order that stands."""
        for ident, order in self.known.holds.items():
            restore.hold(conn, Hold(ident, order.by, order.why), order.at)

    def terms(self, conn: sqlite3.Connection) -> None:
        """Write the terms of retention that were in force."""
        if self.known.terms is not None:
            approvals.restore(conn, self.known.terms)

    def _gone(self, past: Past, told: list[Told], bag: PurePosixPath) -> None:
        """Say of each copy that was to expire, and is not there, that it did."""
        data = self.config.vault_path / bag / "data"
        for one in told:
            absent = not self.disk.exists(data / one["file"])
            if one["file"] in past.expired and absent:
                one["state"] = FileState.EXPIRED.value

    def _checked(self, past: Past, bag: Path) -> dict[str, str]:
        """Read a sealed bag from the medium; return what is wrong, by stored name.

        By the empty name: with the bag itself, whose own files then say nothing.
        """
        try:
            signed = self.disk.read(bag / manifest.TAG_MANIFEST)
            key = PublicKey.from_pem(self.disk.read(bag / "station-key.pem"))
        except (OSError, CustodyError) as error:
            return {"": f"its bag cannot be read: {error}"}
        wrong: dict[str, str] = {}
        if hashlib.sha256(signed).hexdigest() != past.signed or key.id != past.key:
            wrong[""] = "its bag is not the one that was sealed"
        for failure in verify_bag(self.disk, bag, past.id, key, past.expired).failed:
            name = failure.id.removeprefix("data/")
            where = name if name != failure.id else ""
            wrong[where] = failure.reason if where else f"{name}: {failure.reason}"
        return wrong

    def _told(self, past: Past, bag: PurePosixPath, *, trusted: bool) -> list[Told]:
        """Return what is known of its files: the bag's word, or else the log's."""
        folder = self.config.vault_path / bag
        if trusted:
            text = self.disk.read(folder / "inventory.jsonl").decode()
            return [json.loads(line) for line in text.split("\n") if line]
        return [
            _as_inventory(facts, folder / "data" / name)
            for name, facts in past.verified.items()
        ]

    def _reread(self, told: list[Told], bag: PurePosixPath) -> dict[str, str]:
        """Read what a docking that was never sealed has; return what is wrong."""
        wrong = {}
        for one in told:
            path = self.config.vault_path / bag / "data" / one["file"]
            found = readable(self.disk, path) if path.is_file() else None
            ours = told_encrypted(one)
            digest = one["sha256"] if ours is None else ours.sha256
            if found is None or found.digest != digest:
                wrong[one["file"]] = "is missing, or not what was verified"
        return wrong

    def _files(
        self, docking: Docking, told: list[Told], wrong: Mapping[str, str]
    ) -> None:
        groups = self._recordings(docking, told)
        for one in told:
            group = groups.get(stem(one["file"]))
            old = self._file(one, wrong.get(one["file"]), group)
            ident = restore.file(self.conn, docking.id, old)
            self.files += old.new.state is FileState.VERIFIED
            if old.new.state is FileState.EXPIRED:
                restore.expiry(self.conn, ident)
            if one["state"] == FileState.VERIFIED:
                self._queue(docking, ident)

    def _file(self, one: Told, wrong: str | None, group: RecordingId | None) -> OldFile:
        state, reason, holder = FileState(one["state"]), one["reason"], None
        if state is FileState.HELD:
            earlier = one["held_by"] or {"docking": "", "file": ""}
            where = DockingId(earlier["docking"]), earlier["file"]
            holder = restore.copy_of(self.conn, *where, one["sha256"])
            wrong = wrong or (None if holder else "what holds it is not what it was")
        if wrong is not None and state in {FileState.VERIFIED, FileState.HELD}:
            state, reason = FileState.QUARANTINED, wrong
        new = NewFile(
            base64.b64decode(one["raw_name"]),
            one["file"],
            one["size"],
            one["mtime_ns"],
            state,
            reason,
            None if state is FileState.SKIPPED else group,
        )
        known = one["sha256"], one["method"], one["read_from_medium"]
        return OldFile(new, *known, holder, told_encrypted(one))

    def _queue(self, docking: Docking, ident: FileId) -> None:
        """Queue it, also what is wrong: it is refused, and so the seal does not go."""
        names = [DestinationName(table.name) for table in self.config.destinations]
        new = transfer_of(files.get(self.conn, ident), docking.bag, docking.camera)
        transfers.add(self.conn, new, names, self.clock.now())

    def _recordings(self, docking: Docking, told: list[Told]) -> dict[str, RecordingId]:
        earliest: dict[str, int] = {}
        for one in told:
            if one["state"] != FileState.SKIPPED:
                name, time = stem(one["file"]), one["mtime_ns"]
                earliest[name] = min(earliest.get(name, time), time)
        found = [
            NewRecording(RecordingId(ulid(self.clock)), name, begin(time))
            for name, time in sorted(earliest.items())
        ]
        recordings.add(self.conn, docking.id, docking.camera, found)
        return {one.name: one.id for one in found}


def _readable(pems: list[bytes]) -> Iterator[PublicKey]:
    for pem in pems:
        try:
            yield PublicKey.from_pem(pem)
        except CustodyError:
            continue  # a bag's own key that cannot be read is told of with its bag


def _as_inventory(facts: Mapping[str, Any], path: Path) -> Told:
    """Return what the log says of a file; the copy has the time that it had."""
    time = path.stat().st_mtime_ns if path.is_file() else 0
    state = {"state": FileState.VERIFIED.value, "held_by": None, "reason": None}
    return {**facts, **state, "mtime_ns": time}
