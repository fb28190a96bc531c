"""A vault with dockings in it, queued for destinations in a real store."""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from random import Random

from dock_agent.clock import Clock
from dock_agent.custody.manifest import SIGNATURE
from dock_agent.recording import (
    BayName,
    CameraId,
    DestinationName,
    Digest,
    DockingId,
    Priority,
    TransferState,
)
from dock_agent.store import destinations, dockings, transfers
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Docking
from dock_agent.store.transfers import NewTransfer
from dock_agent.vault.layout import MARKER
from support.sending import sha256

CAMERA = CameraId("KT-Z3:KTZ3A00017")
CLOUD = DestinationName("cloud")
SEAL = SIGNATURE


@dataclass
class Queue:
    """What was queued: by key, the digest that must arrive. The vault is made."""

    conn: sqlite3.Connection
    vault: Path
    clock: Clock
    names: Sequence[DestinationName] = (CLOUD,)
    sent: dict[str, Digest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.vault.mkdir(exist_ok=True)
        (self.vault / MARKER).touch()

    def docking(
        self,
        number: int,
        sizes: Iterable[int],
        priority: Priority = Priority.NORMAL,
        *,
        rank: int = 0,
    ) -> DockingId:
        """Queue a docking of files of these sizes, and the seal that goes last."""
        docking = DockingId(f"01KAVXG0000000000000{number:06d}")
        bag = PurePosixPath("dockings") / docking
        known = Docking(docking, CAMERA, BayName("1"), bag)
        with transaction(self.conn):
            for name in self.names:
                destinations.ensure(self.conn, name, "s3")
            dockings.open_docking(self.conn, known, self.clock.now())
            for index, size in enumerate(sizes):
                self._add(known, f"data/{index:04d}.MP4", size, (priority, rank))
            self._add(known, SEAL, 64, (priority, rank), TransferState.BLOCKED)
        return docking

    def _add(
        self,
        docking: Docking,
        name: str,
        size: int,
        order: tuple[Priority, int],
        state: TransferState = TransferState.QUEUED,
    ) -> None:
        key = str(docking.bag / name)
        data = Random(key).randbytes(size)
        path = self.vault / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.sent[key] = sha256(data)
        new = NewTransfer(
            docking.id,
            key,
            key,
            size,
            sha256(data),
            priority=order[0],
            rank=order[1],
            state=state,
        )
        transfers.add(self.conn, new, self.names, self.clock.now())


def states(conn: sqlite3.Connection) -> dict[str, TransferState]:
    """Return the state of each key's row."""
    rows = conn.execute("SELECT key, state FROM transfer ORDER BY id")
    return {row["key"]: TransferState(row["state"]) for row in rows}
