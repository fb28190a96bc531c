"""Send what is due, one object at a time for each destination.

Each step is one claim, one send, one commit. Whatever happens in between, the
row says what to do next: a lease that ran out is claimed again, an upload goes
on where the destination has it, and a destination that is silent rests as a
whole, so that one probe finds it again and not every file.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from dock_agent.clock import Clock, Instant
from dock_agent.errors import DockError, FixityError, Refused, Unreachable
from dock_agent.recording import PART_SIZE, DestinationName, LinkState, Proof
from dock_agent.store import destinations, transfers
from dock_agent.store.db import transaction
from dock_agent.store.destinations import Silence
from dock_agent.store.transfers import Confirmed, Step, Transfer
from dock_agent.sync.destination import (
    Acknowledged,
    Confirmation,
    Destination,
    Portal,
    Progress,
)
from dock_agent.sync.item import described
from dock_agent.sync.policy import LEASE, due_after, next_attempt, resting

log = logging.getLogger(__name__)

LONGEST_NAP = 2.0  # seconds a worker sleeps while there is nothing to do


class Outcome(StrEnum):
    """What one step came to."""

    IDLE = "idle"  # nothing is due, or the destination rests
    CONFIRMED = "confirmed"
    POSTPONED = "postponed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Summary:
    """What `sync --once` prints."""

    confirmed: int
    waiting: int
    refused: int


def unheard(count: int) -> None:
    """Tell nobody."""
    del count


@dataclass(frozen=True, slots=True)
class Worker:
    """Sends for every destination that the configuration names."""

    vault: Path
    destinations: Mapping[DestinationName, Destination]
    clock: Clock

    def step(self, conn: sqlite3.Connection, name: DestinationName) -> Outcome:
        """Send one object that is due, and commit what came of it."""
        now = self.clock.now().utc
        if resting(destinations.get(conn, name).try_after, now):
            return Outcome.IDLE
        with transaction(conn):
            transfer = transfers.claim(conn, name, now, LEASE)
        if transfer is None:
            return Outcome.IDLE
        try:
            told = self._send(conn, transfer)
        except Unreachable as error:
            return self._postpone(conn, transfer, error)
        except (Refused, FixityError) as error:
            return self._refuse(conn, transfer, error)
        return self._confirm(conn, transfer, told)

    def run_once(
        self, conn: sqlite3.Connection, show: Callable[[int], None] = unheard
    ) -> Summary:
        """Send until nothing is due any more, or a destination has to rest.

        `show` hears how many objects are confirmed so far.
        """
        confirmed = 0
        for name in self.destinations:
            while (outcome := self.step(conn, name)) is not Outcome.IDLE:
                confirmed += outcome is Outcome.CONFIRMED
                show(confirmed)
        left = transfers.waiting(conn)
        return Summary(confirmed, left.count - left.refused, left.refused)

    def run(
        self, connect: Callable[[], sqlite3.Connection], stop: threading.Event
    ) -> None:
        """Send until `stop` is set, each destination in a thread of its own.

        A thread that fails in a way nobody foresaw sets `stop` for all of them:
        the process is started again, and no destination is forgotten quietly.
        """
        with ThreadPoolExecutor(max(1, len(self.destinations))) as pool:
            sending = [
                pool.submit(self._keep_sending, connect, name, stop)
                for name in self.destinations
            ]
        for one in sending:
            one.result()  # raises what ended it

    def _keep_sending(
        self,
        connect: Callable[[], sqlite3.Connection],
        name: DestinationName,
        stop: threading.Event,
    ) -> None:
        try:
            with closing(connect()) as conn:
                while not stop.is_set():
                    if self._one_step(conn, name) is Outcome.IDLE:
                        stop.wait(LONGEST_NAP)
        finally:
            stop.set()

    def _one_step(self, conn: sqlite3.Connection, name: DestinationName) -> Outcome:
        try:
            return self.step(conn, name)
        except DockError as error:
            log.warning("sync step failed destination=%s %s", name, error)
            return Outcome.IDLE

    def _send(self, conn: sqlite3.Connection, transfer: Transfer) -> Confirmation:
        item = described(conn, self.vault, transfer)
        parts = transfers.acknowledged(conn, transfer)
        done = Progress(
            transfer.upload,
            transfer.generation,
            tuple(Acknowledged(number, etag) for number, etag in parts),
        )

        def remember(progress: Progress) -> None:
            known = tuple((part.number, part.etag) for part in progress.parts)
            sent = min(len(known) * PART_SIZE, transfer.size)
            step = Step(progress.upload, progress.generation, known, sent)
            with transaction(conn):
                transfers.remember(conn, transfer.id, step)
                until = self.clock.now().utc + LEASE
                transfers.renew(conn, transfer.id, until)

        told = self.destinations[transfer.destination].send(item, done, remember)
        if told.proof is Proof.NONE or told.digest != transfer.sha256:
            raise Refused(
                f"{transfer.key}: taken, but nothing proves it ({told.proof})"
            )
        return told

    def _confirm(
        self, conn: sqlite3.Connection, transfer: Transfer, told: Confirmation
    ) -> Outcome:
        at = self.clock.now()
        proof = Confirmed(told.proof, told.digest, told.etag, told.version)
        with transaction(conn):
            transfers.confirm(conn, transfer, proof, at)
            destinations.answered(conn, transfer.destination, LinkState.ONLINE, at)
        return Outcome.CONFIRMED

    def _postpone(
        self, conn: sqlite3.Connection, transfer: Transfer, error: Unreachable
    ) -> Outcome:
        at = self.clock.now()
        attempts = destinations.get(conn, transfer.destination).attempts + 1
        again = next_attempt(attempts, at.utc, self._jitter())
        due = due_after(transfer.attempts, again)
        link = LinkState.CAPTIVE if isinstance(error, Portal) else LinkState.OFFLINE
        with transaction(conn):
            transfers.postpone(conn, transfer.id, due, str(error))
            silence = Silence(link, str(error), again)
            destinations.silent(conn, transfer.destination, silence, at)
        log.info("destination silent name=%s %s", transfer.destination, error)
        return Outcome.POSTPONED

    def _refuse(
        self, conn: sqlite3.Connection, transfer: Transfer, error: DockError
    ) -> Outcome:
        at: Instant = self.clock.now()
        with transaction(conn):
            transfers.refuse(conn, transfer, str(error), at)
        log.warning("transfer refused key=%s %s", transfer.key, error)
        return Outcome.REFUSED

    def _jitter(self) -> float:
        return int.from_bytes(self.clock.entropy(4), "big") / 2**32
