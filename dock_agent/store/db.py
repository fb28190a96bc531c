"""Open the station's database, and the one way to write to it."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import wraps
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from dock_agent.errors import (
    DockError,
    NoDatabase,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreOutOfReach,
)
from dock_agent.store.schema import STEPS

PATIENCE = 10.0  # seconds to wait for another writer
LINE = "\n"
FULL_SYNC = 2  # what PRAGMA synchronous answers when it is FULL

P = ParamSpec("P")
R = TypeVar("R")

migrations = Migrations("dock-agent")


def _register(name: str, script: str) -> None:
    @migrations(name=name)
    def apply(db: Database) -> None:
        for statement in statements(script):
            db.execute(statement)


def statements(script: str) -> Iterator[str]:
    """Split a script where SQLite calls a statement complete: triggers stay whole."""
    held = ""
    for line in script.splitlines(keepends=True):
        held += line
        if sqlite3.complete_statement(held):
            yield held
            held = ""


for _name, _script in STEPS:
    _register(_name, _script)


def connect(
    path: Path, *, create: bool = False, patience: float = PATIENCE
) -> sqlite3.Connection:
    """Open the database for writing; with `create`, make it or bring it up to date.

    A connection belongs to the thread that opened it, and waits `patience`
    seconds for another writer. Raises `StoreError` and its kinds.
    """
    if not create and not path.exists():
        raise NoDatabase(f"no database at {path}")
    with translated(path):
        conn = sqlite3.connect(path, isolation_level=None, timeout=patience)
        try:
            _set_up(conn, path, patience)
            _bring_up_to_date(conn, path, create=create)
        except BaseException:
            conn.close()
            raise
    return conn


def connect_readonly(path: Path) -> sqlite3.Connection:
    """Open the database for reading only: nothing can be changed through it."""
    if not path.exists():
        raise NoDatabase(f"no database at {path}")
    with translated(path):
        conn = sqlite3.connect(
            f"{path.resolve().as_uri()}?{_how_to_read(path)}",
            uri=True,
            isolation_level=None,
            timeout=PATIENCE,
        )
        try:
            conn.row_factory = sqlite3.Row
            conn.execute("PRAGMA query_only = ON")
            _look(conn, path)
        except BaseException:
            conn.close()
            raise
    return conn


def _how_to_read(path: Path) -> str:
    """Return SQLite's words for it: as others write, or a file at rest.

    A database that was closed in order has no log beside it, and to make one
    takes a directory that may be written. Who may not reads the file as it is;
    where there is a log he must not, for it holds what was written last.
    """
    at_rest = not path.with_name(f"{path.name}-wal").exists()
    return (
        "immutable=1" if at_rest and not os.access(path.parent, os.W_OK) else "mode=ro"
    )


def _look(conn: sqlite3.Connection, path: Path) -> None:
    """Read once: what cannot be read is found here, not halfway down a page."""
    row = conn.execute("SELECT 1 FROM sqlite_schema WHERE name = 'custody'")
    if row.fetchone() is None:
        raise NoDatabase(f"{path} is not set up; start the agent once")
    if migrations.pending(Database(conn)):
        raise StoreError(f"{path} is of an older version; start the agent once")


def require_whole(conn: sqlite3.Connection) -> None:
    """Raise `StoreDamaged` unless every page is sound: rows can vanish in silence."""
    (told,) = conn.execute("PRAGMA quick_check(1)").fetchone()
    if told != "ok":
        raise StoreDamaged(f"the station's database is damaged: {told.split(LINE)[-1]}")


def require_one_file(conn: sqlite3.Connection, path: Path) -> None:
    """Have the database's own file hold all of it, durably: its log is empty then.

    To close the last connection does that, too, and says nothing where it does not
    go. Raises `StoreLocked` while anybody reads it, and what else SQLite says.
    """
    with translated(path):
        busy = conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    if busy:
        raise StoreLocked(f"{path} is in use by another program")


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """Read the database for the length of the block, whatever state it is in.

    Raises `StoreError` and its kinds, also for what the block reads.
    """
    with closing(connect_readonly(path)) as conn, translated(path):
        yield conn


def _set_up(conn: sqlite3.Connection, path: Path, patience: float) -> None:
    conn.row_factory = sqlite3.Row
    # SQLite itself does not wait for another process that switches just now.
    switch = Retrying(
        retry=retry_if_exception(_is_busy),
        stop=stop_after_delay(patience),
        wait=wait_random(0, 0.05),
        reraise=True,
    )
    switch(conn.execute, "PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = FULL")  # a custody row survives a power cut
    conn.execute("PRAGMA foreign_keys = ON")
    answers = (
        conn.execute("PRAGMA journal_mode").fetchone()[0],
        conn.execute("PRAGMA synchronous").fetchone()[0],
        conn.execute("PRAGMA foreign_keys").fetchone()[0],
    )
    if answers != ("wal", FULL_SYNC, 1):
        raise StoreError(f"{path} cannot be made durable: SQLite answers {answers}")


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.Error) and _told(error)[0] is StoreLocked


def _bring_up_to_date(conn: sqlite3.Connection, path: Path, *, create: bool) -> None:
    db = Database(conn)
    if not migrations.pending(db):
        return
    if not create:
        raise StoreError(f"{path} is of an older version; start the agent once")
    # The library begins each step with a plain BEGIN; inside our own it is a
    # savepoint, and of two agents that start together one waits.
    with transaction(conn):
        migrations.apply(db)


@contextmanager
def transaction(conn: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Run the block as one write: all of it, durably, or nothing.

    IMMEDIATE, because a plain BEGIN takes the write lock only at the first
    write, and then fails at once if another process wrote in between.
    """
    with translated("the station's database"):
        conn.execute("BEGIN IMMEDIATE")
        try:
            yield conn
            conn.execute("COMMIT")
        except BaseException:
            if conn.in_transaction:
                conn.execute("ROLLBACK")
            raise


@contextmanager
def snapshot(conn: sqlite3.Connection) -> Iterator[None]:
    """Read the database as it is at one moment, whatever others write meanwhile."""
    conn.execute("BEGIN")
    try:
        yield
    finally:
        if conn.in_transaction:
            conn.execute("ROLLBACK")


def writer(
    change: Callable[Concatenate[sqlite3.Connection, P], R],
) -> Callable[Concatenate[sqlite3.Connection, P], R]:
    """Mark a function that changes the database: it works in `transaction` only.

    Outside of one each statement would be a commit of its own, and a change
    could last without the custody event that tells of it.
    """

    @wraps(change)
    def checked(conn: sqlite3.Connection, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if not conn.in_transaction:
            raise StoreError(f"{change.__qualname__} needs a transaction")
        return change(conn, *args, **kwargs)

    return checked


@contextmanager
def translated(what: object) -> Iterator[None]:
    """Turn SQLite's errors into the project's own, with a sentence."""
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise  # a mistake of ours is not the database's
    except sqlite3.Error as error:
        kind, sentence = _told(error)
        raise kind(f"{what} {sentence}") from error


def _told(error: sqlite3.Error) -> tuple[type[DockError], str]:
    """Return what an error of SQLite is here (sqlite.org/rescode.html)."""
    match getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreLocked, "is in use by another program"
        case sqlite3.SQLITE_FULL:
            return StoreFull, "has no room to grow"
        case sqlite3.SQLITE_READONLY:
            return StoreOutOfReach, "cannot be written"
        case sqlite3.SQLITE_CANTOPEN:
            return StoreOutOfReach, "cannot be opened"
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreDamaged, f"is damaged: {error}"
        case _:
            return StoreError, f"says: {error}"
