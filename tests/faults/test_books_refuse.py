"""The database is full, held or damaged in the midst of a docking: copying stops.

No file gets its name without its row, and the bay is told which it was.
"""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dock_agent.bays.machine import Advanced, Event, Failed
from dock_agent.config import Config, load
from dock_agent.errors import (
    CameraError,
    CameraGone,
    DockError,
    FixityError,
    NoRoom,
    StoreDamaged,
    StoreError,
    VaultUnusable,
    every_error,
)
from dock_agent.importing import Imported, Wish, import_tree
from dock_agent.offload.clerk import Job, Terms
from dock_agent.offload.ending import ending
from dock_agent.offload.messages import ended
from dock_agent.offload.parent import Limits, ProcessOffloader
from dock_agent.offload.recover import recover
from dock_agent.recording import DockingState, FileState
from dock_agent.store import dockings
from dock_agent.store.db import connect
from dock_agent.vault.verify import verify_bag
from support.bench import KEY, Bench
from support.cards import card, digests
from support.disks import MAY_MOUNT
from support.process import Ending, wait_until
from support.programs import site

FILES = {f"PHOTO/{n:04d}.JPG": 1000 for n in range(300)}  # three batches
PATIENCE = 0.1  # seconds for another writer


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return card(tmp_path / "card", FILES)


@dataclass
class Books:
    """The database as one docking has it, and what befalls it midway."""

    path: Path
    befall: Callable[[sqlite3.Connection], None]
    ending: Ending = field(default_factory=Ending)
    mine: list[sqlite3.Connection] = field(default_factory=list)

    def connect(self) -> sqlite3.Connection:
        conn = connect(self.path, patience=PATIENCE)
        conn.execute("PRAGMA cache_size = 0")  # what is on the disk counts
        self.mine.append(conn)
        return conn

    def __call__(self, event: Event) -> None:
        """Hear the docking, in its own thread; let it happen once it has begun."""
        first = isinstance(event, Advanced) and event.files > 0
        if first and len(self.mine) == 1:
            self.befall(self.mine[0])
            self.mine.append(self.mine[0])
        self.ending(event)


def dock(bench: Bench, source: Path, books: Books) -> tuple[Job, Event]:
    offloader = ProcessOffloader(books.connect, bench.sealer, Limits(30, Terms(0)))
    job = bench.job(source)
    offloader.start(job, books)
    event = books.ending.wait()
    offloader.close()
    return job, event


def named(bench: Bench, job: Job) -> set[str]:
    """Return what has its name in the bag of a docking."""
    there = digests(bench.vault / job.bag / "data")
    return {name.decode() for name in there if b".part-" not in name}


def check_no_name_without_a_row(bench: Bench, job: Job) -> None:
    docking = bench.docking(job.docking)
    kept = {FileState.PROVEN, FileState.VERIFIED}
    rows = {n for n, file in bench.files(docking).items() if file.state in kept}
    assert named(bench, job) <= rows
    assert len(rows) < len(FILES)


def check_whole_again(bench: Bench, source: Path) -> None:
    recover(bench.conn, bench.sealer)
    again = bench.dock(source)
    assert again.complete
    assert dockings.unfinished(bench.conn) == []
    for docking in dockings.sealed(bench.conn):
        bag = bench.bag(docking)
        assert verify_bag(bench.disk, bag, docking.id, KEY.public).failed == []


def fill(conn: sqlite3.Connection) -> None:
    pages = conn.execute("PRAGMA page_count").fetchone()[0]
    conn.execute(f"PRAGMA max_page_count = {pages}")


