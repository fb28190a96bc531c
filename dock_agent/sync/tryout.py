"""Find out what a place checks itself: at the first contact, and every so often.

What is not known of a place is paid for with every object, which is read back. What
was found out saves that; it proves nothing by itself.
"""

import logging
import sqlite3
from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from dock_agent.clock import Clock, unstamp
from dock_agent.errors import Barred, SyncError
from dock_agent.recording import DestinationName
from dock_agent.store import destinations
from dock_agent.store.db import transaction
from dock_agent.store.destinations import DestinationRow
from dock_agent.sync.destination import NOTHING_KNOWN, Capabilities, Destination
from dock_agent.sync.lane import Lane

log = logging.getLogger(__name__)

EVERY = timedelta(days=30)  # servers are updated
AGAIN = timedelta(hours=1)  # after a try that came to nothing
NOTHING = "{}"  # is known, as the store has it


@dataclass(frozen=True, slots=True)
class Tryout:
    """Tries places. `tried` is when each was last, on the clock that never steps.

    `trying` are those that a thread tries just now.
    """

    clock: Clock
    tried: dict[DestinationName, int] = field(default_factory=dict)
    trying: set[DestinationName] = field(default_factory=set)

    def is_due(self, row: DestinationRow) -> bool:
        """Whether nothing is known of a place, or nothing that is still new."""
        now, before = self.clock.now(), self.tried.get(row.name)
        wait = AGAIN.total_seconds() * 1e9
        if before is not None and abs(now.monotonic_ns - before) < wait:
            return False
        try:
            at = unstamp(known(row).asked_at or "")
            return abs(now.utc - at) > EVERY
        except (ValueError, TypeError):
            return True

    def run(self, conn: sqlite3.Connection, lane: Lane, row: DestinationRow) -> None:
        """Try the place; go on whatever comes of it, but for one thing.

        Raises `Barred` where a new place cannot be used. One that has worked is not
        given up for it: all that is sent there is proved.
        """
        self.tried[row.name] = self.clock.now().monotonic_ns
        self.trying.add(row.name)
        try:
            log.info("place tried name=%s %s", row.name, lane.destination.check())
        except SyncError as error:
            if isinstance(error, Barred) and row.last_success is None:
                self.tried.pop(row.name, None)  # another thread may have tried, too
                raise
            log.warning("place not tried name=%s %s", row.name, error)
        finally:
            self.trying.discard(row.name)
        self.learn(conn, row.name, lane.destination)

    def learn(
        self, conn: sqlite3.Connection, name: DestinationName, destination: Destination
    ) -> None:
        """Keep what the place was found to do, if that is new.

        A destination that was opened anew may know nothing yet: that is no news.
        """
        if destination.capabilities == NOTHING_KNOWN:
            return
        now = msgspec.json.encode(destination.capabilities).decode()
        if now != destinations.get(conn, name).capabilities:
            with transaction(conn):
                destinations.learnt(conn, name, now)


def known(row: DestinationRow) -> Capabilities:
    """Return what was learnt of a place; nothing where that cannot be read."""
    try:
        return msgspec.json.decode(row.capabilities, type=Capabilities)
    except msgspec.DecodeError:
        return NOTHING_KNOWN
