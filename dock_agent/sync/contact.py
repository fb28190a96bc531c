"""Whether a destination is there, is the place it was, and will have us.

Asked with no payload, before anything is sent after a failure and every so often;
so an outage costs one small question at a time, and no object a try.
"""

import logging
import sqlite3
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dock_agent.clock import Clock, Instant, ulid
from dock_agent.errors import Barred, Busy, Full, Portal, SyncError, Unreachable
from dock_agent.machine import moved
from dock_agent.recording import DestinationName, LinkState
from dock_agent.store import destinations
from dock_agent.store.db import transaction
from dock_agent.store.destinations import DestinationRow, Silence
from dock_agent.sync.destination import Destination
from dock_agent.sync.lane import Lane
from dock_agent.sync.link import MOVES, LinkMove
from dock_agent.sync.policy import EVERYTHING, next_attempt, resting
from dock_agent.sync.transport.words import line_of
from dock_agent.sync.tryout import NOTHING, Tryout

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
    tryout: Tryout = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tryout", Tryout(self.clock))

    def is_due(self, row: DestinationRow, where: str | None = None) -> bool:
        """Whether the destination has to be asked before anything is sent.

        `where` is where it is now.
        """
        if is_elsewhere(row, where):
            return True
        times = [t for t in (row.last_success, row.last_failure) if t is not None]
        at = self.clock.now()
        # One of them may lie years ahead: the clock was set back since.
        fresh = any(abs(at.utc - t) < ASK_EVERY for t in times)
        return row.link not in UP or not fresh or not self._was_seen(row.name, at)

    def ask(
        self,
        conn: sqlite3.Connection,
        row: DestinationRow,
        lane: Lane,
        *,
        metered: bool,
    ) -> bool:
        """Probe it, and see that it is the place it was. Raises as a destination.

        `row` is what was known of it when it was found that it has to be asked.
        Returns False while another thread still tries a new place: it gets nothing.
        """
        name, where = row.name, lane.where()
        lane.destination.probe()
        _require_known(row, where)
        self._same_place(conn, row, lane.destination)
        if where is not None and where != row.place:  # by its marker it is the same
            row = self._moved(conn, row, where)
        # A try moves some bytes, of none that are in a hurry.
        allowed = lane.policy.allowed(self.clock.now().utc, metered=metered)
        if allowed.priorities == EVERYTHING and self.tryout.is_due(row):
            self.tryout.run(conn, lane, row)
        elif name in self.tryout.trying and row.last_success is None:
            return False
        self.asked[name] = self.clock.now().monotonic_ns
        self.answered(conn, row, metered=metered)
        return True

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

    def jitter(self) -> float:
        """Return a number in [0, 1)."""
        return int.from_bytes(self.clock.entropy(4), "big") / 2**32

    def _moved(
        self, conn: sqlite3.Connection, row: DestinationRow, where: str
    ) -> DestinationRow:
        """Remember another address; what answers there may do other things.

        Another thread may have found it meanwhile: it is told of once.
        """
        with transaction(conn):
            now = destinations.get(conn, row.name)
            if now.place == where:
                return replace(row, place=where, capabilities=now.capabilities)
            destinations.moved(conn, row.name, where, self.clock.now())
            destinations.learnt(conn, row.name, NOTHING)
        self.tryout.tried.pop(row.name, None)
        return replace(row, place=where, capabilities=NOTHING)

    def _again(
        self, row: DestinationRow, at: Instant, error: SyncError, tries: int
    ) -> datetime:
        """Return when to ask again: no sooner than any thread was told."""
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
        told = "gone" if found is None else line_of(found)
        raise Barred(
            f"this is not the place it was: its marker is {told}, not {row.marker}"
        )


def is_elsewhere(row: DestinationRow, where: str | None) -> bool:
    """Whether a destination is now at another place than the one it was seen at."""
    return None not in {row.place, where} and row.place != where


def _require_known(row: DestinationRow, where: str | None) -> None:
    """Raise `Barred` where nothing tells whether another address is the same place."""
    if row.marker is None and row.last_success and is_elsewhere(row, where):
        raise Barred(
            f"it is at {where} now, and was at {row.place}; there is no marker that"
            " tells whether that is the same place: give the new one a new name, or"
            f" say that it is: dock-agent destinations same-place {row.name}"
        )


def _seen(error: SyncError) -> LinkMove:
    if isinstance(error, Portal):
        return LinkMove.INTERCEPTED
    if isinstance(error, Barred | Full):
        return LinkMove.TURNED_AWAY
    return LinkMove.SILENT
