import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dock_agent.clock import SystemClock
from dock_agent.custody.chain import Event
from dock_agent.errors import (
    CameraGone,
    CustodyError,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLocked,
)
from dock_agent.store import custody, db
from dock_agent.store.db import (
    connect,
    connect_readonly,
    reading,
    require_whole,
    transaction,
)
from support.bench import Bench

NOBODY = 65_534


@pytest.fixture
def path(tmp_path: Path) -> Path:
    connect(tmp_path / "store.db", create=True).close()
    return tmp_path / "store.db"


def test_a_failed_block_writes_nothing(path: Path) -> None:
    conn = connect(path)

    def fail_midway() -> None:
        with transaction(conn):
            custody.append(conn, Event("x"), SystemClock().now())
            raise CameraGone("bay 3")

    with pytest.raises(CameraGone):
        fail_midway()

    assert custody.head(conn).seq == 0
    conn.close()


def test_two_processes_never_lose_an_update(path: Path) -> None:
    code = """
import sys
from pathlib import Path
from dock_agent.clock import SystemClock
from dock_agent.custody.chain import Event
from dock_agent.store import custody
from dock_agent.store.db import connect, transaction
conn = connect(Path(sys.argv[1]))
for _ in range(40):
    with transaction(conn):
        custody.append(conn, Event("x"), SystemClock().now())
"""
    command = [sys.executable, "-c", code, str(path)]
    writers = [subprocess.Popen(command) for _ in range(3)]

    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    conn = connect(path)
    assert custody.check(conn).seq == 120
    conn.close()


def test_a_lock_that_is_not_given_up_is_said_so(path: Path) -> None:
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    conn = connect(path)
    conn.execute("PRAGMA busy_timeout = 50")

    with pytest.raises(StoreLocked, match="in use"), transaction(conn):
        pytest.fail("the block must not run")

    holder.close()
    conn.close()


def test_a_file_that_is_no_database_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"x" * 4096)

    with pytest.raises(StoreDamaged):
        connect(tmp_path / "store.db", create=True)


def test_a_database_with_a_hole_is_said_so(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)

    def use() -> None:
        conn = connect(path)
        try:
            with transaction(conn):
                custody.append(conn, Event("x"), SystemClock().now())
        finally:
            conn.close()

    with pytest.raises(StoreDamaged):
        use()


def test_a_full_database_is_no_room(path: Path) -> None:
    conn = connect(path)
    pages = conn.execute("PRAGMA page_count").fetchone()[0]
    conn.execute(f"PRAGMA max_page_count = {pages}")

    def fill() -> None:
        with transaction(conn):
            for _ in range(1000):
                event = Event("x", facts={"filler": "y" * 500})
                custody.append(conn, event, SystemClock().now())

    with pytest.raises(StoreFull, match="no room to grow"):
        fill()

    assert custody.head(conn).seq == 0
    conn.close()


