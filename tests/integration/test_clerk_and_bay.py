"""What a clerk says of a docking, and what the bay makes of it: together."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.bays.machine import (
    Bay,
    Docked,
    Event,
    Identified,
    Listed,
    Sealed,
    step,
)
from dock_agent.offload.child import ROUNDS
from dock_agent.offload.messages import Found
from dock_agent.offload.scan import MountedSource
from dock_agent.recording import BayState, Colour
from support.bench import BAY, CAMERA, Bench
from support.cards import card
from support.holding import descriptors

SIZES = {"VIDEO/1.MP4": 300_000, "LOG/1.LOG": 100}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return card(tmp_path / "card", SIZES)


def shown(events: list[Event]) -> list[Bay]:
    """Return a bay after each event of one docking; no move may be refused."""
    bay, after = Bay(BAY), list[Bay]()
    for event in (Docked("t"), Identified(CAMERA, reports_charge=False), *events):
        bay, _ = step(bay, event)
        after.append(bay)
    return after


class Recording(MountedSource):
    """A camera that records one more file before each of its first scans but one."""

    rounds = 1

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._tree, self._scans = root, 0

    def scan(self) -> tuple[Found, ...]:
        if 0 < self._scans <= self.rounds:
            card(self._tree, {f"VIDEO/new-{self._scans}.MP4": 1000})
        self._scans += 1
        return super().scan()


class StillRecording(Recording):
    """It goes on for as long as is listened to."""

    rounds = ROUNDS


@pytest.mark.parametrize("tree", [MountedSource, Recording, StillRecording])
def test_a_bay_goes_green_although_files_appear_while_they_are_copied(
    bench: Bench, source: Path, tree: type[MountedSource]
) -> None:
    more = tree.rounds if issubclass(tree, Recording) else 0

    docking = bench.dock(source, tree)

    bays = shown(bench.events)
    assert docking.complete
    assert bench.events[-1] == Sealed(len(SIZES) + more)
    assert (bays[-1].state, bays[-1].colour) == (BayState.SEALED, Colour.GREEN)
    assert bays[-1].files_total == bays[-1].files_done == len(SIZES) + more
    assert Colour.GREEN not in [bay.colour for bay in bays[:-1]]


def test_a_camera_that_never_stops_recording_is_shown_red(
    bench: Bench, source: Path
) -> None:
    class Endless(Recording):
        rounds = 100

    docking = bench.dock(source, Endless)

    bays = shown(bench.events)
    assert not docking.complete
    assert (bays[-1].state, bays[-1].colour) == (BayState.FAULT, Colour.RED)
    assert Colour.GREEN not in [bay.colour for bay in bays]


def test_a_camera_that_is_docked_again_asks_for_no_room_for_what_is_held(
    bench: Bench, source: Path
) -> None:
    bench.dock(source)
    first = [event for event in bench.events if isinstance(event, Listed)]
    card(source, {"VIDEO/2.MP4": 5000, "VIDEO/3.MP4": 7})
    bench.dock(source)
    second = [event for event in bench.events if isinstance(event, Listed)]
    bench.dock(source)
    third = [event for event in bench.events if isinstance(event, Listed)]

    assert first == [Listed(2, 300_100, 300_100)]
    assert second == [Listed(4, 305_107, 5007)]
    assert third == [Listed(4, 305_107, 0)]


def test_what_appears_while_it_is_copied_is_added_to_what_needs_room(
    bench: Bench, source: Path
) -> None:
    bench.dock(source)
    card(source, {"VIDEO/2.MP4": 5000})

    bench.dock(source, Recording)

    listed = [event for event in bench.events if isinstance(event, Listed)]
    assert listed == [Listed(3, 305_100, 5000), Listed(4, 306_100, 6000)]


def test_a_bay_owes_what_nothing_holds_yet_and_nothing_once_it_is_sealed(
    bench: Bench, source: Path
) -> None:
    bench.dock(source)
    card(source, {"VIDEO/2.MP4": 5000})

    bench.dock(source)

    owed = [bay.size_owed for bay in shown(bench.events)]
    assert max(owed) == 5000
    assert owed[-1] == 0


def test_a_camera_that_was_docked_in_this_process_is_let_go(
    bench: Bench, source: Path
) -> None:
    bench.dock(source)

    assert descriptors(source) == 0
