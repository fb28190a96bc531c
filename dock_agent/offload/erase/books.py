"""Answer what an erase says, from the database: each answer after its commit.

The rules are asked twice: before the camera is read, and once more in the very
transaction that puts the intent on record.
"""

import logging
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dock_agent.bays.machine import Advanced, Cleared, Event, Failed
from dock_agent.errors import (
    DockError,
    FixityError,
    NotReleased,
    SourceChanged,
    VaultUnusable,
)
from dock_agent.offload.ending import CODES
from dock_agent.offload.messages import (
    Agreed,
    Ended,
    EraseOrder,
    Expected,
    Go,
    Heard,
    Looked,
    Looking,
    Progressed,
    Removing,
    Said,
    Stop,
    ended,
)
from dock_agent.offload.release import Copy, Rule, Visit, objection
from dock_agent.offload.root import Root
from dock_agent.offload.source import shown
from dock_agent.recording import (
    CameraId,
    ClearState,
    DockingId,
    EraseState,
    FileState,
)
from dock_agent.store import candidates, dockings, erasures, holds
from dock_agent.store.candidates import Candidate
from dock_agent.store.db import transaction
from dock_agent.vault import reached
from dock_agent.vault.bag import Sealer, as_signed
from dock_agent.vault.disk import vault_errors

log = logging.getLogger(__name__)

UNSAFE = frozenset(
    kind.__name__ for kind in (SourceChanged, FixityError, VaultUnusable)
)
"""Errors after which a camera may hold what is whole nowhere else."""


@dataclass(frozen=True, slots=True)
class EraseJob:
    """Which docking's files are to go, and where their camera is now."""

    docking: DockingId
    camera: CameraId
    source: Path
    root: Root  # as it was when the camera was identified
    private: bool = False  # nobody but us can reach the camera's tree to write


class EraseBooks:
    """Keeps the books of one erase. Meets `parent.Books`."""

    def __init__(
        self,
        conn: sqlite3.Connection,
        sealer: Sealer,
        job: EraseJob,
        rule: Rule,
        post: Callable[[Event], None],
    ) -> None:
        self._conn, self._sealer, self._job = conn, sealer, job
        self._rule, self._post = rule, post
        self._unsafe: str | None = None  # the error, if one says that it is
        self.over = False

    def open(self) -> EraseOrder:
        """Ask the rules; return what to erase. Raises `NotReleased`, and why."""
        found = self._released()
        listed = tuple(_listed(one, self._place(one)) for one in found)
        job = self._job
        return EraseOrder(job.source, job.root, listed, job.private)

    def answer(self, said: Said) -> Heard | None:
        """Commit what was said, and return the answer to it, if it gets one."""
        try:
            return self._answer(said)
        except DockError as error:
            self.end(ended(error))
            return Stop(str(error))

    def end(self, why: Ended) -> None:
        """The erase is over before its time. Raises what the store raises.

        The bay is told first: a database that is held must not keep it waiting.
        """
        if not self.over:
            self._unsafe = self._unsafe or unsafe(why)
            self._close(why.detail)
            break_off(self._conn, self._sealer, (self._job, self._rule), why)

    def _answer(self, said: Said) -> Heard | None:
        match said:
            case Progressed(done, size):
                self._post(Advanced(done, size))
                return None
            case Looking():
                return None
            case Ended():
                self.end(said)
                return None
            case Removing(ident):
                kept = holds.keeps(self._conn, ident)
                return Stop("its docking is on hold") if kept else Go()
            case Agreed():
                self._intend()
            case Looked():
                self._settle(said)
        return Go()

    def _intend(self) -> None:
        at = self._sealer.clock.now()
        with transaction(self._conn) as conn:
            found = self._released()
            doomed = [one for one in found if one.file.state is not FileState.SKIPPED]
            docking, policy = self._job.docking, self._rule.policy
            erasures.intend(conn, docking, policy, doomed, at)
        reached.note(self._sealer.disk, self._sealer.root, self._conn)

    def _settle(self, said: Looked) -> None:
        docking, at = self._job.docking, self._sealer.clock.now()
        if said.changed:  # whatever becomes of the record
            self._unsafe = SourceChanged.__name__
        found = dict.fromkeys(said.gone, EraseState.ERASED)
        found |= dict.fromkeys(said.still, EraseState.KEPT)
        found |= dict.fromkeys(said.vanished, EraseState.GONE)
        reason = said.reason
        if said.still and reason is None:
            reason = f"{len(said.still)} files are still on the camera"
        with transaction(self._conn) as conn:
            erasures.looked(conn, docking, found, at)
            if reason is None:
                erasures.cleared(conn, docking, at)
            else:
                erasures.broke_off(conn, docking, ClearState.FAILED, reason, at)
        self._close(reason)

    def _close(self, reason: str | None) -> None:
        """Free the bay; but not for a camera that holds what the vault does not."""
        self.over = True
        if reason is None:
            log.info("camera cleared docking=%s", self._job.docking)
        else:
            log.warning("camera not cleared docking=%s %s", self._job.docking, reason)
        self._post(over(self._unsafe, reason))

    def _released(self) -> list[Candidate]:
        """Return the docking's entries if all of its files may go."""
        conn, job, sealer = self._conn, self._job, self._sealer
        told = reached.behind(sealer.disk, sealer.root, conn)
        if told is not None:
            raise NotReleased(f"{told}: see `dock-agent doctor`")
        found = candidates.of_docking(conn, job.docking)
        copies = [self._copy(candidate) for candidate in found]
        _require_copies(copies)
        now = self._sealer.clock.now().utc
        told = objection(self._rule, self._visit(found), copies, now)
        if told is not None:
            raise NotReleased(told)
        return found

    def _visit(self, found: Sequence[Candidate]) -> Visit:
        conn, job = self._conn, self._job
        docking = dockings.get(conn, job.docking)
        bags = {job.docking, *(one.copy.docking for one in found)}
        return Visit(
            camera=docking.camera,
            docked=job.camera,
            attached=job.root.attached(),
            state=docking.state,
            complete=docking.complete,
            signed=all(as_signed(conn, self._sealer, bag) for bag in bags),
            sealed_at=docking.ended_at,
            on_hold=erasures.on_hold(conn, job.docking),
            cleared=erasures.state(conn, job.docking) is not None,
        )

    def _copy(self, one: Candidate) -> Copy:
        return Copy(
            name=shown(one.file.path),
            kind=one.file.reason if one.file.state is FileState.SKIPPED else None,
            state=one.file.state,
            size=one.copy.copy_size,
            digest=one.file.sha256,
            copy_state=one.copy.state,
            copy_digest=one.copy.sha256,
            copy_sealed=one.sealed,
            method=one.copy.method,
            retries=one.copy.retries,
            there=self._length(one),
            on_hold=one.on_hold,
            proofs=one.proofs,
            kept=one.kept,
        )

    def _place(self, one: Candidate) -> Path:
        return self._sealer.root / one.bag / "data" / one.copy.stored

    def _length(self, one: Candidate) -> int | None:
        path = self._place(one)
        with vault_errors():
            there = self._sealer.disk.exists(path)
            return self._sealer.disk.size(path) if there else None


