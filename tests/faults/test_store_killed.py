"""Kill the station at every statement: no change lasts without its event."""

import json
import signal
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

from dock_agent.store import custody
from dock_agent.store.db import connect
from support import bookkeeper

MOST = 400  # statements


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


def test_a_kill_never_parts_a_change_from_its_event(tmp_path: Path) -> None:
    context = get_context("forkserver")
    context.set_forkserver_preload([bookkeeper.__name__])
    ended, seen = None, set[int]()

    for statement in range(MOST):
        root = tmp_path / str(statement)
        root.mkdir()
        station = context.Process(target=bookkeeper.main, args=(root, statement))
        station.start()
        station.join()
        ended = station.exitcode
        rows, told = kept(root)
        seen.add(len(told))
        assert rows - told == set()
        assert told - rows <= {("copying", "01JQ0000000000000000000001")}
        if ended == 0:
            break
        assert ended == -signal.SIGKILL

    assert ended == 0
    assert len(seen) > 6
