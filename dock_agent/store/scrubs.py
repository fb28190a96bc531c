"""When each file of the vault was last read again, and which are not what they were.

What is damaged counts as no copy: until it is healed nothing is erased for it, and
nothing rests on it. While the alert of a file stands, the file is damaged.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dock_agent.clock import Instant, stamp, unstamp
from dock_agent.custody.chain import Event
from dock_agent.custody.manifest import MANIFEST
from dock_agent.recording import (
    DestinationName,
    Digest,
    DockingId,
    FileId,
    FileState,
    ReadBack,
    TransferId,
)
from dock_agent.store import alerts, custody, files, orders
from dock_agent.store.alerts import VAULT, Alert
from dock_agent.store.db import writer
from dock_agent.store.orders import Which
from dock_agent.store.transfers import Transfer, transfer

OPENING = 64 << 10  # bytes that to open a file costs as much as to read


@dataclass(frozen=True, slots=True)
class Item:
    """A file of a sealed bag, as it was verified or sealed. `path`: below the vault.

    `file` is None for the bag's own files; `name` is how it is called in the bag.
    """

    path: str
    docking: DockingId
    file: FileId | None
    size: int
    sha256: Digest
    checked_at: datetime
    name: str


@dataclass(frozen=True, slots=True)
class Own:
    """One of a bag's own files: how it was sealed."""

    path: str
    size: int
    sha256: Digest


def not_enrolled(conn: sqlite3.Connection) -> list[DockingId]:
    """Return the sealed dockings that not everything is known of yet."""
    rows = conn.execute(
        "SELECT id FROM docking WHERE state = 'sealed' AND NOT EXISTS"
        " (SELECT 1 FROM scrub WHERE path = docking.bag || '/' || ?) ORDER BY id",
        (MANIFEST,),
    )
    return [DockingId(row["id"]) for row in rows]


@writer
def enrol(conn: sqlite3.Connection, docking: DockingId, own: Sequence[Own]) -> None:
    """Know every file of a sealed docking; it was read when it was sealed."""
    conn.execute(
        "INSERT INTO scrub (path, docking, file, size, sha256, checked_at)"
        " SELECT docking.bag || '/data/' || file.stored, docking.id, file.id,"
        " ifnull(cipher_size, file.size), ifnull(cipher_sha256, file.sha256),"
        " coalesce(docking.ended_at, docking.opened_at)"
        " FROM file JOIN docking ON docking.id = file.docking"
        " WHERE docking.id = ? AND file.state = 'verified' ON CONFLICT DO NOTHING",
        (docking,),
    )
    conn.executemany(
        "INSERT INTO scrub (path, docking, size, sha256, checked_at)"
        " SELECT ?, id, ?, ?, coalesce(ended_at, opened_at) FROM docking"
        " WHERE id = ? ON CONFLICT DO NOTHING",
        [(one.path, one.size, one.sha256, docking) for one in own],
    )


def queued_own(conn: sqlite3.Connection, docking: DockingId) -> dict[str, Digest]:
    """Return the digest of each of a bag's own files that was queued, by its path."""
    rows = conn.execute(
        "SELECT DISTINCT path, sha256 FROM transfer WHERE docking = ? AND file IS NULL",
        (docking,),
    )
    return {row["path"]: Digest(row["sha256"]) for row in rows}


SELECTED = (
    "SELECT scrub.*, substr(scrub.path, length(docking.bag) + 2) AS name"
    " FROM scrub JOIN docking ON docking.id = scrub.docking"
)
STANDS = (
    " EXISTS (SELECT 1 FROM alert WHERE place = 'vault' AND path = scrub.path"
    " AND mended_at IS NULL)"
)
EXPIRED = " EXISTS (SELECT 1 FROM file WHERE id = scrub.file AND state = 'expired')"


def oldest(conn: sqlite3.Connection, now: datetime, before: datetime) -> Item | None:
    """Return what was not read for the longest time, and not since `before`.

    One that was read later than now is due too: the clock was set back. What is known
    to be damaged is left to whoever heals it.
    """
    for low, high in ((stamp(now), "~"), ("", stamp(before))):
        row = conn.execute(
            f"{SELECTED} WHERE checked_at > ? AND checked_at < ? AND NOT {STANDS}"
            f" AND NOT {EXPIRED} ORDER BY checked_at, scrub.path LIMIT 1",
            (low, high),
        ).fetchone()
        if row is not None:
            return _item(row)
    return None


def damaged(conn: sqlite3.Connection) -> list[Item]:
    """Return what is known to be damaged."""
    rows = conn.execute(
        f"{SELECTED} WHERE {STANDS} AND NOT {EXPIRED} ORDER BY scrub.path"
    )
    return [_item(row) for row in rows]


def told(conn: sqlite3.Connection) -> list[tuple[Item, str]]:
    """Return what is known to be damaged, each with what was found."""
    reasons = conn.execute(
        "SELECT path, told FROM alert WHERE place = 'vault' AND mended_at IS NULL"
    )
    by_path = {row["path"]: row["told"] for row in reasons}
    return [(item, by_path[item.path]) for item in damaged(conn)]


