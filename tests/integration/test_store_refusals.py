"""What the store says when it cannot be used, and what it never lets happen."""

import ast
import importlib
import inspect
import pkgutil
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from dock_agent import store
from dock_agent.clock import SystemClock
from dock_agent.custody.chain import Event
from dock_agent.errors import (
    CustodyError,
    DockError,
    StoreDamaged,
    StoreError,
    StoreLocked,
)
from dock_agent.recording import BayName, Digest, Proof
from dock_agent.store import (
    backlog,
    cameras,
    confirmations,
    custody,
)
from dock_agent.store.confirmations import Confirmed
from dock_agent.store.db import (
    connect,
    connect_readonly,
    migrations,
    reading,
    transaction,
    writer,
)
from dock_agent.store.schema import STEPS
from support.books import CAMERA, DIGEST, MAIN, Books

HOLDER = """
import sqlite3, sys
conn = sqlite3.connect(sys.argv[1], isolation_level=None)
conn.execute(sys.argv[2])
conn.execute("CREATE TABLE IF NOT EXISTS held (n)")
print("held", flush=True)
sys.stdin.read()
"""
WRITES = re.compile(r"\s*(?:INSERT|UPDATE|DELETE|REPLACE)\b")
MODULES = [
    importlib.import_module(f"{store.__name__}.{found.name}")
    for found in pkgutil.iter_modules(store.__path__)
    if found.name != "db"  # where the mark itself is made
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    connect(tmp_path / "store.db", create=True).close()
    return tmp_path / "store.db"


@contextmanager
def another_program_holds(path: Path, how: str) -> Iterator[None]:
    command = [sys.executable, "-c", HOLDER, str(path), how]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield


def append(conn: sqlite3.Connection) -> None:
    with transaction(conn):
        custody.append(conn, Event("x"), SystemClock().now())


def test_a_lock_held_by_another_program_is_named_and_lasts_no_longer(
    path: Path,
) -> None:
    with closing(connect(path, patience=0.05)) as conn:
        with (
            another_program_holds(path, "BEGIN IMMEDIATE"),
            pytest.raises(StoreLocked, match="in use by another program") as raised,
        ):
            append(conn)

        append(conn)

        assert raised.value.hint
        assert custody.head(conn).seq == 1


def test_a_database_that_another_program_keeps_to_itself_cannot_be_opened(
    path: Path,
) -> None:
    with (
        another_program_holds(path, "PRAGMA locking_mode = EXCLUSIVE"),
        pytest.raises(StoreLocked),
    ):
        connect(path, patience=0.05)


@pytest.mark.parametrize("opened", [connect, connect_readonly])
@pytest.mark.parametrize("head", [b"x" * 4096, b"SQLite format 3\0" + b"\xff" * 4080])
def test_what_is_no_database_is_called_damaged_at_once(
    tmp_path: Path, opened: Callable[[Path], sqlite3.Connection], head: bytes
) -> None:
    (tmp_path / "store.db").write_bytes(head)

    with pytest.raises(StoreDamaged) as raised:
        opened(tmp_path / "store.db")

    assert "evidence itself is in the vault" in raised.value.hint


def test_damage_that_a_page_comes_across_is_called_damage(path: Path) -> None:
    with closing(connect(path)) as conn:
        for _ in range(200):
            append(conn)
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096 * 2)
        file.write(b"\xff" * (size - 4096 * 2))

    with pytest.raises(StoreDamaged), reading(path) as conn:
        custody.check(conn)


def test_a_database_that_cannot_be_written_is_said_so(path: Path) -> None:
    with (
        closing(connect_readonly(path)) as conn,
        pytest.raises(StoreError, match="cannot be written"),
    ):
        append(conn)


def test_a_place_where_no_file_can_be_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        connect(tmp_path / "absent/store.db", create=True)


