"""Carry one claimed object to its destination, and commit what came of it."""

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

from dock_agent.clock import Clock
from dock_agent.errors import (
    Barred,
    Busy,
    DockError,
    FixityError,
    Full,
    LeaseLost,
    NotTaken,
    Portal,
    Refused,
    SyncError,
    Unreachable,
    VaultUnread,
    VaultUnusable,
)
from dock_agent.recording import Proof
from dock_agent.store import destinations, transfers
from dock_agent.store.confirmations import Confirmed, confirm
from dock_agent.store.db import transaction
from dock_agent.store.destinations import DestinationRow
from dock_agent.store.transfers import Step, Transfer
from dock_agent.sync.contact import Contact, is_elsewhere
from dock_agent.sync.destination import (
    Acknowledged,
    Confirmation,
    Object,
    Progress,
)
from dock_agent.sync.item import described
from dock_agent.sync.lane import Lane
from dock_agent.sync.policy import GIVE_UP_AFTER, LEASE, due_after
from dock_agent.vault.layout import MARKER

log = logging.getLogger(__name__)

BEAT_EVERY = timedelta(seconds=15)
BEAT_EVERY_NS = BEAT_EVERY // timedelta(microseconds=1) * 1000
OTHERS_FIRST = timedelta(minutes=10)
STRONGEST = tuple(Proof)  # first
OWN_DISK_TRIES = 8  # of whatever kind; over hours: a disk may be put back
OWN_DISK_FIRST = 7  # the first wait is a minute or two


class Outcome(StrEnum):
    """What one step came to."""

    IDLE = "idle"  # nothing is due, or the destination rests
    CONFIRMED = "confirmed"
    POSTPONED = "postponed"
    REFUSED = "refused"


class Stopping(DockError):
    """The worker was asked to stop; the object goes on from here next time."""


@dataclass(frozen=True, slots=True)
class Errand:
    """One claimed row, and what carries it.

    `before` is the destination's row from before it was claimed.
    """

    conn: sqlite3.Connection
    transfer: Transfer
    lane: Lane
    metered: bool
    before: DestinationRow


@dataclass(frozen=True, slots=True)
class Carrier:
    """Carries objects. `stopping` is asked at every beat whether to end early."""

    vault: Path
    clock: Clock
    contact: Contact
    stopping: Callable[[], bool]

    def carry(self, errand: Errand) -> Outcome:
        """Send it, have it proved, and commit the outcome. Raises what the store does.

        Which error means what stands in `destination.py`. What another worker took
        over meanwhile is left to it, whatever came of it here.
        """
        try:
            return self._outcome(errand)
        except LeaseLost as error:
            log.warning("lease lost key=%s %s", errand.transfer.key, error)
            return Outcome.POSTPONED

    def _outcome(self, errand: Errand) -> Outcome:
        try:
            told = self._sent(errand)
        except Stopping:
            return self._release(errand)
        except (Unreachable, Barred) as error:
            return self._rest(errand, error)
        except NotTaken as error:
            return self._try_again(errand, error)
        except (FixityError, VaultUnread) as error:
            return self._ours(errand, error)
        except Refused as error:
            return self._refuse(errand, str(error))
        return self._confirm(errand, told)

    def _sent(self, errand: Errand) -> Confirmation:
        transfer, destination = errand.transfer, errand.lane.destination
        if transfer.attempts >= GIVE_UP_AFTER:
            raise Refused("whoever sends it ends, time after time")
        beat = _Beat(self, errand)
        item = described(errand.conn, self.vault, transfer, beat.moved)
        done = destination.send(item, self._known(errand), beat.remember)
        echo = errand.lane.least is not Proof.READ_BACK
        told = destination.confirm(item, done, sent=echo)
        if is_elsewhere(errand.before, errand.lane.where()):
            raise NotTaken("its place changed meanwhile: nobody knows where it went")
        self.contact.tryout.learn(errand.conn, transfer.destination, destination)
        return self._believed(errand, item, told)

    @staticmethod
    def _believed(
        errand: Errand, item: Object, told: Confirmation | None
    ) -> Confirmation:
        """Believe no more than was proved, by the least proof that was asked for."""
        if told is None:
            raise NotTaken(f"{item.key} is not there, whole")
        weak = STRONGEST.index(told.proof) > STRONGEST.index(errand.lane.least)
        if told.proof is Proof.NONE or weak or told.digest != errand.transfer.sha256:
            raise Refused(f"{item.key}: taken, but nothing proves it ({told.proof})")
        return told

    @staticmethod
    def _known(errand: Errand) -> Progress:
        transfer = errand.transfer
        parts = transfers.acknowledged(errand.conn, transfer)
        known = tuple(Acknowledged(number, etag) for number, etag in parts)
        return Progress(transfer.upload, transfer.generation, known, transfer.sent)

    def _confirm(self, errand: Errand, told: Confirmation) -> Outcome:
        conn, transfer, at = errand.conn, errand.transfer, self.clock.now()
        also = told.etag, told.version, told.apart
        proof = Confirmed(told.proof, told.digest, *also)
        with transaction(conn):
            confirm(conn, transfer, proof, at)
            destinations.took(conn, transfer.destination)
            goodput = errand.lane.goodput()
            destinations.measured(conn, transfer.destination, goodput, at)
        self.contact.answered(conn, errand.before, metered=errand.metered)
        return Outcome.CONFIRMED

    def _rest(self, errand: Errand, error: SyncError) -> Outcome:
        """The destination rests as a whole, and the object waits behind it."""
        conn, transfer = errand.conn, errand.transfer
        again = self.contact.failed(conn, transfer.destination, error)
        if isinstance(error, Barred | Busy | Full | Portal):
            # Of no object's doing, most likely; if it is this one's, others go first.
            with transaction(conn):
                transfers.release(conn, transfer, again + OTHERS_FIRST)
            return Outcome.POSTPONED
        before = transfers.attempts(conn, transfer)
        if before + 1 >= GIVE_UP_AFTER:
            return self._refuse(errand, _too_often(before, error))
        due = due_after(before, again, self.contact.jitter())
        with transaction(conn):
            transfers.postpone(conn, transfer, due, str(error))
        return Outcome.POSTPONED

    def _try_again(self, errand: Errand, error: NotTaken) -> Outcome:
        """This object waits; the others go on."""
        self.contact.answered(errand.conn, errand.before, metered=errand.metered)
        return self._wait(errand, error, GIVE_UP_AFTER)

    def _ours(self, errand: Errand, error: FixityError | VaultUnread) -> Outcome:
        """It is our own side: the file, or the disk, or the whole vault that is gone.

        Where the vault is gone, nothing is wrong with the file. That the disk did
        not give it proves nothing against it either: it waits, and others go on.
        """
        try:
            require_vault(self.vault)
        except VaultUnusable:
            self._release(errand)
            raise
        if isinstance(error, FixityError):
            return self._refuse(errand, str(error))
        return self._wait(errand, error, OWN_DISK_TRIES, OWN_DISK_FIRST)

    def _wait(
        self, errand: Errand, error: DockError, most: int, first: int = 1
    ) -> Outcome:
        """The object is tried again later; after `most` tries a person is asked.

        The first wait is as long as that after `first` tries.
        """
        conn, transfer, now = errand.conn, errand.transfer, self.clock.now().utc
        before = transfers.attempts(conn, transfer)
        if before + 1 >= most:
            return self._refuse(errand, _too_often(before, error))
        due = due_after(before + first, now, self.contact.jitter())
        with transaction(conn):
            transfers.postpone(conn, transfer, due, str(error))
        level = logging.INFO if isinstance(error, SyncError) else logging.ERROR
        log.log(level, "object waits key=%s due=%s %s", transfer.key, due, error)
        return Outcome.POSTPONED

    def _refuse(self, errand: Errand, failure: str) -> Outcome:
        with transaction(errand.conn):
            transfers.refuse(errand.conn, errand.transfer, failure, self.clock.now())
        log.warning("object refused key=%s %s", errand.transfer.key, failure)
        return Outcome.REFUSED

    def _release(self, errand: Errand) -> Outcome:
        with transaction(errand.conn):
            transfers.release(errand.conn, errand.transfer)
        return Outcome.IDLE


