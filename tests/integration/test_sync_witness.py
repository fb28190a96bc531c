"""The destination keeps every checkpoint of the custody log, and tells what differs."""

import json
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from dock_agent.clock import SystemClock
from dock_agent.config import Config, load
from dock_agent.importing import Wish, import_tree
from dock_agent.opened import opened
from dock_agent.rebuilding import rebuild
from dock_agent.store import alarms as standing
from dock_agent.store import checkpoints, custody
from dock_agent.store.db import connect
from dock_agent.sync.open import worker
from dock_agent.sync.worker import Summary
from support.cards import card
from support.programs import Site, site


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return site(tmp_path)


@pytest.fixture
def config(here: Site) -> Config:
    return load(here.root / "dock.toml")


def dock(here: Site, config: Config, name: str) -> None:
    source = card(here.root / "aside" / name, {f"VIDEO/{name}.MP4": 5000})
    wish = Wish(source, "KT-Z3:KTZ3A00017", "1")
    import_tree(config, wish, lambda _done, _total: None)


def send(config: Config) -> Summary:
    with closing(connect(config.store_path)) as conn:
        made = worker(config, SystemClock(), conn, threading.Event())
        return made.run_once(conn)


def there(here: Site) -> dict[str, bytes]:
    found = (here.root / "nas/checkpoints/harbour-1").glob("*")
    return {path.name: path.read_bytes() for path in found if path.name[0] != "."}


def notes(config: Config) -> dict[str, bytes]:
    with closing(connect(config.store_path)) as conn:
        return {
            f"{kept.number:08d}": kept.note.encode()
            for kept in checkpoints.newest(conn)
        }


def alarms(config: Config) -> list[str]:
    with closing(connect(config.store_path)) as conn:
        return [str(one) for one in standing.every(conn)]


def kinds(config: Config) -> list[str]:
    with closing(connect(config.store_path)) as conn:
        return [json.loads(line)["kind"] for line in custody.every(conn)]


def copy(config: Config, to: Path) -> None:
    source, target = sqlite3.connect(config.store_path), sqlite3.connect(to)
    with closing(source), closing(target):
        source.backup(target)


def put_back(config: Config, old: Path) -> None:
    """Restore an old copy of the database, and of the log in the vault."""
    for ending in ("", "-wal", "-shm"):
        path = config.store_path.with_name(config.store_path.name + ending)
        path.unlink(missing_ok=True)
    shutil.copy(old, config.store_path)


def test_the_destination_has_every_checkpoint_as_it_was_signed(
    here: Site, config: Config
) -> None:
    dock(here, config, "a")
    send(config)
    dock(here, config, "b")
    send(config)

    assert there(here) == notes(config)
    assert len(there(here)) > 2
    assert alarms(config) == []


def test_checkpoints_wait_for_a_destination_that_is_away(
    here: Site, config: Config
) -> None:
    dock(here, config, "a")
    send(config)
    (here.root / "nas").rename(here.root / "away")
    dock(here, config, "b")
    send(config)
    (here.root / "away").rename(here.root / "nas")

    with closing(connect(config.store_path)) as conn:
        made = worker(config, SystemClock(), conn, threading.Event())
        conn.execute("UPDATE destination SET try_after = NULL")
        made.run_once(conn)

    assert there(here) == notes(config)


@pytest.mark.parametrize("vault", ["old, too", "as it was"])
def test_a_database_that_was_put_back_is_an_alarm_and_replaces_nothing(
    here: Site, config: Config, tmp_path: Path, vault: str
) -> None:
    dock(here, config, "a")
    send(config)
    copy(config, tmp_path / "old.db")
    shutil.copytree(config.vault_path / "custody", tmp_path / "custody")
    dock(here, config, "b")
    send(config)
    before = there(here)

    put_back(config, tmp_path / "old.db")
    if vault == "old, too":
        shutil.rmtree(config.vault_path / "custody")
        shutil.copytree(tmp_path / "custody", config.vault_path / "custody")
    dock(here, config, "c")
    send(config)

    assert there(here) == before
    whose = "nas" if vault == "old, too" else "station"
    assert any(told.startswith(f"{whose}: ") for told in alarms(config))
    assert "log differs" in kinds(config)


def test_an_alarm_does_not_keep_evidence_back(here: Site, config: Config) -> None:
    dock(here, config, "a")
    send(config)
    (taken,) = [f"{len(there(here)) + 1:08d}"]
    (here.root / "nas/checkpoints/harbour-1" / taken).write_bytes(b"another\n")
    dock(here, config, "b")

    assert send(config).waiting == 0
    assert send(config).waiting == 0

    assert alarms(config) == [
        f"nas: checkpoints/harbour-1/{taken} is there already, and is not ours"
    ]
    assert kinds(config).count("log differs") == 1
    assert there(here)[taken] == b"another\n"
    assert max(there(here)) == taken < max(notes(config))


def test_a_database_that_was_made_anew_from_the_vault_is_no_alarm(
    here: Site, config: Config
) -> None:
    dock(here, config, "a")
    send(config)
    config.store_path.unlink()
    rebuild(config, (), lambda _done, _total: None)
    with opened(config, SystemClock()):
        pass

    send(config)

    assert alarms(config) == []
    assert there(here) == notes(config)
