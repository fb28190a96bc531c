"""Kill the sending process wherever it is; nothing is lost, doubled or made up.

KILLS=200 pytest tests/faults/test_sync_kill.py takes longer over it.
"""

import os
import random
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from dock_agent.clock import SystemClock
from dock_agent.recording import PART_SIZE, TransferState
from dock_agent.store import custody
from dock_agent.store.db import connect
from dock_agent.sync.policy import LEASE
from support import sender
from support.queues import Queue, states
from support.seaweed import BUCKET, Seaweed, seaweed
from support.sending import sha256

KILLS = int(os.environ.get("KILLS", "5"))
ROOT = Path(__file__).parents[2]
LONGEST = 0.5  # seconds from the first call to the kill
LARGE = 2 * PART_SIZE + 5
PREFIX = "station-1/"


def test_a_worker_that_is_killed_anywhere_sends_everything_once_in_the_end(
    tmp_path: Path,
) -> None:
    chance = random.Random(f"{KILLS} kills")
    vault = tmp_path / "vault"
    with (
        seaweed(tmp_path) as store,
        closing(connect(tmp_path / "store.db", create=True)) as conn,
    ):
        queue = Queue(conn, vault, SystemClock())
        ends = []
        for run in range(KILLS):
            queue.docking(run, [LARGE, 0, 1000, PART_SIZE, 1000, LARGE])
            ends.append(killed(tmp_path, store, run, chance.uniform(0, LONGEST)))
            believed(conn, store, queue)
        last = start(tmp_path, store, KILLS)
        last.communicate()

        assert last.returncode == 0
        assert -9 in ends  # some were killed, and did not just end
        assert set(states(conn).values()) == {TransferState.CONFIRMED}
        assert arrived(store) == queue.sent
        custody.check(conn)
        assert confirmations(conn) == sorted(queue.sent)


def start(folder: Path, store: Seaweed, run: int) -> subprocess.Popen[str]:
    """Start a worker whose clock is past every lease of the runs before it."""
    return subprocess.Popen(
        [
            sys.executable,
            sender.__file__,
            str(folder),
            store.endpoint,
            PREFIX,
            str(run * (LEASE // timedelta(minutes=1))),
        ],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        stdout=subprocess.PIPE,
        text=True,
    )


def killed(folder: Path, store: Seaweed, run: int, seconds: float) -> int:
    """Start a worker, kill it so many seconds after it began; return its end."""
    with start(folder, store, run) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "sending\n"
        threading.Event().wait(seconds)
        child.kill()
    return child.returncode


def believed(conn: sqlite3.Connection, store: Seaweed, queue: Queue) -> None:
    """Hold every row that is called confirmed against what is really there."""
    there = arrived(store)
    for key, state in states(conn).items():
        if state is TransferState.CONFIRMED:
            assert there[key] == queue.sent[key]


def arrived(store: Seaweed) -> dict[str, str]:
    """Return the digest of each object that boto3 fetches."""
    listed = store.judge.list_objects_v2(Bucket=BUCKET, Prefix=PREFIX + "dockings/")
    assert not listed["IsTruncated"]
    return {
        each["Key"].removeprefix(PREFIX): sha256(
            store.judge.get_object(Bucket=BUCKET, Key=each["Key"])["Body"].read()
        )
        for each in listed.get("Contents", [])
    }


def confirmations(conn: sqlite3.Connection) -> list[str]:
    """Return the key of each confirmation that the custody chain tells of."""
    rows = conn.execute(
        "SELECT json_extract(line, '$.facts.key') AS key FROM custody"
        " WHERE json_extract(line, '$.kind') = 'confirmed'"
    )
    return sorted(row["key"] for row in rows)
