"""How fast the queue is, empty or full, and while everything in it is postponed.

    python benchmarks/backlog.py [ROWS …]

For each size: objects claimed, confirmed (with the custody event) and added in
a second, each in a transaction of its own and flushed to the disk as at a
station; the same without the flush, which is the work of the queue itself; and
milliseconds to sum the queue up, as the status page does. Nearly all rows are
of the first priority and postponed: a claim has to find the few that are not.
"""

import argparse
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from dock_agent.clock import Instant, stamp
from dock_agent.recording import (
    BayName,
    CameraId,
    DestinationName,
    Digest,
    DockingId,
    Priority,
    Proof,
)
from dock_agent.store import (
    backlog,
    confirmations,
    destinations,
    dockings,
    transfers,
)
from dock_agent.store.confirmations import Confirmed
from dock_agent.store.db import connect, transaction
from dock_agent.store.dockings import Docking
from dock_agent.store.transfers import Claim, NewTransfer, Transfer

SIZES = (10_000, 100_000, 1_000_000)
NOW = Instant(datetime(2026, 3, 5, 8, tzinfo=UTC), 1, "benchmark", trusted=True)
LATER = stamp(NOW.utc + timedelta(hours=1))
LEASE = timedelta(minutes=5)
MAIN, DOCKING = DestinationName("main"), DockingId("01JQ0000000000000000000000")
CAMERA = CameraId("KT-Z3:1")
DIGEST = Digest("0" * 64)
ROUNDS = 300


@dataclass(frozen=True, slots=True)
class Figures:
    """Operations a second, and milliseconds for a sum."""

    add: float
    claim: float
    confirm: float
    sum_ms: float


def fill(conn: sqlite3.Connection, rows: int) -> None:
    """Queue `rows` objects of the first priority, all of them postponed."""
    with transaction(conn):
        destinations.ensure(conn, MAIN, "s3")
        bag = PurePosixPath("dockings/x")
        dockings.open_docking(conn, Docking(DOCKING, CAMERA, BayName("1"), bag), NOW)
        conn.executemany(
            "INSERT INTO transfer (destination, docking, path, key, size, sha256,"
            " state, priority, created_at, due)"
            " VALUES (?, ?, ?1 || ?3, ?3, 5000, ?4, 'queued', 1, ?5, ?6)",
            (
                (MAIN, DOCKING, f"postponed/{n}", DIGEST, stamp(NOW.utc), LATER)
                for n in range(rows)
            ),
        )


def new(number: int) -> NewTransfer:
    """Return an object that is due at once, behind all the others."""
    key = f"due/{number}"
    return NewTransfer(DOCKING, key, key, 5000, DIGEST, priority=Priority.NORMAL)


def measure(conn: sqlite3.Connection) -> Figures:
    """Add, claim and confirm a few objects among all the others."""
    claimed: list[Transfer] = []

    def add(number: int) -> None:
        with transaction(conn):
            transfers.add(conn, new(number), [MAIN], NOW)

    def claim(number: int) -> None:
        del number
        with transaction(conn):
            wish = Claim(MAIN, "benchmark", NOW.utc, LEASE)
            found = transfers.claim(conn, wish)
        if found is None:
            raise SystemExit("the queue lost an object")
        claimed.append(found)

    def confirm(number: int) -> None:
        with transaction(conn):
            proof = Confirmed(Proof.READ_BACK, DIGEST)
            confirmations.confirm(conn, claimed[number], proof, NOW)

    def look(number: int) -> None:
        del number
        backlog.waiting(conn)
        backlog.queue(conn, NOW.utc)

    base = backlog.confirmed(conn)
    added = rate(lambda n: add(base + n))
    return Figures(added, rate(claim), rate(confirm), 1000 / rate(look))


def rate(work: Callable[[int], object]) -> float:
    """Return how often a second `work` can be done."""
    begin = time.perf_counter()
    for number in range(ROUNDS):
        work(number)
    return ROUNDS / (time.perf_counter() - begin)


def row(name: str, found: Figures) -> str:
    """Return a line of the table."""
    speeds = f"{found.add:>9,.0f} {found.claim:>9,.0f} {found.confirm:>9,.0f}"
    return f"{name:<22} {speeds} {found.sum_ms:>9.3f}"


def main() -> None:
    """Print one line for each size, flushed and not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rows", nargs="*", type=int, default=SIZES)
    parser.add_argument("--in", dest="where", type=Path, default=None)
    arguments = parser.parse_args()
    print(f"{'':<22} {'add/s':>9} {'claim/s':>9} {'confirm/s':>9} {'sum ms':>9}")
    for rows in arguments.rows:
        with tempfile.TemporaryDirectory(dir=arguments.where) as folder:
            path = Path(folder, "store.db")
            with closing(connect(path, create=True)) as conn:
                fill(conn, rows)
                conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                print(row(f"{rows:>9,} rows, flushed", measure(conn)), flush=True)
                conn.execute("PRAGMA synchronous = OFF")
                print(row(f"{rows:>9,} rows, not", measure(conn)), flush=True)


if __name__ == "__main__":
    main()
