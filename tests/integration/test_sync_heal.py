"""What rotted in the vault comes back from whoever proved a copy, and no worse."""

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dock_agent.clock import SystemClock
from dock_agent.config import Config, load
from dock_agent.importing import Wish, import_tree
from dock_agent.scrubbing import scrub
from dock_agent.store import alerts
from dock_agent.store.db import connect, reading
from dock_agent.sync.open import worker
from dock_agent.sync.worker import Summary
from dock_agent.verifying import verify
from support.cards import card
from support.programs import site
from support.scrubbed import flip

SIZES = {"VIDEO/1.MP4": 3_000_000, "VIDEO/2.MP4": 7, "LOG/empty": 0}


class Station:
    """A station that sends to a directory, one step at a time."""

    def __init__(self, root: Path) -> None:
        self.here = site(root)
        self.config: Config = load(root / "dock.toml")

    def dock(self, number: int = 1) -> None:
        """Offload a card."""
        names = {f"{number}/{name}": size for name, size in SIZES.items()}
        source = card(self.here.root / f"card-{number}", names)
        import_tree(self.config, Wish(source, "KT-Z3:1", "1"), unheard)

    def send(self) -> Summary:
        """Send what is due, and see what else there is there."""
        with closing(connect(self.config.store_path)) as conn:
            conn.execute("UPDATE destination SET try_after = NULL")
            made = worker(self.config, SystemClock(), conn, threading.Event())
            return made.run_once(conn)

    def scrub(self) -> Any:
        """Read the whole vault, and heal what can be."""
        return scrub(self.config, SystemClock(), unheard, everything=True)

    def ours(self, name: str) -> Path:
        """Return the one file of the vault that is called so."""
        (found,) = self.config.vault_path.glob(f"dockings/**/{name}")
        return found

    def theirs(self, name: str) -> Path:
        """Return the destination's copy of it."""
        (found,) = (self.here.root / "nas").glob(f"dockings/**/{name}")
        return found

    def alerts(self) -> list[str]:
        """Return what a person is told."""
        with reading(self.config.store_path) as conn:
            return alerts.lines(conn, SystemClock().now().utc)

    def whole(self) -> bool:
        """Whether verify finds all as it was."""
        told = verify(self.config, [], unheard)
        return (told.failed, told.custody) == ((), "ok")


def unheard(done: int, total: int) -> None:
    del done, total


@pytest.fixture
def station(tmp_path: Path) -> Station:
    made = Station(tmp_path)
    made.dock()
    return made


@pytest.mark.parametrize("name", ["data/1/VIDEO/1.MP4", "bag-info.txt"])
@pytest.mark.parametrize("harm", [Path.unlink, lambda path: flip(path, 7)])
def test_what_rotted_comes_back_from_the_destination(
    station: Station, name: str, harm: Any
) -> None:
    before = station.ours(name).read_bytes()
    station.send()
    harm(station.ours(name))

    found = station.scrub()
    station.send()
    healed = station.scrub()
    station.send()

    assert [one.id.endswith(name) for one in found.damaged] == [True]
    assert (healed.damaged, healed.healed) == ((), 1)
    assert station.ours(name).read_bytes() == before
    assert station.whole()
    assert station.alerts() == ["Mended in the last 30 days: 1."]
    assert list(station.config.fetched_path.iterdir()) == []


def test_what_rotted_at_the_destination_too_heals_nothing_and_is_told(
    station: Station,
) -> None:
    name = "data/1/VIDEO/1.MP4"
    station.send()
    flip(station.ours(name), 7)
    flip(station.theirs(name), 70)

    station.scrub()
    told = station.send()
    found = station.scrub()

    assert [one.id.endswith(name) for one in found.damaged] == [True]
    assert not station.whole()
    assert told.refused + told.waiting == 1
    assert [line.partition(":")[0] for line in station.alerts()] == ["vault", "nas"]
    assert list(station.config.fetched_path.iterdir()) == []


def test_a_destination_that_is_new_does_not_get_the_seal_of_a_damaged_docking(
    station: Station,
) -> None:
    station.send()
    station.ours("data/1/VIDEO/1.MP4").unlink()
    station.theirs("data/1/VIDEO/1.MP4").unlink()
    station.scrub()
    (station.here.root / "second").mkdir()
    table = '[[destinations]]\nname = "new"\nkind = "directory"\nlocal = true\n'
    with (station.here.root / "dock.toml").open("a") as text:
        text.write(f'\n{table}path = "second"\n')
    station.config = load(station.here.root / "dock.toml")

    told = station.send()

    second = station.here.root / "second"
    assert told.refused == 1
    assert list(second.glob("dockings/**/bag-info.txt"))
    assert list(second.glob("dockings/**/tagmanifest.sig")) == []


def test_what_was_not_sent_yet_goes_once_it_is_healed(station: Station) -> None:
    name = "data/1/VIDEO/1.MP4"
    before = station.ours(name).read_bytes()
    flip(station.ours(name), 7)
    station.scrub()

    early = station.send()
    sealed_there = list((station.here.root / "nas").glob("dockings/**/tagmanifest.sig"))
    station.config.fetched_path.mkdir(exist_ok=True)
    with reading(station.config.store_path) as conn:
        row = conn.execute("SELECT sha256 FROM file WHERE size = 3000000").fetchone()
    (station.config.fetched_path / row["sha256"]).write_bytes(before)
    healed = station.scrub()
    late = station.send()

    assert (early.refused, sealed_there) == (1, [])
    assert healed.healed == 1
    assert (late.waiting, late.refused) == (0, 0)
    assert station.theirs(name).read_bytes() == before
    assert station.theirs("tagmanifest.sig").exists()
    assert station.whole()
