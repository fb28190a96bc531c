"""Ask a destination again, later, what it really holds; send again what is gone.

A cheap look at a time, the longest unasked first, while nothing is to be sent. A
name that is gone, or has another length, means that the object is queued anew, and
the custody log says so. One that has another ETag than it had is read again.
"""

import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from dock_agent.clock import Clock
from dock_agent.errors import Barred, FixityError, NotTaken, Refused, VaultUnread
from dock_agent.recording import DestinationName, Proof
from dock_agent.store import destinations, orders
from dock_agent.store.db import transaction
from dock_agent.store.transfers import Transfer
from dock_agent.sync.contact import require_place
from dock_agent.sync.content import Moved, unheard
from dock_agent.sync.destination import Look, Object, Progress
from dock_agent.sync.item import named
from dock_agent.sync.lane import Lane

EVERY = timedelta(days=1)
AT_A_TIME = 20  # objects


@dataclass(frozen=True, slots=True)
class _Seen:
    """Why an object is not there any more: None unless that is known.

    `etag` is its new one, where it has one and the bytes were proved.
    """

    gone: str | None = None
    etag: str | None = None


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Looks at what was confirmed. `moved` hears of bytes that are read again."""

    vault: Path
    clock: Clock
    moved: Moved = unheard

    def look(
        self,
        conn: sqlite3.Connection,
        name: DestinationName,
        lane: Lane,
        *,
        every: timedelta = EVERY,
        count: int = AT_A_TIME,
    ) -> tuple[int, int]:
        """Look at a few objects; return how many, and how many of them were gone.

        Raises as a destination does.
        """
        now = self.clock.now().utc
        found = orders.longest_unasked(conn, name, now, every, count)
        gone = 0
        for transfer in found:
            seen = self._seen(conn, lane, transfer)
            if seen.gone is not None:  # gone with its place, perhaps, and not lost
                require_place(destinations.get(conn, name), lane.destination)
            with transaction(conn):
                if seen.gone is None:
                    orders.looked(conn, transfer.id, seen.etag, self.clock.now())
                else:
                    orders.missed(conn, transfer, seen.gone, self.clock.now())
                    gone += 1
        return len(found), gone

    def _seen(self, conn: sqlite3.Connection, lane: Lane, transfer: Transfer) -> _Seen:
        item = named(conn, self.vault, transfer, self.moved)
        handle = Progress(transfer.upload, transfer.generation, (), transfer.sent)
        try:
            told = lane.destination.look(item, handle)
            return self._judged(lane, transfer, (item, handle, told))
        except NotTaken:
            return _Seen()  # nobody can say: nothing is known to be lost
        except (Barred, Refused):
            lane.destination.probe()  # of the place, or of this object alone?
            return _Seen()
        except (FixityError, VaultUnread) as error:  # other bytes, and ours to blame
            return _Seen(f"it has other bytes there, and here: {error}")

    @staticmethod
    def _judged(
        lane: Lane, transfer: Transfer, seen: tuple[Object, Progress, Look | None]
    ) -> _Seen:
        item, handle, told = seen
        if told is None:
            return _Seen("it is no longer there")
        if told.size != transfer.size:
            return _Seen(f"it has {told.size} bytes there, not {transfer.size}")
        if not (told.etag and transfer.etag) or told.etag == transfer.etag:
            return _Seen()
        proof = lane.destination.confirm(item, handle)
        if proof is None or proof.proof is Proof.NONE:
            return _Seen("it has other bytes there")
        return _Seen(etag=told.etag)  # or all of it would be read again each day
