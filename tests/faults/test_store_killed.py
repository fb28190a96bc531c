"""Kill the station at every statement: no change lasts without its event."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dock_agent.store import custody
from dock_agent.store.db import connect
from support.books import ident
from support.disks import SHARED_MEMORY

BOOKKEEPER = Path(__file__).parent.parent / "support" / "bookkeeper.py"


def kept(root: Path) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Return what the rows say happened, and what the custody log says."""
    with closing(connect(root / "store.db")) as conn:
        custody.check(conn)
        rows = {("docked", row["id"]) for row in conn.execute("SELECT id FROM docking")}
        for row in conn.execute(
            "SELECT id, state FROM docking WHERE state <> 'opened'"
        ):
            rows.add((row["state"], row["id"]))
        for row in conn.execute(
            "SELECT state, stored FROM file WHERE state NOT IN ('listed', 'proven')"
        ):
            rows.add((row["state"], row["stored"]))
        for row in conn.execute("SELECT key FROM transfer WHERE state = 'confirmed'"):
            rows.add(("confirmed", row["key"]))
        if conn.execute("SELECT count(*) FROM file").fetchone()[0]:
            rows.add(("listed", ""))
        told = set()
        for line in custody.log(conn).splitlines():
            event = json.loads(line)
            facts, kind = event["facts"], event["kind"]
            about = facts.get("file") or facts.get("key") or event["docking"]
            told.add((kind, "" if kind == "listed" else about))
        return rows, told


@pytest.fixture
def memory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        yield Path(folder)


def test_a_kill_never_parts_a_change_from_its_event(memory: Path) -> None:
    paths = os.pathsep.join((str(BOOKKEEPER.parent.parent), *sys.path))
    done = subprocess.run(
        [sys.executable, str(BOOKKEEPER), str(memory)],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        check=True,
    )

    ended = [int(line) for line in done.stdout.split()]
    seen = set[int]()
    for statement in range(len(ended)):
        rows, told = kept(memory / str(statement))
        assert rows - told == set()
        assert told - rows <= {("copying", ident(1))}
        seen.add(len(told))

    assert ended == [-signal.SIGKILL] * (len(ended) - 1) + [0]
    assert len(ended) > 50
    assert seen == set(range(max(seen) + 1))
