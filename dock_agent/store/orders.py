"""What a person, or a later look, says about objects that are queued or sent."""

import json
import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from dock_agent.clock import Instant, stamp
from dock_agent.custody.chain import Event
from dock_agent.custody.manifest import SIGNATURE
from dock_agent.recording import (
    DestinationName,
    DockingId,
    FileId,
    TransferId,
    TransferState,
)
from dock_agent.store import alerts, custody
from dock_agent.store.alerts import Alert
from dock_agent.store.confirmations import free_seals
from dock_agent.store.db import writer
from dock_agent.store.transfers import Transfer, transfer


@dataclass(frozen=True, slots=True)
class Which:
    """Which objects are meant: all of a destination, or those with these ids."""

    destination: DestinationName | None = None
    ids: Collection[TransferId] = ()


@dataclass(frozen=True, slots=True)
class _Order:
    """From which states to which one, and what the log says was asked."""

    states: tuple[TransferState, ...]
    to: TransferState
    asked: str


_S = TransferState
_AGAIN = _Order((_S.REFUSED, _S.QUEUED), _S.QUEUED, "to try again")
_WAIT = _Order((_S.QUEUED,), _S.PAUSED, "to wait")
_GO_ON = _Order((_S.PAUSED,), _S.QUEUED, "to go on")


@writer
def ask_again(conn: sqlite3.Connection, which: Which, at: Instant) -> int:
    """A person says: try once more, and now. Return how many objects that is."""
    return _each(conn, which, _AGAIN, at)


@writer
def hold_back(conn: sqlite3.Connection, which: Which, at: Instant) -> int:
    """A person says: not now. What is being sent is let through."""
    return _each(conn, which, _WAIT, at)


@writer
def let_go(conn: sqlite3.Connection, which: Which, at: Instant) -> int:
    """A person says: it may go."""
    return _each(conn, which, _GO_ON, at)


@writer
def withdraw(conn: sqlite3.Connection, file: FileId, at: Instant) -> None:
    """Our own copy was set aside: it is not sent, and blocks no seal.

    What is at a destination already stays there, and the log says so.
    """
    rows = conn.execute("SELECT * FROM transfer WHERE file = ?", (file,)).fetchall()
    for found in map(transfer, rows):
        if found.state is TransferState.CONFIRMED:
            facts = {"destination": found.destination, "key": found.key}
            facts["reason"] = "set aside here after it was sent"
            custody.append(conn, Event("sent before", found.docking, facts), at)
            continue
        if found.state is TransferState.SENDING or found.upload or found.sent:
            facts = {"destination": found.destination, "key": found.key}
            facts["reason"] = "set aside here while it was sent: it may be there"
            custody.append(conn, Event("sent before", found.docking, facts), at)
        conn.execute(
            "UPDATE transfer SET state = 'withdrawn', lease_owner = NULL,"
            " lease_until = NULL, failure = 'set aside here' WHERE id = ?",
            (found.id,),
        )
        free_seals(conn, found.destination, found.docking, None)


@writer
def missed(conn: sqlite3.Connection, found: Transfer, reason: str, at: Instant) -> None:
    """A later look found that the destination lost it: it is sent again.

    Its docking is no longer complete there: a seal that is still to go waits again.
    """
    cursor = conn.execute(
        "UPDATE transfer SET state = 'queued', due = '', upload = NULL, sent = 0,"
        " attempts = 0, proof = NULL, failure = ? WHERE id = ? AND state = 'confirmed'",
        (reason, found.id),
    )
    if cursor.rowcount != 1:
        return  # another look was faster, and has told of it
    conn.execute(
        "UPDATE transfer INDEXED BY transfer_docking SET state = 'blocked'"
        " WHERE state IN ('queued', 'paused', 'refused')"
        " AND destination = :destination AND docking IN"
        "  (SELECT :docking UNION SELECT docking FROM file WHERE held_by = :file)"
        " AND file IS NULL AND path LIKE '%/' || :seal",
        {
            "destination": found.destination,
            "seal": SIGNATURE,
            "docking": found.docking,
            "file": found.file,
        },
    )
    free_seals(conn, found.destination, found.docking, found.file)
    alerts.sound(conn, Alert(found.destination, found.path, reason), at)
    facts = {"destination": found.destination, "key": found.key, "reason": reason}
    custody.append(conn, Event("lost there", found.docking, facts), at)