def test_a_database_that_nobody_set_up_is_no_damage(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"")

    with pytest.raises(StoreError, match="start the agent once"):
        connect_readonly(tmp_path / "store.db")
    with pytest.raises(StoreError, match="start the agent once"):
        connect(tmp_path / "store.db")


def test_our_own_mistakes_are_not_blamed_on_the_database(path: Path) -> None:
    with (
        closing(connect(path)) as conn,
        pytest.raises(sqlite3.ProgrammingError),
        transaction(conn),
    ):
        conn.execute("SELECT ?", ())


def test_a_mistaken_transaction_in_a_transaction_keeps_the_outer_one(
    path: Path,
) -> None:
    with closing(connect(path)) as conn, transaction(conn):
        with pytest.raises(StoreError), transaction(conn):
            pytest.fail("the block must not run")

        assert conn.in_transaction


def test_every_step_is_applied_once_and_recorded(path: Path) -> None:
    connect(path, create=True).close()

    with closing(connect(path)) as conn:
        rows = conn.execute(f"SELECT name FROM {migrations.migrations_table}")  # noqa: S608
        assert [row["name"] for row in rows] == [name for name, _ in STEPS]


def test_agents_that_start_together_set_the_database_up_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from dock_agent.store.db import connect;"
        "print('ready', flush=True); sys.stdin.read();"
        "connect(Path(sys.argv[1]), create=True).close()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "store.db")]
    agents = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    for agent in agents:
        assert agent.stdout is not None
        agent.stdout.readline()
        agent.stdout.close()

    for agent in agents:
        assert agent.stdin is not None
        agent.stdin.close()

    assert [agent.wait(60) for agent in agents] == [0, 0, 0, 0]


