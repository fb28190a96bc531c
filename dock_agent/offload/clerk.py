"""Answer what an offload says, from the database: each answer after its commit.

One clerk for one docking, in the parent. It tells the bay how far that has got.
"""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from dock_agent.bays.machine import (
    Advanced,
    Copied,
    Event,
    Failed,
    Listed,
    Sealed,
)
from dock_agent.clock import Instant, ulid
from dock_agent.errors import DockError, StoreError
from dock_agent.machine import moved
from dock_agent.offload.docking import MOVES, OPEN, DockingMove
from dock_agent.offload.ending import ending
from dock_agent.offload.messages import (
    AllCopied,
    AllPassed,
    Doubted,
    Ended,
    Found,
    GivenUp,
    Go,
    Heard,
    Held,
    Inventory,
    Looking,
    Matched,
    Named,
    Order,
    Plan,
    Planned,
    Progressed,
    Proved,
    Said,
    Stop,
    ended,
)
from dock_agent.offload.plan import ENCRYPTED, Entry, entries, groups
from dock_agent.offload.root import Root
from dock_agent.offload.rows import file_proof, new_file, planned, transfer_of
from dock_agent.offload.settle import close_old
from dock_agent.recording import (
    BayName,
    CameraId,
    DockingId,
    DockingState,
    FileId,
    FileState,
    RecordingId,
)
from dock_agent.store import dockings, files, inventory, orders, recordings, transfers
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Change, Docking
from dock_agent.store.encryption import require_recipients
from dock_agent.store.file import File
from dock_agent.store.inventory import Listing
from dock_agent.store.recordings import NewRecording
from dock_agent.vault.bag import Sealer, seal
from dock_agent.vault.disk import vault_errors
from dock_agent.vault.quarantine import move_aside

Post = Callable[[Event], None]
PATIENCE = 15.0  # seconds: a killed agent's children are gone in one or two


@dataclass(frozen=True, slots=True)
class Terms:
    """What bounds every docking.

    `reserve` in bytes that stay free, `pace` in bytes a second (0: no limit),
    `patience` in seconds for an earlier offload of the same camera to end, `rest`
    in seconds until the last look at a tree that others may write.
    """

    reserve: int
    pace: int = 0
    patience: float = 0.0
    rest: float = 0.0
    recipients: tuple[bytes, ...] = ()  # public files to encrypt to; none: do not


@dataclass(frozen=True, slots=True)
class Job:
    """One docking to do: which camera, where its tree is, where its bag goes.

    `root` is what the tree's root was when the camera was identified.
    """

    docking: DockingId
    camera: CameraId
    bay: BayName
    source: Path
    bag: PurePosixPath  # below the vault
    identity: Mapping[str, Any]
    root: Root | None = None


