"""Whatever a camera does, to the byte: what is whole is kept, and nothing else."""

import os
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

import pytest

from dock_agent.recording import DockingState, FileState
from dock_agent.simulated.camera import Faults, SimulatedSource
from dock_agent.store.dockings import Docking
from dock_agent.vault.layout import PART
from support.bench import Bench
from support.cards import card, digests

SIZES = {"a.MP4": 5000, "b.MP4": 0, "c.MP4": 100_000, "d.MP4": 4096, "e.MP4": 70_000}
ENDS = list(accumulate(SIZES.values()))
INTERESTING = sorted({at + by for at in (0, *ENDS) for by in (-1, 0, 1)} - {-1})


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    return card(tmp_path / "card", SIZES)


def dock(bench: Bench, camera: Path, faults: Faults) -> Docking:
    return bench.dock(camera, lambda root: SimulatedSource(root, faults))


def states(bench: Bench, docking: Docking) -> dict[str, FileState]:
    return {name: file.state for name, file in bench.files(docking).items()}


def kept(bench: Bench, docking: Docking) -> dict[bytes, str]:
    return digests(bench.bag(docking) / "data")


@pytest.mark.parametrize("at", INTERESTING)
def test_a_pull_at_any_byte_keeps_what_was_whole_and_the_redock_brings_the_rest(
    at: int, bench: Bench, camera: Path
) -> None:
    before = digests(camera)

    first = dock(bench, camera, Faults(gone_after=at))
    safe = kept(bench, first)
    second = dock(bench, camera, Faults())

    whole = at > ENDS[-1]
    assert first.state is (DockingState.SEALED if whole else DockingState.INTERRUPTED)
    assert safe.items() <= before.items()
    assert len(safe) == sum(end < at for end in ENDS)
    assert list(bench.vault.rglob(PART + "*")) == []
    assert bench.waits == []  # nobody waits for a camera that is gone
    assert second.complete
    rest = {name: d for name, d in before.items() if name not in safe}
    assert rest.items() <= kept(bench, second).items()
    assert set(states(bench, second).values()) <= {FileState.VERIFIED, FileState.HELD}
    assert digests(camera) == before


def test_a_pull_while_a_bad_file_is_tried_again_keeps_the_good_ones(
    bench: Bench, camera: Path
) -> None:
    faults = Faults(unreadable={b"c.MP4": 1000}, gone_after=ENDS[-1] - 99_000 + 500)

    docking = dock(bench, camera, faults)

    found = states(bench, docking)
    assert docking.state is DockingState.INTERRUPTED
    assert found.pop("c.MP4") is FileState.LISTED
    assert set(found.values()) == {FileState.VERIFIED}
    assert list(bench.vault.rglob(PART + "*")) == []


def test_a_bad_block_costs_its_file_only_and_is_tried_three_times_more(
    bench: Bench, camera: Path
) -> None:
    docking = dock(bench, camera, Faults(unreadable={b"c.MP4": 1000}))

    found = states(bench, docking)
    assert not docking.complete
    assert found.pop("c.MP4") is FileState.MISSED
    assert set(found.values()) == {FileState.VERIFIED}
    assert sum(bench.waits) == 3.5  # seconds


def test_a_file_that_grew_is_brought_whole_by_the_next_docking(
    bench: Bench, camera: Path
) -> None:
    first = dock(bench, camera, Faults(grows={b"c.MP4": 10}))

    second = dock(bench, camera, Faults())

    assert states(bench, first)["c.MP4"] is FileState.MISSED
    assert b"c.MP4" not in kept(bench, first)
    assert kept(bench, second)[b"c.MP4"] == digests(camera)[b"c.MP4"]


def test_a_slow_camera_is_waited_for_and_nothing_else_changes(
    bench: Bench, camera: Path
) -> None:
    waits: list[float] = []

    docking = bench.dock(
        camera, lambda root: SimulatedSource(root, Faults(pace=1000), wait=waits.append)
    )

    assert docking.complete
    assert sum(waits) == pytest.approx(ENDS[-1] / 1000)


def test_a_held_file_that_reads_otherwise_now_is_copied_beside_the_earlier_one(
    bench: Bench, camera: Path
) -> None:
    first = dock(bench, camera, Faults())

    def fickle(root: Path) -> SimulatedSource:
        source = SimulatedSource(root, Faults(fickle={b"d.MP4"}))
        os.close(source.open(b"d.MP4"))
        return source

    second = bench.dock(camera, fickle)

    assert states(bench, second)["d.MP4"] is FileState.VERIFIED
    assert states(bench, second)["c.MP4"] is FileState.HELD
    assert kept(bench, first)[b"d.MP4"] != kept(bench, second)[b"d.MP4"]
