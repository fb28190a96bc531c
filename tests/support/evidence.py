"""A store with recordings in it, written through the store's own functions."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath

from dock_agent.clock import Instant, stamp
from dock_agent.config import Config
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
    RecordingId,
)
from dock_agent.store import (
    confirmations,
    destinations,
    dockings,
    files,
    inventory,
    recordings,
    transfers,
)
from dock_agent.store.confirmations import Confirmed
from dock_agent.store.db import connect, transaction
from dock_agent.store.dockings import Change, Docking
from dock_agent.store.file import FileProof
from dock_agent.store.inventory import Listing, NewFile
from dock_agent.store.recordings import NewRecording
from dock_agent.store.transfers import Claim, NewTransfer
from support.boards import NOW

CAMERA = CameraId("KT-Z3:KTZ3A00017")
MAIN = DestinationName("main")
AT = Instant(utc=NOW, monotonic_ns=1, boot="test", trusted=True)
HOSTILE = b"DCIM/\x1b[31m<script>alert(1)</script>\xe2\x80\xae4pm.MP4"


@dataclass(frozen=True, slots=True)
class Held:
    """One recording of one file, and its docking."""

    docking: DockingId
    recording: RecordingId
    file: FileId
    digest: Digest


def numbered(number: int) -> str:
    """Return a ULID that sorts by `number`."""
    return f"01KAVXG0000000000000{number:06d}"


@contextmanager
def store(config: Config) -> Iterator[sqlite3.Connection]:
    """Make the station's database, and open it for writing."""
    with closing(connect(config.store_path, create=True)) as conn:
        with transaction(conn):
            destinations.ensure(conn, MAIN, "s3")
        yield conn


def offloaded(
    conn: sqlite3.Connection,
    number: int = 1,
    path: bytes = b"DCIM/0001.MP4",
    at: Instant = AT,
) -> Held:
    """Write a sealed docking of one verified file, queued for `main`."""
    docking, recording = DockingId(numbered(number)), RecordingId(numbered(number))
    digest = Digest(f"{number:064x}")
    with transaction(conn):
        _open(conn, docking, at)
        start = stamp(NOW + timedelta(minutes=number))
        name = path.decode("utf-8", "backslashreplace")
        recordings.add(conn, docking, CAMERA, [NewRecording(recording, name, start)])
        new = NewFile(path, "stored.MP4", 5_000_000, 0, recording=recording)
        (file,) = inventory.add(conn, docking, Listing([new]), at)
        proof = FileProof(file, digest, (digest,), ReadBack.DIRECT, 5_000_000)
        files.proved(conn, [proof])
        files.named(conn, [file], at)
        key = f"dockings/{docking}/data/stored.MP4"
        item = NewTransfer(docking, key, key, 5_000_000, digest, file=file)
        transfers.add(conn, item, [MAIN], at)
        _move(conn, docking, DockingState.OPENED, DockingState.COPYING, at)
        _move(conn, docking, DockingState.COPYING, DockingState.CHECKING, at)
        change = Change(DockingState.CHECKING, DockingState.SEALED, complete=True)
        dockings.set_state(conn, docking, change, at)
    return Held(docking, recording, file, digest)


def interrupted(conn: sqlite3.Connection, number: int) -> DockingId:
    """Write a docking whose camera left at 0 of 1 files."""
    docking = DockingId(numbered(number))
    with transaction(conn):
        _open(conn, docking, AT)
        new = NewFile(b"DCIM/0002.MP4", "0002.MP4", 7, 0)
        inventory.add(conn, docking, Listing([new]), AT)
        reason = "the camera left its bay"
        change = Change(DockingState.OPENED, DockingState.INTERRUPTED, reason=reason)
        dockings.set_state(conn, docking, change, AT)
    return docking


def confirmed(conn: sqlite3.Connection, held: Held, apart: str = "") -> None:
    """Write that `main` proved the file; `apart` is why it keeps it elsewhere."""
    with transaction(conn):
        wish = Claim(MAIN, "worker", NOW, timedelta(minutes=1))
        claimed = transfers.claim(conn, wish)
        assert claimed is not None
        proof = Confirmed(Proof.READ_BACK, held.digest, apart=apart)
        confirmations.confirm(conn, claimed, proof, AT)


def _open(conn: sqlite3.Connection, docking: DockingId, at: Instant) -> None:
    bag = PurePosixPath("dockings") / docking
    dockings.open_docking(conn, Docking(docking, CAMERA, BayName("2"), bag), at)


def _move(
    conn: sqlite3.Connection,
    docking: DockingId,
    a: DockingState,
    b: DockingState,
    at: Instant,
) -> None:
    dockings.set_state(conn, docking, Change(a, b), at)
