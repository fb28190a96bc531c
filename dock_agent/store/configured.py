"""Which destinations the configuration names, and how the queue of another ends.

What waits for a destination that is not named any more waits for a person: it is put
back into the configuration, or withdrawn. What was confirmed there stays so in the
record, and vouches for nothing from then on: nobody asks that place again.
"""

import sqlite3
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

from dock_agent.clock import Instant, stamp
from dock_agent.custody.chain import Event
from dock_agent.custody.manifest import SIGNATURE
from dock_agent.errors import NotAllowed, NowhereElse, StillConfigured
from dock_agent.recording import DestinationName, DockingId, TransferState
from dock_agent.store import custody, destinations
from dock_agent.store.confirmations import free_seals
from dock_agent.store.db import writer

AT_ONCE = 5000  # objects in one transaction


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A person's order: nothing more to this destination. `by` is who, `why` is text.

    `although_nowhere_else`: also what is confirmed at no other destination.
    """

    destination: DestinationName
    by: str
    why: str
    although_nowhere_else: bool = False


@writer
def tell(
    conn: sqlite3.Connection, names: Collection[DestinationName], at: Instant
) -> None:
    """The configuration names these destinations, and no others.

    Of the way to one that leaves, or comes back, nothing is known any more. What was
    withdrawn from one that is named is queued anew.
    """
    for row in destinations.every(conn):
        named = row.name in names
        if named is not row.configured:
            _turn(conn, row.name, at, named=named)
        if named:
            _queue_anew(conn, row.name, at)


def _turn(
    conn: sqlite3.Connection, name: DestinationName, at: Instant, *, named: bool
) -> None:
    conn.execute(
        "UPDATE destination SET configured = ?, link = 'unknown', link_since = ?,"
        " failure = NULL, try_after = NULL, attempts = 0 WHERE name = ?",
        (named, stamp(at.utc), name),
    )
    kind = "destination named again" if named else "destination left out"
    custody.append(conn, Event(kind, facts={"destination": name}), at)


@writer
def withdraw(conn: sqlite3.Connection, order: Withdrawal, at: Instant) -> int:
    """End some of what waits for a destination that is left out; return how many.

    At most AT_ONCE, so that nobody waits long for the database: call it until it
    returns 0. The evidence stays in the vault. Raises `ConfigError` if nobody ever
    knew the destination, `StillConfigured`, `NowhereElse` unless the order says so,
    and `NotAllowed` without a name or a reason.
    """
    if destinations.get(conn, order.destination).configured:
        raise StillConfigured(
            f"{order.destination} was configured when the station last started"
        )
    if not (order.by.strip() and order.why.strip()):
        raise NotAllowed("an order needs who gives it, and why")
    facts = {"destination": order.destination, "most": AT_ONCE}
    if not order.although_nowhere_else:
        _require_elsewhere(conn, order.destination)
    rows = conn.execute(f"SELECT *, {ALONE} AS nowhere_else {WAITING}", facts)
    found = rows.fetchall()
    custody.append_all(conn, [_withdrawn(row, order) for row in found], at)
    conn.executemany(WITHDRAW, [(row["id"],) for row in found])
    return len(found)


def _require_elsewhere(conn: sqlite3.Connection, name: DestinationName) -> None:
    facts = {"destination": name, "most": -1}
    told = f"SELECT count(*) AS count, sum({ALONE}) AS alone {WAITING}"
    row = conn.execute(told, facts).fetchone()
    if row["alone"]:
        raise NowhereElse(
            f"of {row['count']} files that wait for {name}, {row['alone']}"
            " would be confirmed nowhere"
        )


# The same object has the same name and digest at each destination; where nobody
# looks any more it counts no longer.
ALONE = """NOT EXISTS (
    SELECT 1 FROM destination AS other CROSS JOIN transfer AS there
        ON there.destination = other.name AND there.key = transfer.key
    WHERE other.configured AND there.state = 'confirmed'
    AND there.sha256 = transfer.sha256
)"""
WAITING = """
FROM transfer INDEXED BY transfer_unsent WHERE state <> 'confirmed'
AND state <> 'withdrawn' AND destination = :destination LIMIT :most
"""
WITHDRAW = """
UPDATE transfer SET state = 'withdrawn', lease_owner = NULL, lease_until = NULL,
failure = 'withdrawn by a person' WHERE id = ?
"""


def _withdrawn(row: sqlite3.Row, order: Withdrawal) -> Event:
    begun = row["state"] == TransferState.SENDING or row["upload"] or row["sent"]
    facts = {
        "destination": order.destination,
        "key": row["key"],
        "sha256": row["sha256"],
        "was": row["state"],
        "nowhere_else": bool(row["nowhere_else"]),
        "may_be_there": bool(begun),
        "reason": order.why.strip(),
    }
    return Event("withdrawn", DockingId(row["docking"]), facts, order.by.strip())


def _queue_anew(conn: sqlite3.Connection, name: DestinationName, at: Instant) -> None:
    """Queue what a person withdrew from it; what was set aside here is not sent."""
    facts = {"destination": name, "seal": SIGNATURE}
    rows = conn.execute(AGAIN, facts).fetchall()
    found = Counter(DockingId(row["docking"]) for row in rows)
    events = [
        Event("queued anew", docking, {"destination": name, "objects": count})
        for docking, count in found.items()
    ]
    custody.append_all(conn, events, at)
    for docking in found:
        free_seals(conn, name, docking, None)


AGAIN = """
UPDATE transfer INDEXED BY transfer_unsent SET due = '', attempts = 0, failure = NULL,
state = CASE WHEN file IS NULL AND path LIKE '%/' || :seal
    THEN 'blocked' ELSE 'queued' END
WHERE state <> 'confirmed' AND state = 'withdrawn' AND destination = :destination
AND (file IS NULL OR (SELECT state FROM file WHERE id = transfer.file) = 'verified')
RETURNING docking
"""