class Clerk:
    """Keeps the books of one docking."""

    def __init__(
        self, conn: sqlite3.Connection, sealer: Sealer, job: Job, post: Post
    ) -> None:
        self._conn, self._sealer, self._job, self._post = conn, sealer, job, post
        self._state = DockingState.OPENED
        self._held: dict[FileId, FileId] = {}
        self._total = (0, 0, 0)  # files, bytes, bytes that nothing holds yet
        self._listed: list[Found] = []
        self._ending = b""
        self.over = False

    def open(self, terms: Terms) -> Order:
        """Close what this camera left unfinished, and open the docking.

        Raises `StillWritten` where that does not end in time, or `EncryptionMissing`.
        """
        require_recipients(self._conn, terms.recipients)
        self._ending = ENCRYPTED if terms.recipients else b""
        for old in dockings.unfinished(self._conn, self._job.camera):
            close_old(self._conn, self._sealer, old.id, terms.patience)
        job = self._job
        docking = Docking(job.docking, job.camera, job.bay, job.bag, job.identity)
        with transaction(self._conn):
            dockings.open_docking(self._conn, docking, self._sealer.clock.now())
        limits = terms.reserve, terms.pace, job.root, terms.rest, terms.recipients
        return Order(job.source, root := self._sealer.root, root / job.bag, *limits)

    def answer(self, said: Said) -> Heard | None:
        """Commit what was said, and return the answer to it, if it gets one."""
        try:
            return self._answer(said)
        except DockError as error:
            self.end(ended(error))
            return Stop(str(error))

    def _require_open(self) -> None:
        state = dockings.state(self._conn, ident := self._job.docking)
        if state not in {*OPEN, DockingState.WAITING}:
            raise StoreError(
                f"docking {ident} is {state}: nothing more is written of it"
            )

    def end(self, why: Ended) -> None:
        """The offload is over before its time. Raises what the store raises."""
        if self.over:
            return
        end = ending(why, self._sealer.free())
        stop(self._conn, self._sealer, self._job.docking, end.move, why.detail)
        self.over = True
        self._post(end.event)

    def _answer(self, said: Said) -> Heard | None:
        if not isinstance(said, Ended):
            self._require_open()
        match said:
            case Inventory():
                return self._list(said)
            case Progressed(done, size):
                self._post(Advanced(done, size))
                return None
            case Looking():
                return None
            case Ended():
                self.end(said)
                return None
            case AllCopied():
                self._move(DockingMove.COPIED)
                self._post(Copied())
            case AllPassed():
                self._seal()
            case _:
                self._file(said)
        return Go()

    def _file(self, said: Said) -> None:
        at = self._sealer.clock.now()
        if isinstance(said, Doubted):
            self._set_aside(said.id)
        with transaction(self._conn) as conn:
            match said:
                case Proved(proofs):
                    files.proved(conn, [file_proof(proof) for proof in proofs])
                case Named(ids):
                    for file in files.named(conn, ids, at):
                        self._queue(conn, file, at)
                case Matched(ids):
                    files.matched(conn, {i: self._held[i] for i in ids}, at)
                case GivenUp(ident, reason):
                    files.missed(conn, ident, reason, at)
                case Doubted(ident, reason):
                    files.quarantined(conn, ident, reason, at)
                    orders.withdraw(conn, ident, at)

    def _list(self, said: Inventory) -> Plan:
        """Commit the inventory (F1) and say what is to be copied."""
        at = self._sealer.clock.now()
        listed = entries(said.found, self._listed, self._ending)
        self._listed += said.found
        facts = {
            "file_system": said.file_system,
            "time_resolution_ns": said.resolution_ns,
        }
        known = self._recordings(listed)
        new = Listing([new_file(entry, known) for entry in listed], facts)
        with transaction(self._conn) as conn:
            recordings.add(conn, self._job.docking, self._job.camera, known.values())
            made = inventory.add(conn, self._job.docking, new, at)
            if self._state is DockingState.OPENED:
                self._write_move(conn, DockingMove.LISTED)
        plan = [
            self._planned(ident, entry)
            for ident, entry in zip(made, listed, strict=True)
            if entry.found.readable
        ]
        count, size, fresh = self._total
        size += sum(file.size for file in plan)
        fresh += sum(file.size for file in plan if file.held is None)
        self._total = count + len(plan), size, fresh
        self._post(Listed(*self._total))
        return Plan(tuple(plan))

    def _recordings(self, listed: list[Entry]) -> dict[str, NewRecording]:
        """Return the recordings of an inventory by their names."""
        found: dict[str, NewRecording] = {}
        for group in groups(listed):
            ident = RecordingId(ulid(self._sealer.clock))
            found[group.name] = NewRecording(ident, group.name, group.start)
        return found

    def _planned(self, ident: FileId, entry: Entry) -> Planned:
        found = entry.found
        earlier = files.held(
            self._conn, self._job.camera, found.path, found.size, found.mtime_ns
        )
        plan = planned(ident, entry)
        if earlier is None or not (earlier.sha256 and earlier.copy_sha256):
            return plan
        self._held[ident] = earlier.id
        bag = dockings.get(self._conn, earlier.docking).bag
        copy = self._sealer.root / bag / "data" / earlier.stored
        held = Held(copy, earlier.sha256, earlier.copy_sha256)
        return replace(plan, held=held)

    def _queue(self, conn: sqlite3.Connection, file: File, at: Instant) -> None:
        new = transfer_of(file, self._job.bag, self._job.camera)
        transfers.add(conn, new, self._sealer.destinations, at)

    def _set_aside(self, ident: FileId) -> None:
        """Move a copy that is not what it should be out of the bag."""
        file = files.get(self._conn, ident)
        wrong = self._sealer.root / self._job.bag / "data" / file.stored
        where = self._sealer.disk, self._sealer.root, self._job.docking
        with vault_errors():
            move_aside(*where, wrong, file.stored)

    def _seal(self) -> None:
        told = seal(self._conn, self._sealer, self._job.docking)
        self.over, self._state = True, DockingState.SEALED
        if told.complete:
            self._post(Sealed(told.safe))
            return
        counts = files.counts(self._conn, self._job.docking)
        wrong = FileState.QUARANTINED in counts
        code, lost = "D-20" if wrong else "D-10", told.files - told.safe
        self._post(Failed(code, f"{lost} of {told.files} not safe"))

    def _move(self, by: DockingMove) -> None:
        with transaction(self._conn) as conn:
            self._write_move(conn, by)

    def _write_move(self, conn: sqlite3.Connection, by: DockingMove) -> None:
        to = moved(MOVES, self._state, by)
        at = self._sealer.clock.now()
        dockings.set_state(conn, self._job.docking, Change(self._state, to), at)
        self._state = to


def stop(
    conn: sqlite3.Connection,
    sealer: Sealer,
    ident: DockingId,
    by: DockingMove,
    reason: str,
) -> None:
    """Record that a docking is over, unless whoever closed it was first."""
    with transaction(conn):
        state = dockings.state(conn, ident)
        if state in OPEN:
            change = Change(state, moved(MOVES, state, by), reason=reason)
            dockings.set_state(conn, ident, change, sealer.clock.now())