@writer
def looked(
    conn: sqlite3.Connection, ident: TransferId, etag: str | None, at: Instant
) -> None:
    """Remember that the destination was asked about an object again.

    `etag` is what it has now, where that is another one and the bytes were proved.
    """
    conn.execute(
        "UPDATE transfer SET looked_at = ?, etag = coalesce(?, etag) WHERE id = ?",
        (stamp(at.utc), etag, ident),
    )


def longest_unasked(
    conn: sqlite3.Connection,
    destination: DestinationName,
    now: datetime,
    every: timedelta,
    count: int,
) -> list[Transfer]:
    """Return confirmed objects that were not asked about for so long, oldest first.

    One that was asked about later than now is due too: the clock was set back.
    """
    found: list[Transfer] = []
    for low, high in ((stamp(now), "~"), ("", stamp(now - every))):
        rows = conn.execute(
            "SELECT * FROM transfer INDEXED BY transfer_looked WHERE state ="
            " 'confirmed' AND destination = ? AND looked_at > ? AND looked_at < ?"
            " ORDER BY looked_at, id LIMIT ?",
            (destination, low, high, count - len(found)),
        )
        found += [transfer(row) for row in rows]
    return found


def without_rows(
    conn: sqlite3.Connection, destination: DestinationName
) -> list[DockingId]:
    """Return the sealed dockings whose seal was never queued for it."""
    rows = conn.execute(
        "SELECT id FROM docking WHERE state = 'sealed' AND NOT EXISTS (SELECT 1"
        " FROM transfer WHERE destination = ? AND key = docking.bag || '/' || ?)"
        " ORDER BY id",
        (destination, SIGNATURE),
    )
    return [DockingId(row["id"]) for row in rows]


def unconfirmed(
    conn: sqlite3.Connection, destination: DestinationName | None
) -> list[TransferId]:
    """Return the ids of all that is not confirmed, at one destination or at all."""
    rows = conn.execute(
        "SELECT id FROM transfer INDEXED BY transfer_unsent"
        " WHERE state <> 'confirmed' AND (:name IS NULL OR destination = :name)"
        " ORDER BY id",
        {"name": destination},
    )
    return [TransferId(row["id"]) for row in rows]


def _each(conn: sqlite3.Connection, which: Which, order: _Order, at: Instant) -> int:
    found = _which(conn, which, order.states)
    seals = {one.id: one for one in found if order.to is _S.QUEUED and _is_seal(one)}
    conn.executemany(
        "UPDATE transfer SET state = ?, due = '', attempts = 0, failure = NULL"
        " WHERE id = ?",
        [(_S.BLOCKED if one.id in seals else order.to, one.id) for one in found],
    )
    custody.append_all(conn, [_asked(one, order) for one in found], at)
    for seal in seals.values():  # it goes when all else is there, and no sooner
        free_seals(conn, seal.destination, seal.docking, None)
    return len(found)


def _is_seal(one: Transfer) -> bool:
    """A file of the camera's may have that name, too."""
    return one.file is None and one.path.endswith(f"/{SIGNATURE}")


def _asked(one: Transfer, order: _Order) -> Event:
    facts = {"destination": one.destination, "key": one.key, "asked": order.asked}
    return Event("order", one.docking, facts)


def _which(
    conn: sqlite3.Connection, which: Which, states: Collection[TransferState]
) -> list[Transfer]:
    facts = {
        "states": json.dumps(list(states)),
        "name": which.destination,
        "ids": json.dumps(list(which.ids)),
    }
    rows = conn.execute(OF_THESE if which.ids else OF_ALL, facts)
    return [transfer(row) for row in rows.fetchall()]


OF_THESE = (
    "SELECT * FROM transfer WHERE id IN (SELECT value FROM json_each(:ids))"
    " AND state IN (SELECT value FROM json_each(:states))"
    " AND (:name IS NULL OR destination = :name) ORDER BY id"
)
OF_ALL = OF_THESE.replace(
    "WHERE id IN (SELECT value FROM json_each(:ids))",
    "INDEXED BY transfer_unsent WHERE state <> 'confirmed'",
)
