"""A camera with very many files: what they cost grows as they do, and no faster.

`FILES` says how many; the work is counted, not timed.
"""

import os
import re
import sqlite3
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dock_agent.bays.machine import Copied, Event, Failed, Listed, Sealed
from dock_agent.clock import Instant, SystemClock
from dock_agent.offload.clerk import Clerk, Terms
from dock_agent.offload.messages import Found, Inventory, Matched, Plan, Said
from dock_agent.offload.parent import Limits, ProcessOffloader
from dock_agent.offload.plan import BATCH_FILES
from dock_agent.offload.scan import MOST
from dock_agent.recording import DockingState
from dock_agent.store.db import transaction
from support.bench import Bench
from support.disks import SHARED_MEMORY
from support.holding import holders
from support.process import Ending

FILES = int(os.environ.get("FILES", "1000"))
ENTRIES = FILES * 19 // 2  # 190 000 with FILES=20000
MORE = 4096  # bytes of the child's memory for each further file
WHOLE = 192 << 20  # bytes of it in all
FEW = 20  # statements that do not depend on how many files there are


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def camera(root: Path, count: int) -> Path:
    """Make a camera with so many small files."""
    root.mkdir()
    for number in range(count):
        (root / f"{number:06d}.JPG").write_bytes(b"%d" % number)
    return root


def entries(count: int) -> tuple[Found, ...]:
    """Return the listing of a camera with so many files, no two in one recording."""
    names = (f"{n // 10_000}/{n:06d}.JPG".encode() for n in range(count))
    return tuple(Found(name, 0, 1, 1, 0) for name in names)


class Statements(Counter[str]):
    """How often each kind of statement was run on a connection."""

    def __call__(self, statement: str) -> None:
        self[statement.split(maxsplit=1)[0]] += 1


# ---- the inventory ------------------------------------------------------------------


@dataclass
class WatchedClock(SystemClock):
    """Counts how often it is read while other bays wait for the database."""

    conn: sqlite3.Connection | None = None
    readings: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def now(self) -> Instant:
        self.readings += self.conn is not None and self.conn.in_transaction
        return super().now()


def test_others_wait_for_an_inventory_only_while_its_rows_are_written(
    bench: Bench, tmp_path: Path
) -> None:
    clock, inside = WatchedClock(bench.conn), Statements()
    bench.clock = clock
    clerk = Clerk(bench.conn, bench.sealer, bench.job(tmp_path), bench.events.append)
    clerk.open(Terms(0))
    clock.readings = 0

    def note(statement: str) -> None:
        if bench.conn.in_transaction:
            inside(statement)

    bench.conn.set_trace_callback(note)
    answer = clerk.answer(Inventory(entries(FILES), "vfat", 1))

    assert isinstance(answer, Plan)
    assert len(answer.files) == FILES
    assert inside["INSERT"] <= 2 * FILES + FEW  # a recording and a file each
    assert inside.total() - inside["INSERT"] <= FEW
    assert clock.readings <= FEW  # identifiers were made before


def test_another_bay_can_write_while_a_full_camera_is_listed(
    bench: Bench, tmp_path: Path
) -> None:
    clerk = Clerk(bench.conn, bench.sealer, bench.job(tmp_path), bench.events.append)
    clerk.open(Terms(0))
    listing = threading.Event()

    def note(statement: str) -> None:
        if statement.startswith("INSERT"):
            listing.set()

    def write() -> bool:
        listing.wait(60)
        with closing(bench.connect()) as conn, transaction(conn):
            return True

    bench.conn.set_trace_callback(note)
    with ThreadPoolExecutor(1) as other:
        written = other.submit(write)
        answer = clerk.answer(Inventory(entries(ENTRIES), "vfat", 1))

        assert written.result()
    assert isinstance(answer, Plan)
    assert bench.events == [Listed(ENTRIES, 0)]


@pytest.fixture
def full() -> Iterator[Path]:
    """A camera with one file more than any camera has."""
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as root:
        folder = os.open(root, os.O_RDONLY)
        for number in range(MOST + 1):
            os.mknod(f"{number:06d}", dir_fd=folder)
        os.close(folder)
        yield Path(root)


def test_a_camera_with_more_files_than_any_camera_is_refused_with_a_sentence(
    bench: Bench, full: Path
) -> None:
    docking = bench.dock(full)

    assert docking.state is DockingState.FAULT
    assert bench.files(docking) == {}
    assert bench.events == [Failed("D-10", f"more than {MOST} files on one camera")]


# ---- a docking in its child -----------------------------------------------------


@dataclass
class Cost:
    """What one docking took: of the child's memory, and of the database."""

    memory: int = 0  # bytes
    statements: Statements = field(default_factory=Statements)
    events: list[Event] = field(default_factory=list)


def cost(root: Path, count: int) -> Cost:
    """Dock a camera with so many small files."""
    root.mkdir()
    bench, found = Bench(root), Cost()
    job, ending = bench.job(camera(root / "card", count)), Ending()

    def connect() -> sqlite3.Connection:
        conn = bench.connect()
        conn.set_trace_callback(found.statements)
        return conn

    def hear(event: Event) -> None:
        if isinstance(event, Copied):  # its child still lives, and holds the bag
            (child,) = holders(bench.vault / job.bag)
            status = Path(f"/proc/{child}/status").read_text("ascii")
            peak = re.search(r"VmHWM:\s+(\d+) kB", status)
            assert peak is not None
            found.memory = int(peak[1]) << 10
        ending(event)

    offloader = ProcessOffloader(connect, bench.sealer, Limits(60, Terms(0)))
    offloader.start(job, hear)
    assert ending.wait() == Sealed(count)
    found.events = ending.events
    offloader.close()
    bench.close()
    return found


def test_four_times_the_files_cost_four_times_the_work_and_little_memory(
    tmp_path: Path,
) -> None:
    few, many = FILES // 4, FILES

    less, more = cost(tmp_path / "few", few), cost(tmp_path / "many", many)

    each = (less.statements.total() - FEW) / few
    assert more.statements.total() <= each * many + FEW * 10
    for found, count in ((less, few), (more, many)):
        batches = count / BATCH_FILES + 1
        assert found.statements["COMMIT"] <= 3 * batches + FEW
        assert len(found.events) <= 3 * batches + FEW
    assert 0 < more.memory < WHOLE
    assert more.memory - less.memory < (many - few) * MORE


# ---- what is held ---------------------------------------------------------------


def test_files_that_are_held_are_matched_many_at_a_time(
    bench: Bench, tmp_path: Path
) -> None:
    source = camera(tmp_path / "card", FILES)
    bench.dock(source)
    said, statements = list[Said](), Statements()

    bench.conn.set_trace_callback(statements)
    job = bench.job(source)
    bench.offload(job, said.append)
    bench.conn.set_trace_callback(None)

    assert bench.docking(job.docking).complete
    matched = [told for told in said if isinstance(told, Matched)]
    assert sum(len(told.files) for told in matched) == FILES
    assert len(matched) <= FILES / BATCH_FILES + 1
    assert statements["COMMIT"] <= len(matched) + FEW
