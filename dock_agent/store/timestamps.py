"""The time stamps of checkpoints: kept for good, as the authority gave them."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from dock_agent.clock import Instant, stamp, unstamp
from dock_agent.errors import CustodyError
from dock_agent.store import checkpoints
from dock_agent.store.checkpoints import Kept
from dock_agent.store.db import writer

Verify = Callable[[bytes, str], datetime]
"""Return when a note was stamped; raise `CustodyError` where the stamp proves nothing.

It is given the stamp and the note.
"""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A checkpoint's time stamp, DER, the note, and when it came by our own clock."""

    number: int
    token: bytes
    note: str
    kept_at: datetime


@writer
def keep(conn: sqlite3.Connection, number: int, token: bytes, at: Instant) -> None:
    """Keep the stamp of a checkpoint; it never goes.

    No line of the log tells of it: that would make a new checkpoint, which would
    want a stamp.
    """
    conn.execute(
        "INSERT INTO timestamp (checkpoint, token, kept_at) VALUES (?, ?, ?)",
        (number, token, stamp(at.utc)),
    )


def newest(conn: sqlite3.Connection) -> Iterator[Stamp]:
    """Yield the stamps, that of the newest checkpoint first.

    Nothing is left open in between: who hears of one may write.
    """
    below = None
    while row := conn.execute(
        "SELECT t.checkpoint, t.token, c.note, t.kept_at FROM timestamp AS t"
        " JOIN checkpoint AS c ON c.number = t.checkpoint"
        " WHERE ? IS NULL OR t.checkpoint < ? ORDER BY t.checkpoint DESC LIMIT 1",
        (below, below),
    ).fetchone():
        below = row["checkpoint"]
        yield Stamp(below, bytes(row["token"]), row["note"], unstamp(row["kept_at"]))


def token_of(conn: sqlite3.Connection, number: int) -> bytes | None:
    """Return the stamp of a checkpoint, if it has one."""
    row = conn.execute(
        "SELECT token FROM timestamp WHERE checkpoint = ?", (number,)
    ).fetchone()
    return None if row is None else bytes(row["token"])


def waiting(conn: sqlite3.Connection) -> Kept | None:
    """Return the newest checkpoint if it has no stamp: it speaks for all before."""
    last = checkpoints.last(conn)
    if last is None or token_of(conn, last.number) is not None:
        return None
    return last


def wrong(conn: sqlite3.Connection, verify: Verify) -> Iterator[str]:
    """Yield a sentence for each stamp that proves nothing."""
    for one in newest(conn):
        try:
            verify(one.token, one.note)
        except CustodyError as error:
            yield f"time stamp of checkpoint {one.number}: {error}"


def check(conn: sqlite3.Connection, verify: Verify) -> None:
    """Raise `CustodyError` where a stamp that was kept proves nothing."""
    for told in wrong(conn, verify):
        raise CustodyError(told)
