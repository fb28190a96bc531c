"""What an event of the custody log costs, and a proof from a long log.

    python benchmarks/custody.py [LINES …]

For each size, in microseconds of CPU: for an event, among 64 in one transaction, and
for one in a transaction of its own, without the flush to the disk; for the head, for a
proof that a line is in the log, and for one that the log goes on from an older one, at
places all over it. And how many bytes of the database the tree takes for a line.
"""

import argparse
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from dock_agent.clock import Instant
from dock_agent.custody.chain import Event
from dock_agent.recording import DockingId
from dock_agent.store import checkpoints, custody, tree
from dock_agent.store.db import connect, transaction

SIZES = (10_000, 1_000_000)
NOW = Instant(datetime(2026, 3, 5, 8, tzinfo=UTC), 1, "benchmark", trusted=True)
DOCKING = DockingId("01JQ0000000000000000000000")
TOGETHER, ALONE, ROUNDS = 64, 5_000, 200


def main() -> None:
    """Measure each size and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lines", type=int, nargs="*", default=SIZES)
    print(
        "lines | of 64 us | alone us | head us | proof us | extension us | tree B/line"
    )
    for size in parser.parse_args().lines:
        with tempfile.TemporaryDirectory() as folder:
            print(f"{size:,} | {measured(Path(folder) / 'store.db', size)}", flush=True)


def measured(path: Path, size: int) -> str:
    """Return the figures of a log of `size` lines, as a row."""
    chance = random.Random(size)
    with closing(connect(path, create=True)) as conn:
        conn.execute("PRAGMA synchronous = OFF")
        begin = time.process_time()
        for first in range(0, size, TOGETHER):
            with transaction(conn):
                custody.append_all(conn, events(first), NOW)
        event = (time.process_time() - begin) / (first + TOGETHER) * 1e6
        alone = each(lambda: append_one(conn, events(chance.randrange(size))[0]), ALONE)
        (kept,) = conn.execute("SELECT count(*) FROM custody_tree").fetchone()
        head = each(lambda: tree.root(conn, size))
        proof = each(lambda: checkpoints.proof_of(conn, chance.randint(1, size), size))
        extension = each(
            lambda: checkpoints.extension(conn, chance.randint(1, size), size)
        )
    bytes_each = kept * 40 / size
    figures = f"{event:.1f} | {alone:.1f} | {head:.0f} | {proof:.0f} | {extension:.0f}"
    return f"{figures} | {bytes_each:.1f}"


def events(first: int) -> list[Event]:
    """Return events as an offload has them."""
    return [
        Event("verified", DOCKING, {"file": f"VIDEO/{n:07d}.MP4", "sha256": "0" * 64})
        for n in range(first, first + TOGETHER)
    ]


def append_one(conn: sqlite3.Connection, event: Event) -> None:
    """Append an event in a transaction of its own."""
    with transaction(conn):
        custody.append(conn, event, NOW)


def each(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Return how many microseconds a piece of work takes."""
    begin = time.process_time()
    for _ in range(rounds):
        work()
    return (time.process_time() - begin) / rounds * 1e6


if __name__ == "__main__":
    main()