def test_a_database_that_fills_up_midway_stops_the_copying(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    books = Books(tmp_path / "store.db", fill)

    job, event = dock(bench, source, books)

    assert isinstance(event, Failed)
    assert (event.code, "has no room to grow" in event.reason) == ("D-31", True)
    check_no_name_without_a_row(bench, job)
    check_whole_again(bench, source)


def test_a_database_without_room_for_an_inventory_gets_no_byte_into_the_vault(
    bench: Bench, source: Path
) -> None:
    def full() -> sqlite3.Connection:
        conn = bench.connect()
        fill(conn)
        return conn

    offloader = ProcessOffloader(full, bench.sealer, Limits(30, Terms(0)))
    job, told = bench.job(source), Ending()
    offloader.start(job, told)
    event = told.wait()
    offloader.close()

    assert isinstance(event, Failed)
    assert event.code == "D-31"
    assert digests(bench.vault / "dockings") == {}
    assert bench.dock(source).complete


def test_a_database_that_another_program_holds_stops_the_copying(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    path = tmp_path / "store.db"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def hold(conn: sqlite3.Connection) -> None:
        del conn
        other.execute("BEGIN IMMEDIATE")

    books = Books(path, hold)
    offloader = ProcessOffloader(books.connect, bench.sealer, Limits(30, Terms(0)))
    job = bench.job(source)
    offloader.start(job, books)
    event = books.ending.wait()
    other.execute("ROLLBACK")
    wait_until(lambda: bench.docking(job.docking).state is DockingState.FAULT)
    offloader.close()
    other.close()

    assert isinstance(event, Failed)
    assert event.code == "D-31"
    assert "is in use by another program" in event.reason
    check_no_name_without_a_row(bench, job)
    check_whole_again(bench, source)


def test_a_database_that_is_damaged_midway_stops_the_copying_and_no_seal_is_made(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    path = tmp_path / "store.db"

    def damage(conn: sqlite3.Connection) -> None:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * (size - 4096))

    job, event = dock(bench, source, Books(path, damage))

    assert isinstance(event, Failed)
    assert event.code == "D-31"
    assert "is damaged" in event.reason
    kept = named(bench, job)
    assert 0 < len(kept) < len(FILES)
    assert not (bench.vault / job.bag / "tagmanifest-sha256.txt.sig").exists()
    with pytest.raises(StoreDamaged):
        recover(connect(path), bench.sealer)
    assert named(bench, job) == kept


@pytest.mark.skipif(not MAY_MOUNT, reason="mounting needs root")
@pytest.mark.parametrize("when", ["at the first file", "at the last file"])
def test_an_import_whose_database_fills_up_ends_with_31_and_not_with_the_cameras_code(
    tmp_path: Path, source: Path, when: str
) -> None:
    with small_books(tmp_path) as (config, fill_up):

        def show(done: int, total: int) -> None:
            if done == total or (done and when == "at the first file"):
                fill_up()

        wish = Wish(source, "KT-Z1:42", "import")
        code = ends_with(lambda: import_tree(config, wish, show))

        (tmp_path / "books/rest").unlink()
        again = import_tree(config, wish, lambda *_: None)
    assert code == StoreError.exit_code
    assert again.summary.complete


@contextmanager
def small_books(root: Path) -> Iterator[tuple[Config, Callable[[], None]]]:
    """Make a station whose database has a small disk of its own, which can be full."""
    here, books = site(root), root / "books"
    books.mkdir()
    options = ["-t", "tmpfs", "-o", "size=4m"]
    subprocess.run(["mount", *options, "none", books], check=True)
    text = (here.root / "dock.toml").read_text("utf-8")
    text = text.replace("store.db", "books/store.db")
    (here.root / "dock.toml").write_text(text, "utf-8")

    def fill_up() -> None:
        rest = os.open(books / "rest", os.O_WRONLY | os.O_CREAT)
        with suppress(OSError):
            while True:
                os.write(rest, bytes(4096))
        os.close(rest)

    try:
        yield load(here.root / "dock.toml"), fill_up
    finally:
        subprocess.run(["umount", "-l", books], check=True)


def ends_with(command: Callable[[], Imported]) -> int:
    """Return the exit code that a command would end with."""
    try:
        error = command().error
    except DockError as raised:
        error = raised
    return 0 if error is None else error.exit_code


CODES: dict[type[DockError], str] = {
    CameraError: "D-10",
    FixityError: "D-20",
    StoreError: "D-31",
    VaultUnusable: "D-32",
}


@pytest.mark.parametrize("root", CODES)
def test_every_kind_of_error_has_the_code_of_its_family(root: type[DockError]) -> None:
    kinds = {kind for kind in every_error(root) if not issubclass(kind, CameraGone)}

    events = {kind: ending(ended(kind("why")), 0).event for kind in kinds}

    codes = {k: e.code if isinstance(e, Failed) else None for k, e in events.items()}
    assert codes == dict.fromkeys(kinds, CODES[root])
    assert not any(issubclass(kind, NoRoom) for kind in kinds)