def test_a_database_that_is_not_there_is_not_made_by_a_reader(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no database"):
        connect_readonly(tmp_path / "store.db")
    with pytest.raises(StoreError, match="no database"):
        connect(tmp_path / "store.db")

    assert not (tmp_path / "store.db").exists()


def test_nothing_can_be_changed_through_a_reader(path: Path) -> None:
    conn = connect_readonly(path)

    with pytest.raises(sqlite3.OperationalError):
        conn.execute("DELETE FROM custody")
    conn.close()


@pytest.fixture
def at_rest() -> Iterator[Path]:
    """Give a database that was closed in order, where others may look and not write."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        with closing(connect(path, create=True)) as conn, transaction(conn):
            custody.append(conn, Event("x"), SystemClock().now())
        path.parent.chmod(0o755)
        path.chmod(0o644)
        yield path


def as_another_user(look: Callable[[], object]) -> str:
    """Return what `look` finds in a child that is nobody; skip if it cannot be."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    hears, says = os.pipe()
    child = os.fork()
    if child == 0:
        os.setgid(NOBODY)
        os.setuid(NOBODY)
        try:
            said = str(look())
        except StoreError as error:
            said = str(error)
        os.write(says, said.encode())
        os._exit(0)
    os.close(says)
    os.waitpid(child, 0)
    with open(hears, encoding="utf-8") as pipe:  # noqa: PTH123  a descriptor
        return pipe.read()


def lines(path: Path) -> int:
    with reading(path) as conn:
        return custody.head(conn).seq


def test_a_stopped_station_s_database_can_be_read_by_who_may_not_write_beside_it(
    at_rest: Path,
) -> None:
    assert not at_rest.with_name("store.db-wal").exists()

    assert as_another_user(lambda: lines(at_rest)) == "1"
    assert [each.name for each in at_rest.parent.iterdir()] == ["store.db"]


def test_a_working_station_s_database_is_read_with_what_was_written_last(
    at_rest: Path,
) -> None:
    with closing(connect(at_rest)) as conn:
        with transaction(conn):
            custody.append(conn, Event("y"), SystemClock().now())
        for file in at_rest.parent.iterdir():
            file.chmod(0o644)

        assert as_another_user(lambda: lines(at_rest)) == "2"


def test_what_was_written_last_is_never_passed_over(at_rest: Path) -> None:
    with closing(connect(at_rest)) as conn:
        with transaction(conn):
            custody.append(conn, Event("y"), SystemClock().now())
        at_rest.with_name("store.db-wal").chmod(0)
        at_rest.with_name("store.db-shm").chmod(0o644)

        assert "cannot be opened" in as_another_user(lambda: lines(at_rest))


def test_a_database_with_a_hole_is_found_damaged_before_it_is_believed(
    path: Path,
) -> None:
    with closing(connect(path)) as conn:
        for _ in range(50):
            with transaction(conn):
                custody.append(conn, Event("x"), SystemClock().now())
    with closing(connect_readonly(path)) as conn:
        require_whole(conn)
        pages = conn.execute("PRAGMA page_count").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((pages - 1) * 4096 + 500)
        file.write(bytes(2000))

    with reading(path) as conn, pytest.raises(StoreDamaged, match="is damaged: "):
        require_whole(conn)


def test_a_newer_database_of_the_same_version_is_opened_twice(path: Path) -> None:
    first, second = connect(path, create=True), connect(path, create=True)

    assert first.execute("SELECT count(*) FROM station").fetchone()[0] == 0
    first.close()
    second.close()


@pytest.mark.parametrize("change", ["DELETE FROM custody", "UPDATE custody SET seq=9"])
def test_the_custody_log_cannot_be_changed_by_any_writer(
    path: Path, change: str
) -> None:
    conn = connect(path)
    with transaction(conn):
        custody.append(conn, Event("x"), SystemClock().now())

    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        conn.execute(change)
    conn.close()


def test_a_custody_event_outside_a_transaction_is_refused(path: Path) -> None:
    conn = connect(path)

    with pytest.raises(CustodyError, match="transaction"):
        custody.append(conn, Event("x"), SystemClock().now())
    conn.close()


def test_a_log_changed_behind_our_back_is_noticed(path: Path) -> None:
    conn = connect(path)
    with transaction(conn):
        for _ in range(3):
            custody.append(conn, Event("x"), SystemClock().now())
    conn.execute("DROP TRIGGER custody_stands")
    conn.execute(
        "UPDATE custody SET line = replace(line, '\"x\"', '\"y\"') WHERE seq=2"
    )

    with pytest.raises(CustodyError, match="line 2"):
        custody.check(conn)
    conn.close()


def test_every_statement_of_a_step_is_found() -> None:
    script = "CREATE TABLE a (n);\nCREATE TRIGGER t AFTER INSERT ON a\nBEGIN\n"
    script += "  SELECT 1;\nEND;\nCREATE TABLE b (n);\n"

    assert [s.split()[1] for s in db.statements(script)] == [
        "TABLE",
        "TRIGGER",
        "TABLE",
    ]


def test_a_thread_has_its_own_connection(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    raised: list[type[BaseException]] = []

    def borrow() -> None:
        try:
            bench.conn.execute("SELECT 1")
        except sqlite3.ProgrammingError as error:
            raised.append(type(error))

    thread = threading.Thread(target=borrow)
    thread.start()
    thread.join()
    assert raised == [sqlite3.ProgrammingError]
    bench.close()
