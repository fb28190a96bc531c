"""Open the station's database, and the one way to write to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from dock_agent.errors import NoRoom, StoreDamaged, StoreError, StoreLocked
from dock_agent.store.schema import STEPS

PATIENCE = 10.0  # seconds to wait for another writer
FULL_SYNC = 2  # what PRAGMA synchronous answers when it is FULL

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


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open the database for writing; with `create`, make it or bring it up to date.

    A connection belongs to the thread that opened it. Raises `StoreError` and
    its kinds.
    """
    if not create and not path.exists():
        raise StoreError(f"no database at {path}")
    with translated(path):
        conn = sqlite3.connect(path, isolation_level=None, timeout=PATIENCE)
        try:
            _set_up(conn, path)
            _bring_up_to_date(conn, path, create=create)
        except BaseException:
            conn.close()
            raise
    return conn


def connect_readonly(path: Path) -> sqlite3.Connection:
    """Open the database for reading only: nothing can be changed through it."""
    if not path.exists():
        raise StoreError(f"no database at {path}")
    with translated(path):
        conn = sqlite3.connect(
            f"file:{_quoted(path)}?mode=ro", uri=True, timeout=PATIENCE
        )
        conn.row_factory = sqlite3.Row
        conn.execute("PRAGMA query_only = ON")
    return conn


def _quoted(path: Path) -> str:
    return path.resolve().as_uri().removeprefix("file://")


def _set_up(conn: sqlite3.Connection, path: Path) -> None:
    conn.row_factory = sqlite3.Row
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("PRAGMA synchronous = FULL")  # a custody row survives a power cut
    conn.execute("PRAGMA foreign_keys = ON")
    answers = (
        conn.execute("PRAGMA journal_mode").fetchone()[0],
        conn.execute("PRAGMA synchronous").fetchone()[0],
        conn.execute("PRAGMA foreign_keys").fetchone()[0],
    )
    if answers != ("wal", FULL_SYNC, 1):
        raise StoreError(f"{path} cannot be made durable: SQLite answers {answers}")


def _bring_up_to_date(conn: sqlite3.Connection, path: Path, *, create: bool) -> None:
    db = Database(conn)
    if not migrations.pending(db):
        return
    if not create:
        raise StoreError(f"{path} is of an older version; start the agent once")
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
def translated(what: object) -> Iterator[None]:
    """Turn SQLite's errors into the project's own, with a sentence."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _operational(error, what) from error
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.IntegrityError):
            raise StoreError(f"{what}: {error}") from error
        raise StoreDamaged(f"{what}: {error}") from error


def _operational(error: sqlite3.OperationalError, what: object) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return StoreLocked(f"{what} is in use by another program")
        case sqlite3.SQLITE_FULL:
            return NoRoom(f"{what}: no room for the database")
        case sqlite3.SQLITE_READONLY:
            return StoreError(f"{what} cannot be written")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreDamaged(f"{what}: {error}")
        case sqlite3.SQLITE_IOERR if "full" in str(error):
            return NoRoom(f"{what}: no room for the database")
        case _:
            return StoreError(f"{what}: {error}")
