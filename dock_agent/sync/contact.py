"""Whether a destination is there, is the place it was, and will have us.

Asked with no payload, before anything is sent after a failure and every so often;
so an outage costs one small question at a time, and no object a try.
"""

import logging
import sqlite3
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from dock_agent.clock import Clock, Instant, ulid
from dock_agent.errors import Barred, Busy, Full, Portal, SyncError, Unreachable
from dock_agent.machine import moved
from dock_agent.recording import DestinationName, LinkState
from dock_agent.store import destinations
from dock_agent.store.db import transaction
from dock_agent.store.destinations import DestinationRow, Silence
from dock_agent.sync.destination import NOTHING_KNOWN, Capabilities, Destination
from dock_agent.sync.lane import Lane
from dock_agent.sync.link import MOVES, LinkMove
from dock_agent.sync.policy import next_attempt, resting

log = logging.getLogger(__name__)

ASK_EVERY = timedelta(minutes=1)  # while nothing else tells how the link is
PLACE_EVERY = timedelta(minutes=5)  # whatever else tells that: is it the same place?
UP = frozenset({LinkState.ONLINE, LinkState.METERED})


@dataclass(frozen=True, slots=True)
class Contact:
    """Keeps what is known of the way to each destination.

    `asked` is when each was last seen to be the place it was, on the clock that
    never steps: what another process saw does not count.
    """

    clock: Clock
    asked: dict[DestinationName, int] = field(default_factory=dict)

    def is_due(self, row: DestinationRow) -> bool:
        """Whether the destination has to be asked before anything is sent."""
        times = [t for t in (row.last_success, row.last_failure) if t is not None]
        at = self.clock.now()
        fresh = bool(times) and abs(at.utc - max(times)) < ASK_EVERY
        return row.link not in UP or not fresh or not self._was_seen(row.name, at)

    def ask(
        self,
        conn: sqlite3.Connection,
        row: DestinationRow,
        lane: Lane,
        *,
        metered: bool,
    ) -> None:
        """Probe it, and see that it is the place it was. Raises as a destination.

        `row` is what was known of it when it was found that it has to be asked.
        """
        name = row.name
        lane.destination.probe()
        self._same_place(conn, row, lane.destination)
        if lane.place not in {None, row.place}:  # by its marker it is the same
            with transaction(conn):
                destinations.moved(conn, name, lane.place or "", self.clock.now())
        self.asked[name] = self.clock.now().monotonic_ns
        self.answered(conn, row, metered=metered)

    def answered(
        self, conn: sqlite3.Connection, before: DestinationRow, *, metered: bool
    ) -> None:
        """It answered, itself, and will have us.

        `before` is its row as it was when what it answered was begun. Where another
        thread met a failure since then, that is newer: the rest that it asked for,
        and what is known of the link, stay as they are.
        """
        move = LinkMove.ANSWERED_METERED if metered else LinkMove.ANSWERED
        with transaction(conn):
            row = destinations.get(conn, before.name)
            # Not by which is later: the clock may have been set back.
            if row.last_failure != before.last_failure:
                return
            link = moved(MOVES, row.link, move)
            destinations.answered(conn, row.name, link, self.clock.now())

    def failed(
        self, conn: sqlite3.Connection, name: DestinationName, error: SyncError
    ) -> datetime:
        """Let the destination rest, as long as it rests already; return until when.

        What others meet who had asked before is the same silence: it counts once.
        """
        at = self.clock.now()
        with transaction(conn):
            row = destinations.get(conn, name)
            rests = resting(row.try_after, at.utc)
            tries = max(1, row.attempts if rests else row.attempts + 1)
            again = self._again(row, at, error, tries)
            link = moved(MOVES, row.link, _seen(error))
            silence = Silence(link, str(error), again, tries)
            destinations.silent(conn, name, silence, at)
        log.info("destination rests name=%s until=%s %s", name, again, error)
        return again

    def learn(
        self, conn: sqlite3.Connection, name: DestinationName, destination: Destination
    ) -> None:
        """Keep what the place was found to do, if that is new."""
        now = msgspec.json.encode(destination.capabilities).decode()
        if now != destinations.get(conn, name).capabilities:
            with transaction(conn):
                destinations.learnt(conn, name, now)

    def jitter(self) -> float:
        """Return a number in [0, 1)."""
        return int.from_bytes(self.clock.entropy(4), "big") / 2**32

    def _again(
        self, row: DestinationRow, at: Instant, error: SyncError, tries: int
    ) -> datetime:
        """Return when to ask again: not before it asked for, of any thread."""
        again = next_attempt(tries, at.utc, self.jitter())
        if isinstance(error, Busy) and error.wait_s is not None:
            again = max(again, at.utc + timedelta(seconds=min(error.wait_s, 3600)))
        if row.try_after is not None and resting(row.try_after, at.utc):
            again = max(again, row.try_after)
        return again

    def _same_place(
        self, conn: sqlite3.Connection, row: DestinationRow, destination: Destination
    ) -> None:
        if row.marker is not None:
            require_place(row, destination)
            return
        found = destination.marker() or self._marked(destination)
        if destination.marker() != found:  # what is bound once is never bound anew
            raise Unreachable("its marker reads differently each time")
        if found is not None:  # None: a kind of place that takes no marker
            with transaction(conn):
                destinations.bind(conn, row.name, found, self.clock.now())

    def _marked(self, destination: Destination) -> str | None:
        """Give the place an id; another thread, or another station, may be faster."""
        try:
            destination.mark(ulid(self.clock))
        except Barred:
            found = destination.marker()
            if found is None:
                raise
            return found
        return destination.marker()

    def _was_seen(self, name: DestinationName, at: Instant) -> bool:
        before = self.asked.get(name)
        most = PLACE_EVERY.total_seconds() * 1e9
        return before is not None and abs(at.monotonic_ns - before) < most


def require_place(row: DestinationRow, destination: Destination) -> None:
    """Raise `Barred` unless it is the place that it was."""
    found = destination.marker()
    if row.marker not in {None, found}:
        told = "its marker is gone" if found is None else f"its marker is {found}"
        raise Barred(f"this is not the place it was: {told}, not {row.marker}")


def known(row: DestinationRow) -> Capabilities:
    """Return what was learnt of a place; nothing where that cannot be read."""
    try:
        return msgspec.json.decode(row.capabilities, type=Capabilities)
    except msgspec.DecodeError:
        return NOTHING_KNOWN


def _seen(error: SyncError) -> LinkMove:
    if isinstance(error, Portal):
        return LinkMove.INTERCEPTED
    if isinstance(error, Barred | Full):
        return LinkMove.TURNED_AWAY
    return LinkMove.SILENT
