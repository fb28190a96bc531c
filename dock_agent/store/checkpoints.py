"""The checkpoints of the custody log: made, kept for good, and held against it."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from dock_agent.clock import Instant, stamp
from dock_agent.custody import chain, merkle
from dock_agent.custody.chain import Head
from dock_agent.custody.checkpoint import Checkpoint, origin, read, signed
from dock_agent.custody.signing import PublicKey, SigningKey
from dock_agent.errors import CustodyError
from dock_agent.recording import DestinationName
from dock_agent.store import custody, station, tree
from dock_agent.store.db import snapshot, writer


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint as it was signed: `number` counts from 1, `size` lines."""

    number: int
    size: int
    note: str


Seen = Callable[[Kept, Sequence[str]], None]
"""Is shown a checkpoint, and the lines since the one before it."""


def unseen(kept: Kept, lines: Sequence[str]) -> None:
    """See nothing."""
    del kept, lines


@writer
def make(
    conn: sqlite3.Connection, name: str, key: SigningKey, at: Instant
) -> Kept | None:
    """Sign the log of station `name` as it is; None if nothing is new since the last.

    It has to go on from the last one: raises `CustodyError` where lines that were
    signed are gone or were changed. Nothing is signed then.
    """
    size, before = custody.head(conn).seq, last(conn)
    tree.grow(conn, size)  # of lines from before there was a tree
    known = 0 if before is None else before.size
    if before is not None:
        told = _told(before, station.keys(conn) | {key.public.id: key.public})
        if told.size > size or tree.root(conn, told.size) != told.root:
            raise CustodyError(f"the log is not the one that was signed at {told.size}")
    if size == known:
        return None
    whole = Checkpoint(origin(name), size, tree.root(conn, size))
    number = 1 if before is None else before.number + 1
    made = Kept(number, size, signed(whole, key))
    keep(conn, made, at)
    return made


@writer
def keep(conn: sqlite3.Connection, made: Kept, at: Instant) -> None:
    """Keep a checkpoint; it comes after the last one, and never goes."""
    conn.execute(
        "INSERT INTO checkpoint (number, size, note, made_at) VALUES (?, ?, ?, ?)",
        (made.number, made.size, made.note, stamp(at.utc)),
    )


def last(conn: sqlite3.Connection) -> Kept | None:
    """Return the newest checkpoint; None before the first."""
    return next(newest(conn), None)


def newest(conn: sqlite3.Connection, below: int | None = None) -> Iterator[Kept]:
    """Yield the checkpoints, the newest first; those below a number, if it is given."""
    rows = conn.execute(
        "SELECT * FROM checkpoint WHERE ? IS NULL OR number < ? ORDER BY number DESC",
        (below, below),
    )
    for row in rows:
        yield Kept(row["number"], row["size"], row["note"])


def oldest(conn: sqlite3.Connection, above: int = 0) -> Iterator[Kept]:
    """Yield the checkpoints above a number, the oldest first.

    Nothing is left open in between: who hears of one may write.
    """
    while row := conn.execute(
        "SELECT number, size, note FROM checkpoint WHERE number > ?"
        " ORDER BY number LIMIT 1",
        (above,),
    ).fetchone():
        kept = Kept(*row)
        above = kept.number
        yield kept


def proof_of(conn: sqlite3.Connection, seq: int, size: int) -> list[bytes]:
    """Return the hashes that prove line `seq`, from 1, in the log of `size` lines."""
    return merkle.inclusion(seq - 1, size, tree.reader(conn))


def extension(conn: sqlite3.Connection, old: int, size: int) -> list[bytes]:
    """Return the hashes that prove that `size` lines begin with the `old` ones."""
    return merkle.consistency(old, size, tree.reader(conn))


def check(conn: sqlite3.Connection, seen: Seen = unseen) -> Head:
    """Read the whole log once: each line, checkpoint, and the tree hold together.

    `seen` is shown each checkpoint. Returns the last line; raises `CustodyError` for
    the first thing that differs.
    """
    with snapshot(conn):
        keys, growing, walk = station.keys(conn), merkle.Growing(), chain.Walk()
        lines = custody.as_written(conn)
        for kept in oldest(conn):
            told, its = _told(kept, keys), list[str]()
            for line in islice(lines, max(0, told.size - growing.size)):
                walk.hear(line)
                growing.add(line.encode())
                its.append(line)
            if (growing.size, growing.root()) != (told.size, told.root):
                raise CustodyError(
                    f"checkpoint {kept.number} is not of this log: it was signed with"
                    f" {told.size} lines"
                )
            seen(kept, its)
        for line in lines:
            walk.hear(line)
            growing.add(line.encode())
        if tree.root(conn, growing.size) != growing.root():
            raise CustodyError("the kept tree is not that of the log's lines")
    return walk.last


def unwitnessed(
    conn: sqlite3.Connection, name: DestinationName, count: int
) -> list[Kept]:
    """Return checkpoints that a destination has not proved yet, the oldest first."""
    rows = conn.execute(
        "SELECT number, size, note FROM checkpoint WHERE number > coalesce("
        "(SELECT number FROM witness WHERE destination = ?), 0)"
        " ORDER BY number LIMIT ?",
        (name, count),
    )
    return [Kept(*row) for row in rows]


@writer
def witnessed(conn: sqlite3.Connection, name: DestinationName, number: int) -> None:
    """A destination proved that it has this checkpoint, and those before it."""
    conn.execute(
        "INSERT INTO witness (destination, number) VALUES (?, ?)"
        " ON CONFLICT (destination) DO UPDATE"
        " SET number = max(number, excluded.number)",
        (name, number),
    )


def _told(kept: Kept, keys: Mapping[str, PublicKey]) -> Checkpoint:
    """Read one of ours: under whatever name, the key is the station's."""
    found = read(kept.note, keys.values(), kept.note.partition("\n")[0])
    if found.size != kept.size:
        raise CustodyError(f"checkpoint {kept.number} is not of {kept.size} lines")
    return found