@dataclass(slots=True)
class _Beat:
    """Hears the bytes, keeps the lease, and remembers how far it is."""

    carrier: Carrier
    errand: Errand
    last_ns: int = field(init=False)
    sent: int = field(init=False)
    kept: frozenset[Acknowledged] = field(init=False, default=frozenset())
    generation: int = field(init=False, default=0)  # that `kept` is of

    def __post_init__(self) -> None:
        self.last_ns = self.carrier.clock.monotonic_ns()
        self.sent = self.errand.transfer.sent

    def moved(self, count: int) -> None:
        """Renew the lease every so often while bytes move."""
        del count
        if self.carrier.stopping():
            raise Stopping(f"{self.errand.transfer.key}: the worker was stopped")
        passed_ns = self.carrier.clock.monotonic_ns() - self.last_ns
        if passed_ns < BEAT_EVERY_NS:
            return
        now = self.carrier.clock.now()
        self.last_ns = now.monotonic_ns
        conn, transfer = self.errand.conn, self.errand.transfer
        with transaction(conn):
            transfers.renew(conn, transfer, now.utc + LEASE)
            goodput = self.errand.lane.goodput()
            destinations.measured(conn, transfer.destination, goodput, now)

    def remember(self, progress: Progress) -> None:
        """Commit how far the upload is, and renew the lease."""
        conn, transfer = self.errand.conn, self.errand.transfer
        parts = tuple((part.number, part.etag) for part in self._new(progress))
        step = Step(progress.upload, progress.generation, parts, progress.sent)
        with transaction(conn):
            transfers.remember(conn, transfer, step)
            if progress.sent > self.sent:  # it does take bytes: no rest grows
                destinations.took(conn, transfer.destination)
            transfers.renew(conn, transfer, self.carrier.clock.now().utc + LEASE)
        self.sent = max(self.sent, progress.sent)
        self.kept, self.generation = frozenset(progress.parts), progress.generation

    def _new(self, progress: Progress) -> list[Acknowledged]:
        """Return the parts that are not kept yet: a file of many has many steps."""
        if progress.generation != self.generation:
            return list(progress.parts)
        return [part for part in progress.parts if part not in self.kept]


def require_vault(vault: Path) -> None:
    """Raise `VaultUnusable` unless the vault is there."""
    try:
        (vault / MARKER).read_bytes()
    except OSError as error:
        raise VaultUnusable(f"the vault {vault} is not there: {error}") from error


def _too_often(before: int, error: DockError) -> str:
    return f"tried {before + 1} times; the last time: {error}"
