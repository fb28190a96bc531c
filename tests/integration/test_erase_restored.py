"""A database that was restored from a backup has forgotten holds: nothing goes."""

import shutil
from pathlib import Path

import pytest

from dock_agent.errors import NotAllowed
from dock_agent.store import custody, holds
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Docking
from dock_agent.store.holds import Hold
from dock_agent.vault import reached
from support.bench import Bench
from support.cards import digests
from support.erasing import SIZES, Clearing, bench, erasures, source, told

__all__ = ["bench", "source"]
ORDER = ("A. Clerk", "restored from last night's backup")


def restored(bench: Bench, docking: Docking) -> None:
    """Place a hold, and put back the database of before."""
    bench.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store = bench.root / "store.db"
    shutil.copy(store, bench.root / "backup")
    with transaction(bench.conn) as conn:
        holds.place(conn, Hold(docking.id, "A. Judge", "case 7"), bench.clock.now())
    reached.note(bench.disk, bench.vault, bench.conn)
    bench.conn.close()
    for left in bench.root.glob("store.db*"):
        left.unlink()
    shutil.copy(bench.root / "backup", store)
    bench.conn = bench.connect()


def behind(bench: Bench) -> str | None:
    return reached.behind(bench.disk, bench.vault, bench.conn)


def test_a_database_that_has_forgotten_a_hold_erases_nothing(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    restored(bench, docking)

    why = Clearing(bench, source).of(docking)

    assert why is not None
    assert "older than line" in why
    assert "doctor" in why
    assert len(digests(source)) == len(SIZES)
    assert erasures(bench, docking.id) == {}
    assert len(told(bench, docking.id, "erase refused")) == 1


def test_however_far_it_goes_on_it_stays_the_older_one(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    restored(bench, docking)

    bench.dock(source)
    reached.note(bench.disk, bench.vault, bench.conn)

    assert behind(bench) is not None


def test_a_person_may_take_it_as_it_is_and_that_is_on_record(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    restored(bench, docking)

    reached.accept(bench.disk, bench.vault, bench.conn, ORDER, bench.clock.now())

    assert behind(bench) is None
    line = custody.log(bench.conn).splitlines()[-1]
    assert '"kind":"database accepted"' in line
    assert ORDER[0] in line
    assert Clearing(bench, source).of(docking) is None


def test_nobody_takes_it_without_a_name_and_a_reason(bench: Bench) -> None:
    for order in (("", "why"), ("who", " ")):
        with pytest.raises(NotAllowed):
            reached.accept(
                bench.disk, bench.vault, bench.conn, order, bench.clock.now()
            )


def test_a_vault_that_says_nothing_is_no_ground_for_an_erase(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    shutil.rmtree(bench.vault / reached.REACHED)

    why = Clearing(bench, source).of(docking)

    assert why is not None
    assert "does not say how far" in why
    assert len(digests(source)) == len(SIZES)


def test_an_erase_itself_is_remembered_by_the_vault(bench: Bench, source: Path) -> None:
    docking = bench.dock(source)
    before = custody.head(bench.conn)

    Clearing(bench, source).of(docking)

    (mark,) = (bench.vault / reached.REACHED).iterdir()
    assert int(mark.name.split("-")[0]) > before.seq


def test_a_database_that_only_went_on_is_the_one_the_vault_saw(
    bench: Bench, source: Path
) -> None:
    for _ in range(3):
        bench.dock(source)
        assert behind(bench) is None
        reached.note(bench.disk, bench.vault, bench.conn)

    assert behind(bench) is None
    assert len(list((bench.vault / reached.REACHED).iterdir())) == 1