def of_docking(conn: sqlite3.Connection, docking: DockingId) -> list[Item]:
    """Return the files of a sealed bag, those that the camera had first."""
    rows = conn.execute(
        f"{SELECTED} WHERE scrub.docking = ? ORDER BY scrub.file IS NULL, scrub.file",
        (docking,),
    )
    return [_item(row) for row in rows]


def weight(conn: sqlite3.Connection) -> int:
    """Return what the whole vault weighs: its bytes, and something for each file."""
    row = conn.execute("SELECT count(*) AS n, coalesce(sum(size), 0) AS b FROM scrub")
    count, size = row.fetchone()
    return int(count) * OPENING + int(size)


@writer
def passed(conn: sqlite3.Connection, item: Item, method: ReadBack, at: Instant) -> None:
    """It was read again, and is what it was."""
    conn.execute(
        "UPDATE scrub SET checked_at = ?, method = ? WHERE path = ?",
        (stamp(at.utc), method, item.path),
    )


@writer
def failed(conn: sqlite3.Connection, item: Item, told: str, at: Instant) -> None:
    """It is not what it was: from now on it counts as no copy. Said once.

    One whose time was over meanwhile is gone by order, and not damaged.
    """
    if _is_expired(conn, item) or not alerts.sound(
        conn, Alert(VAULT, item.path, told), at
    ):
        return
    conn.execute(
        "UPDATE scrub SET checked_at = ? WHERE path = ?", (stamp(at.utc), item.path)
    )
    conn.execute(
        "UPDATE file SET state = 'damaged', reason = ?"
        " WHERE id = ? AND state = 'verified'",
        (f"it {told}", item.file),
    )
    facts = _facts(conn, item) | {"reason": told}
    custody.append(conn, Event("damaged", item.docking, facts), at)


@writer
def healed(
    conn: sqlite3.Connection, item: Item, source: str, method: ReadBack, at: Instant
) -> None:
    """It is there again as it was, read back; whatever was refused for it may go."""
    if not alerts.mend(conn, VAULT, item.path, at):
        return
    passed(conn, item, method, at)
    conn.execute(
        "UPDATE file SET state = 'verified', reason = NULL"
        " WHERE id = ? AND state = 'damaged'",
        (item.file,),
    )
    facts = _facts(conn, item) | {"from": source, "method": method.value}
    custody.append(conn, Event("healed", item.docking, facts), at)
    refused = conn.execute(
        "SELECT id FROM transfer WHERE docking = ? AND path = ? AND state = 'refused'",
        (item.docking, item.path),
    ).fetchall()
    if refused:
        orders.ask_again(conn, Which(ids=[TransferId(r["id"]) for r in refused]), at)


def twins(conn: sqlite3.Connection, item: Item) -> list[str]:
    """Return the paths of other files of the vault that have the same bytes."""
    rows = conn.execute(
        "SELECT path FROM scrub WHERE file IN (SELECT id FROM file WHERE sha256 = ?"
        " AND cipher_sha256 IS NULL AND state = 'verified')"
        " AND size = ? AND path <> ? ORDER BY path",
        (item.sha256, item.size, item.path),
    )
    return [row["path"] for row in rows]


def wanted(conn: sqlite3.Connection) -> set[Digest]:
    """Return the digests of what is known to be damaged."""
    return {item.sha256 for item in damaged(conn)}


def kept_there(
    conn: sqlite3.Connection, destination: DestinationName
) -> list[Transfer]:
    """Return what is damaged here, and was confirmed at a destination."""
    rows = conn.execute(
        "SELECT transfer.* FROM alert INDEXED BY alert_open JOIN scrub"
        " ON scrub.path = alert.path JOIN transfer"
        " ON transfer.docking = scrub.docking AND transfer.path = scrub.path"
        " WHERE alert.place = 'vault' AND alert.mended_at IS NULL"
        " AND transfer.destination = ? AND transfer.state = 'confirmed'"
        " AND transfer.sha256 = scrub.sha256 ORDER BY alert.id",
        (destination,),
    )
    return [transfer(row) for row in rows.fetchall()]


def _is_expired(conn: sqlite3.Connection, item: Item) -> bool:
    state = conn.execute("SELECT state FROM file WHERE id = ?", (item.file,)).fetchone()
    return state is not None and state["state"] == FileState.EXPIRED


def _facts(conn: sqlite3.Connection, item: Item) -> dict[str, Any]:
    facts: dict[str, Any] = {"size": item.size, "sha256": item.sha256}
    if item.file is None:
        return facts | {"own": item.name}
    file = files.get(conn, item.file)
    return facts | {"file": file.stored, "raw_name": files.raw(file.path)}


def _item(row: sqlite3.Row) -> Item:
    return Item(
        path=row["path"],
        docking=DockingId(row["docking"]),
        file=row["file"],
        size=row["size"],
        sha256=Digest(row["sha256"]),
        checked_at=unstamp(row["checked_at"]),
        name=row["name"],
    )
