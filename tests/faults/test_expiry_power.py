"""The power goes, or the run is killed, at any step of an expiry."""

from contextlib import suppress
from pathlib import Path

import pytest

from dock_agent.errors import VaultUnusable
from dock_agent.recording import FileState
from dock_agent.simulated.disk import Faults, PowerCut, SimulatedDisk
from dock_agent.store import expiries
from dock_agent.store.dockings import Docking
from dock_agent.vault.real import RealDisk
from support.erasing import SIZES, Dies, hold, told
from support.expiring import LONG, Shelf, shelf

__all__ = ["shelf"]
ONE = 40  # operations: more than the expiry of two files takes


def ready(root: Path, disk: SimulatedDisk) -> tuple[Shelf, Docking]:
    made = Shelf(root, disk)
    docking = made.dock()
    made.clock.advance(LONG)
    made.approve()
    return made, docking


@pytest.mark.parametrize("names_last", [False, True])
def test_a_power_cut_at_any_step_loses_nothing_that_is_called_verified(
    tmp_path: Path, *, names_last: bool
) -> None:
    midway = 0

    for cut in range(ONE):
        disk = SimulatedDisk()
        root = tmp_path / str(cut)
        root.mkdir()
        made, docking = ready(root, disk)
        disk.faults = Faults(cut_after=cut)
        with suppress(PowerCut):
            made.run()
        disk.crash(names_last=names_last)
        disk.faults = Faults()
        midway += bool(expiries.unfinished(made.bench.conn))
        gone = set(SIZES) - made.there(docking)
        meant = {
            line["facts"]["file"]
            for line in told(made.bench, docking.id, "expire intended")
        }
        assert gone <= meant

        made.run()

        made.require_sound(docking)
        assert made.states(docking) == {FileState.EXPIRED}
        assert expiries.unfinished(made.bench.conn) == []
        made.close()
    assert midway > 0, "no cut fell between intent and record"


class Deadly(RealDisk):
    """Dies before or after the name is removed."""

    def __init__(self, *, after: bool) -> None:
        super().__init__()
        self._after = after

    def unlink(self, path: Path) -> None:
        if "data" not in path.parts:
            super().unlink(path)
            return
        if self._after:
            super().unlink(path)
        raise Dies


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_run_that_is_killed_around_the_removal_is_settled_by_the_next(
    shelf: Shelf, *, after: bool
) -> None:
    docking = shelf.dock()
    shelf.clock.advance(LONG)
    shelf.approve()
    with pytest.raises(Dies):
        shelf.run(disk=Deadly(after=after))

    hold(shelf.bench, docking)
    shelf.run()

    shelf.require_sound(docking)
    assert len(shelf.there(docking)) == len(SIZES) - after
    assert len(told(shelf.bench, docking.id, "not expired")) == (not after)
    assert len(told(shelf.bench, docking.id, "expired")) == after


def test_a_vault_that_is_away_settles_nothing(shelf: Shelf) -> None:
    docking = shelf.dock()
    shelf.clock.advance(LONG)
    shelf.approve()
    with pytest.raises(Dies):
        shelf.run(disk=Deadly(after=False))
    away = shelf.root / "away"
    shelf.bench.vault.rename(away)
    shelf.bench.vault.mkdir()

    with pytest.raises(VaultUnusable):
        shelf.run()

    shelf.bench.vault.rmdir()
    away.rename(shelf.bench.vault)
    assert len(expiries.unfinished(shelf.bench.conn)) == 1
    assert told(shelf.bench, docking.id, "expired") == []