def test_a_set_up_that_was_cut_short_is_done_again(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    code = (
        "import os, signal, sys; from pathlib import Path;"
        "from dock_agent.store import db;"
        "from sqlite_utils import Database;"
        "kill = lambda *_: os.kill(os.getpid(), signal.SIGKILL);"
        "db.migrations(name='0002_dies')(kill);"
        "db.connect(Path(sys.argv[1]), create=True)"
    )

    died = subprocess.run([sys.executable, "-c", code, str(path)], check=False)

    assert died.returncode == -9
    with closing(connect(path, create=True)) as conn:
        append(conn)
        assert custody.check(conn).seq == 1


def test_two_threads_never_lose_an_update(path: Path) -> None:
    def count() -> None:
        with closing(connect(path)) as conn:
            for _ in range(30):
                append(conn)

    threads = [threading.Thread(target=count) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    with closing(connect(path)) as conn:
        assert custody.check(conn).seq == 90


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_every_function_that_writes_refuses_to_outside_a_transaction(
    module: ModuleType,
) -> None:
    functions = {
        node.name: node
        for node in ast.parse(inspect.getsource(module)).body
        if isinstance(node, ast.FunctionDef)
    }
    writes = {name for name, node in functions.items() if _has_words_that_write(node)}
    for _ in functions:  # whoever calls one that writes does so, too
        writes |= {name for name, node in functions.items() if _calls(node) & writes}

    unmarked = {
        name
        for name in writes
        if not name.startswith("_") and not hasattr(vars(module)[name], "__wrapped__")
    }

    # The log's own two refuse by themselves, with an error of their own.
    assert unmarked - {"append", "append_all"} == set()


def test_the_functions_that_write_are_found() -> None:
    marked = [
        name
        for module in MODULES
        for name, thing in vars(module).items()
        if hasattr(thing, "__wrapped__") and thing.__module__ == module.__name__
    ]

    assert len(marked) > 40
    assert {"proved", "named", "seen", "place", "confirm"} <= set(marked)


def _has_words_that_write(node: ast.FunctionDef) -> bool:
    texts = (n.value for n in ast.walk(node) if isinstance(n, ast.Constant))
    return any(isinstance(text, str) and WRITES.match(text) for text in texts)


def _calls(node: ast.FunctionDef) -> set[str]:
    return {
        n.func.id
        for n in ast.walk(node)
        if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
    }


def test_a_change_outside_a_transaction_changes_nothing(tmp_path: Path) -> None:
    books = Books(tmp_path)

    with pytest.raises(StoreError, match="seen needs a transaction"):
        cameras.seen(books.conn, CAMERA, books.at)

    assert books.conn.execute("SELECT count(*) FROM camera").fetchone()[0] == 0
    books.close()


def test_what_a_writer_is_called_and_says_is_its_own() -> None:
    @writer
    def change(conn: sqlite3.Connection, bay: BayName) -> str:
        """Change a bay."""
        return f"{bay} {conn.in_transaction}"

    conn = sqlite3.connect(":memory:", isolation_level=None)
    conn.execute("BEGIN")

    assert change(conn, BayName("3")) == "3 True"
    assert change.__doc__ == "Change a bay."
    conn.close()


@pytest.mark.parametrize(
    "change",
    [
        "REPLACE INTO custody SELECT 1, docking, docking_seq, 'x', 'y' FROM custody",
        "REPLACE INTO custody SELECT 3, NULL, NULL, line, sha256 FROM custody",
        "INSERT INTO custody VALUES (9, NULL, NULL, 'x', 'y')",
        "INSERT INTO custody VALUES (NULL, NULL, NULL, 'x', 'y')",
        "INSERT INTO custody VALUES (1,'',1,'x','y') ON CONFLICT DO UPDATE SET seq=1",
        "UPDATE custody SET docking = 'x'",
        "DELETE FROM custody WHERE seq = 2",
    ],
)
def test_the_custody_log_only_ever_grows_at_its_end(path: Path, change: str) -> None:
    with closing(connect(path)) as conn:
        append(conn)
        append(conn)
        before = custody.log(conn)

        with (
            pytest.raises(StoreError, match=r"append-only|grows at its end"),
            transaction(conn),
        ):
            conn.execute(change)

        assert custody.log(conn) == before


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("UPDATE custody SET line = line || ' ' WHERE seq = 2", "not what was written"),
        ("UPDATE custody SET docking = 'x' WHERE seq = 2", "what its row says"),
        ("UPDATE custody SET docking_seq = 7 WHERE seq = 2", "what its row says"),
        ("UPDATE custody SET line = 'no', sha256 = 'x' WHERE seq = 2", "line 2"),
        ("DELETE FROM custody WHERE seq = 2", "line 2"),
    ],
)
def test_a_log_changed_with_its_guards_removed_is_noticed(
    path: Path, change: str, reason: str
) -> None:
    with closing(connect(path)) as conn:
        for _ in range(3):
            append(conn)
        for guard in ("keeps", "stands"):
            conn.execute(f"DROP TRIGGER custody_{guard}")
        conn.execute(change)

        with pytest.raises(CustodyError, match=reason):
            custody.check(conn)


def test_what_a_transfer_is_about_never_changes(tmp_path: Path) -> None:
    books = Books(tmp_path)
    books.verified(books.open())

    for change in ("UPDATE transfer SET sha256 = 'x'", "DELETE FROM transfer"):
        with pytest.raises(StoreError, match="never"), transaction(books.conn):
            books.conn.execute(change)

    assert books.claimed().sha256 == DIGEST
    books.close()


def test_a_mistake_of_ours_in_a_proof_confirms_nothing(tmp_path: Path) -> None:
    books = Books(tmp_path)
    books.verified(books.open())
    transfer = books.claimed(MAIN)

    def attempt(proof: Confirmed) -> None:
        with transaction(books.conn):
            confirmations.confirm(books.conn, transfer, proof, books.at)

    for proof in (
        Confirmed(Proof.NONE, DIGEST),
        Confirmed(Proof.READ_BACK, Digest("00" * 32)),
    ):
        with pytest.raises(DockError, match="proves nothing"):
            attempt(proof)

    assert backlog.confirmed(books.conn) == 0
    books.close()
