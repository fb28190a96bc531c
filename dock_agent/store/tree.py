"""The custody log's Merkle tree in the database: heads and proofs in O(log n).

A row for each complete subtree of 16 lines, of 256, and so on: one for 15 lines, all
in all. What lies between is hashed anew when it is asked for, from 15 rows or fewer.
"""

import sqlite3
from collections.abc import Sequence

from dock_agent.custody import merkle
from dock_agent.errors import CustodyError
from dock_agent.store.db import writer

STEP = 4  # levels of the tree from one kept level to the next
EACH = 1 << STEP


@writer
def grow(conn: sqlite3.Connection, size: int, last: Sequence[str] = ()) -> None:
    """Keep the hashes of what is complete with `size` lines, in their transaction.

    Also of the lines that were there before there was a tree. `last` are some of the
    last lines, if they are at hand: they are not read again.
    """
    begin = size - len(last)
    level, complete = 1, size >> STEP
    while complete:
        row = conn.execute(
            "SELECT coalesce(max(number) + 1, 0) FROM custody_tree WHERE level = ?",
            (level,),
        ).fetchone()
        for number in range(row[0], complete):
            first = number * EACH
            if level == 1 and first >= begin:
                at_hand = last[first - begin : first - begin + EACH]
                hashes = [merkle.leaf(line.encode()) for line in at_hand]
            else:
                hashes = _kept(conn, level - 1, first, EACH)
            conn.execute(
                "INSERT INTO custody_tree (level, number, sha256) VALUES (?, ?, ?)",
                (level, number, merkle.complete(hashes)),
            )
        level, complete = level + 1, complete >> STEP


def reader(conn: sqlite3.Connection) -> merkle.Read:
    """Return what gives heads and proofs the hashes they ask for.

    It raises `CustodyError` where rows are missing.
    """

    def read(level: int, number: int) -> bytes:
        kept, above = divmod(level, STEP)
        return merkle.complete(_kept(conn, kept, number << above, 1 << above))

    return read


def root(conn: sqlite3.Connection, size: int) -> bytes:
    """Return the head of the log's first `size` lines."""
    return merkle.root(size, reader(conn))


def _kept(conn: sqlite3.Connection, level: int, first: int, count: int) -> list[bytes]:
    """Return the hashes of some subtrees side by side; of level 0, of lines."""
    last = first + count - 1
    if level == 0:
        rows = conn.execute(
            "SELECT line FROM custody WHERE seq BETWEEN ? AND ? ORDER BY seq",
            (first + 1, last + 1),
        )
        found = [merkle.leaf(row[0].encode()) for row in rows]
    else:
        rows = conn.execute(
            "SELECT sha256 FROM custody_tree WHERE level = ?"
            " AND number BETWEEN ? AND ? ORDER BY number",
            (level, first, last),
        )
        found = [bytes(row[0]) for row in rows]
    if len(found) != count:
        raise CustodyError(f"the tree of the custody log is not whole at level {level}")
    return found
