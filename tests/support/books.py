"""A store in a directory, and dockings in it, written by its own functions."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from dock_agent.clock import Instant
from dock_agent.recording import (
    BayName,
    CameraId,
    DestinationName,
    Digest,
    DockingId,
    DockingState,
    FileId,
    Proof,
    ReadBack,
    TransferState,
)
from dock_agent.simulated.clock import ManualClock
from dock_agent.store import (
    confirmations,
    custody,
    destinations,
    dockings,
    files,
    inventory,
    transfers,
)
from dock_agent.store.confirmations import Confirmed
from dock_agent.store.db import connect, transaction
from dock_agent.store.dockings import Change, Docking
from dock_agent.store.file import File, FileProof
from dock_agent.store.inventory import Listing, NewFile
from dock_agent.store.transfers import Claim, NewTransfer, Transfer

CAMERA = CameraId("KT-Z3:KTZ3A00017")
MAIN, NAS = DestinationName("main"), DestinationName("nas")
LEASE = timedelta(minutes=5)
OWNER, THIEF = "worker", "another worker"
DIGEST = Digest("ab" * 32)


def ident(number: int) -> DockingId:
    """Return a docking's id that sorts by `number`."""
    return DockingId(f"01JQ{number:022d}")


@dataclass
class Books:
    """A store, a clock that stands still, and short ways to write to it."""

    root: Path
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.conn: sqlite3.Connection = connect(self.root / "store.db", create=True)
        with transaction(self.conn):
            for name in (MAIN, NAS):
                destinations.ensure(self.conn, name, "directory")

    @property
    def at(self) -> Instant:
        return self.clock.now()

    def open(self, number: int = 1, camera: CameraId = CAMERA) -> DockingId:
        bag = PurePosixPath("dockings", ident(number))
        docking = Docking(ident(number), camera, BayName("1"), bag)
        with transaction(self.conn):
            dockings.open_docking(self.conn, docking, self.at)
        return docking.id

    def inventory(
        self, docking: DockingId, names: Sequence[str], size: int = 5000
    ) -> list[FileId]:
        new = [NewFile(name.encode(), name, size, 7) for name in names]
        with transaction(self.conn):
            return inventory.add(self.conn, docking, Listing(new), self.at)

    def prove(self, file: FileId, digest: Digest = DIGEST) -> None:
        proof = FileProof(file, digest, (digest,), ReadBack.DIRECT, 5000)
        with transaction(self.conn):
            files.proved(self.conn, [proof])

    def name(self, file: FileId, to: Sequence[DestinationName] = (MAIN,)) -> File:
        with transaction(self.conn):
            (named,) = files.named(self.conn, [file], self.at)
            if named.sha256 is not None:
                path = f"dockings/{named.docking}/data/{named.stored}"
                new = NewTransfer(
                    named.docking, path, path, named.size, named.sha256, file
                )
                transfers.add(self.conn, new, to, self.at)
        return named

    def verified(self, docking: DockingId, name: str = "a.MP4") -> FileId:
        (file,) = self.inventory(docking, [name])
        self.prove(file)
        self.name(file)
        return file

    def move(self, docking: DockingId, to: DockingState, **facts: Any) -> None:
        expected = dockings.get(self.conn, docking).state
        with transaction(self.conn):
            change = Change(expected, to, **facts)
            dockings.set_state(self.conn, docking, change, self.at)

    def sealed(self, docking: DockingId) -> None:
        for to in (DockingState.COPYING, DockingState.CHECKING, DockingState.SEALED):
            self.move(docking, to)

    def add(
        self,
        docking: DockingId,
        key: str,
        state: TransferState = TransferState.QUEUED,
        to: Sequence[DestinationName] = (MAIN,),
    ) -> None:
        with transaction(self.conn):
            new = NewTransfer(docking, key, key, 100, DIGEST, state=state)
            transfers.add(self.conn, new, to, self.at)

    def claim(
        self, destination: DestinationName = MAIN, owner: str = OWNER
    ) -> Transfer | None:
        wish = Claim(destination, owner, self.at.utc, LEASE)
        with transaction(self.conn):
            return transfers.claim(self.conn, wish)

    def claimed(
        self, destination: DestinationName = MAIN, owner: str = OWNER
    ) -> Transfer:
        found = self.claim(destination, owner)
        assert found is not None
        return found

    def confirm(self, transfer: Transfer) -> None:
        with transaction(self.conn):
            proof = Confirmed(Proof.READ_BACK, transfer.sha256)
            confirmations.confirm(self.conn, transfer, proof, self.at)

    def told(self, docking: DockingId) -> list[str]:
        """Return the kinds of the docking's custody events, in order."""
        lines = custody.lines(self.conn, docking)
        return [json.loads(line)["kind"] for line in lines]

    def facts(self, docking: DockingId, kind: str) -> list[dict[str, Any]]:
        """Return what the docking's events of one kind say."""
        lines = map(json.loads, custody.lines(self.conn, docking))
        return [line["facts"] for line in lines if line["kind"] == kind]

    def close(self) -> None:
        self.conn.close()