def over(error: str | None, reason: str | None) -> Cleared | Failed:
    """Return what the bay is told; `error` is one of `UNSAFE`, or None."""
    if error is None:
        return Cleared(reason)
    return Failed(CODES[error], f"not cleared: {reason}: dock it again")


def unsafe(why: Ended) -> str | None:
    """Return the error if it says that the footage may not be safe."""
    return why.error if why.error in UNSAFE else None


def _require_copies(copies: Sequence[Copy]) -> None:
    """Whatever the rules say: the footage is not safe if a copy is gone."""
    for copy in copies:
        safe = copy.state in {FileState.VERIFIED, FileState.HELD}
        if safe and copy.copy_state is not FileState.VERIFIED:
            raise FixityError(f"{copy.name}: its copy is {copy.copy_state}")
        if safe and copy.there != copy.size:
            raise FixityError(f"{copy.name}: its copy is not in the vault as it was")


def break_off(
    conn: sqlite3.Connection, sealer: Sealer, what: tuple[EraseJob, Rule], why: Ended
) -> None:
    """Record that an erase did not end as it should, or was never begun."""
    job, rule = what
    at = sealer.clock.now()
    gone = why.error == "CameraGone"
    with transaction(conn):
        if erasures.state(conn, job.docking) is ClearState.INTENDED:
            to = ClearState.INTERRUPTED if gone else ClearState.FAILED
            erasures.broke_off(conn, job.docking, to, why.detail, at)
        else:
            erasures.refused(conn, job.docking, rule.policy, why.detail, at)


def _listed(one: Candidate, copy: Path) -> Expected:
    file = one.file
    is_evidence = file.state is not FileState.SKIPPED
    return Expected(
        file.id,
        file.path,
        file.size,
        file.mtime_ns,
        file.sha256 if is_evidence else None,
        None if is_evidence else file.reason,
        copy,
        one.copy.copy_sha256 if is_evidence else None,
    )
