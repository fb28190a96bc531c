"""The custody log in the database: appended to, read, checked; never changed."""

import sqlite3
from collections.abc import Iterator, Sequence

from dock_agent.clock import Instant
from dock_agent.custody.chain import EMPTY, Event, Head, digest, next_line, verify
from dock_agent.errors import CustodyError
from dock_agent.recording import Digest, DockingId
from dock_agent.store import tree

Row = tuple[int, DockingId | None, int | None, str, Digest]


def append(conn: sqlite3.Connection, event: Event, at: Instant) -> Digest:
    """Add a line, inside the transaction of the change that it tells of."""
    return append_all(conn, (event,), at)[0]


def append_all(
    conn: sqlite3.Connection, events: Sequence[Event], at: Instant
) -> list[Digest]:
    """Add a line for each event; return the lines' digests."""
    if not conn.in_transaction:
        raise CustodyError("a custody event belongs to the transaction of its change")
    last, dockings, rows = head(conn), dict[DockingId, Head](), list[Row]()
    before = last.seq
    for event in events:
        about = EMPTY
        if event.docking is not None:
            about = dockings.get(event.docking) or docking_head(conn, event.docking)
        line = next_line(last, about, event, at)
        last = Head(last.seq + 1, digest(line))
        number = None
        if event.docking is not None:
            number = about.seq + 1
            dockings[event.docking] = Head(number, last.sha256)
        rows.append((last.seq, event.docking, number, line, last.sha256))
    conn.executemany(
        "INSERT INTO custody (seq, docking, docking_seq, line, sha256)"
        " VALUES (?, ?, ?, ?, ?)",
        rows,
    )
    if before // tree.EACH != last.seq // tree.EACH:
        tree.grow(conn, last.seq, [row[3] for row in rows])
    return [row[-1] for row in rows]


def head(conn: sqlite3.Connection) -> Head:
    """Return the last line's number and digest; `EMPTY` before the first."""
    row = conn.execute(
        "SELECT seq, sha256 FROM custody ORDER BY seq DESC LIMIT 1"
    ).fetchone()
    return EMPTY if row is None else Head(row["seq"], Digest(row["sha256"]))


def digest_at(conn: sqlite3.Connection, seq: int) -> Digest | None:
    """Return the digest of a line; None if there is none of this number."""
    row = conn.execute("SELECT sha256 FROM custody WHERE seq = ?", (seq,)).fetchone()
    if row is None:
        return EMPTY.sha256 if seq == EMPTY.seq else None
    return Digest(row["sha256"])


def docking_head(conn: sqlite3.Connection, docking: DockingId) -> Head:
    """Return the last line about one docking."""
    row = conn.execute(
        "SELECT docking_seq, sha256 FROM custody WHERE docking = ?"
        " ORDER BY docking_seq DESC LIMIT 1",
        (docking,),
    ).fetchone()
    return EMPTY if row is None else Head(row["docking_seq"], Digest(row["sha256"]))


def lines(conn: sqlite3.Connection, docking: DockingId) -> list[str]:
    """Return the lines about one docking, oldest first."""
    rows = conn.execute(
        "SELECT line FROM custody WHERE docking = ? ORDER BY docking_seq", (docking,)
    )
    return [row["line"] for row in rows]


def of_kind(conn: sqlite3.Connection, kind: str) -> list[str]:
    """Return the lines of a kind that are about the station, oldest first."""
    rows = conn.execute(
        "SELECT line FROM custody WHERE docking IS NULL"
        " AND json_extract(line, '$.kind') = ? ORDER BY seq",
        (kind,),
    )
    return [row["line"] for row in rows]


def every(
    conn: sqlite3.Connection, first: int = 1, last: int | None = None
) -> Iterator[str]:
    """Yield the station's lines from number `first` to `last`, or to the end."""
    rows = conn.execute(
        "SELECT line FROM custody WHERE seq >= ? AND (? IS NULL OR seq <= ?)"
        " ORDER BY seq",
        (first, last, last),
    )
    for row in rows:
        yield row["line"]


def log(conn: sqlite3.Connection) -> str:
    """Return the whole log as JSON lines."""
    return "".join(line + "\n" for line in every(conn))


def check(conn: sqlite3.Connection) -> Head:
    """Walk the whole log; raise `CustodyError` naming the first bad line.

    A line has to be what was written, say what its row says of it, and follow
    the line before it, in the station's log and in its docking's.
    """
    return verify(as_written(conn))


def as_written(conn: sqlite3.Connection) -> Iterator[str]:
    """Yield every line; raise `CustodyError` at one that its row does not fit."""
    rows = conn.execute(
        "SELECT line, sha256, CASE WHEN json_valid(line) THEN"
        " docking IS json_extract(line, '$.docking')"
        " AND docking_seq IS json_extract(line, '$.docking_seq') END AS filed"
        " FROM custody ORDER BY seq"
    )
    for number, row in enumerate(rows, 1):
        if digest(row["line"]) != row["sha256"]:
            raise CustodyError(f"line {number} is not what was written")
        if not row["filed"]:
            raise CustodyError(f"line {number} is not about what its row says")
        yield row["line"]
