"""What expired is known to be gone: by `verify`."""

from dock_agent.store.dockings import Docking
from dock_agent.vault.verify import Result, verify_bag
from dock_agent.vault.verify_rows import expired, verify_rows
from support.bench import KEY
from support.erasing import SIZES
from support.expiring import LONG, Shelf, ripe, shelf

__all__ = ["ripe", "shelf"]


def check(shelf: Shelf, docking: Docking) -> Result:
    bench = shelf.bench
    gone = expired(bench.conn, docking)
    bag = bench.bag(docking)
    found = verify_bag(bench.disk, bag, docking.id, KEY.public, gone)
    rows = verify_rows(bench.conn, bench.disk, bench.vault, docking)
    found.failed += rows.failed
    return found


def test_a_docking_that_expired_is_as_it_was_sealed_but_for_its_copies(
    shelf: Shelf, ripe: Docking
) -> None:
    shelf.run()

    found = check(shelf, ripe)

    assert found.failed == []
    assert found.checked == 0


def test_a_docking_that_rests_on_what_expired_is_sound(shelf: Shelf) -> None:
    docking = shelf.dock()
    again = shelf.bench.dock(shelf.root / "card")
    shelf.classify(again, "traffic")
    shelf.clock.advance(LONG)
    shelf.approve()
    shelf.run()

    assert shelf.there(docking) == set()
    assert check(shelf, again).failed == []


def test_a_copy_that_is_missing_without_having_expired_is_still_missed(
    shelf: Shelf, ripe: Docking
) -> None:
    (shelf.bench.bag(ripe) / "data" / next(iter(SIZES))).unlink()

    assert "is missing" in check(shelf, ripe).failed[0].reason


def test_a_row_that_says_expired_without_the_log_excuses_nothing(
    shelf: Shelf, ripe: Docking
) -> None:
    name = next(iter(SIZES))
    (shelf.bench.bag(ripe) / "data" / name).unlink()
    shelf.bench.conn.execute(
        "UPDATE file SET state = 'expired' WHERE stored = ?", (name,)
    )

    assert "is missing" in check(shelf, ripe).failed[0].reason


def test_an_expired_copy_that_is_there_is_read_all_the_same(
    shelf: Shelf, ripe: Docking
) -> None:
    path = shelf.bench.bag(ripe) / "data" / next(iter(SIZES))
    saved = path.read_bytes()
    shelf.run()
    path.write_bytes(b"x" + saved[1:])

    assert "should be" in check(shelf, ripe).failed[0].reason
