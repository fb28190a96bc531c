"""A database that is made anew knows what expired, the categories and the terms."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from dock_agent.clock import SystemClock
from dock_agent.config import load
from dock_agent.importing import Wish, import_tree
from dock_agent.opened import opened
from dock_agent.rebuilding import rebuild
from dock_agent.recording import FileId, RecordingId
from dock_agent.store import approvals, categories, expiries
from dock_agent.store.db import connect, transaction
from dock_agent.verifying import verify
from support.cards import card
from support.programs import site

TERMS = {"expire": True, "erase": "never", "days": {"traffic": 30}}
KEPT = (
    "SELECT file.stored, file.state, expiry.state, category.name, category.set_by,"
    " category.set_at FROM file LEFT JOIN expiry ON expiry.file = file.id"
    " LEFT JOIN category ON category.recording = file.recording ORDER BY stored"
)


def heard(done: int, total: int) -> None:
    del done, total


def rows(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as conn:
        return list(conn.execute(KEPT))


def test_expired_copies_categories_and_terms_come_back_as_they_were(
    tmp_path: Path,
) -> None:
    here = site(tmp_path)
    config = load(here.root / "dock.toml")
    source = card(here.root / "aside", {"VIDEO/1.MP4": 5000, "VIDEO/2.MP4": 70})
    told = import_tree(config, Wish(source, "KT-Z3:1", "1"), heard)
    clock = SystemClock()
    with closing(connect(config.store_path)) as conn, transaction(conn):
        for row in conn.execute("SELECT id FROM recording").fetchall():
            ident = RecordingId(row["id"])
            categories.put(conn, ident, "traffic", "A. Clerk", clock.now())
        first, second = [
            FileId(row["id"])
            for row in conn.execute("SELECT id FROM file ORDER BY stored")
        ]
        approvals.enforce(conn, TERMS, clock.now())
        expiries.intend(conn, first, {"proofs": {}}, clock.now())
        expiries.gone(conn, first, clock.now())
        expiries.intend(conn, second, {"proofs": {}}, clock.now())
        expiries.kept(conn, second, "the run before did not end", clock.now())
    (bag,) = config.vault_path.glob(f"dockings/*/*/*/*/{told.summary.docking}")
    (bag / "data/VIDEO/1.MP4").unlink()
    with opened(config, clock):
        pass  # the vault is told of the log
    before = rows(config.store_path)
    config.store_path.unlink()

    made = rebuild(config, (), heard)

    assert made.failed == ()
    assert rows(config.store_path) == before
    assert [row[1] for row in before] == ["expired", "verified"]
    with closing(connect(config.store_path)) as conn:
        assert approvals.in_force(conn) == TERMS
    checked = verify(config, [], heard)
    assert (checked.checked, checked.ok, checked.failed) == (1, 1, ())
