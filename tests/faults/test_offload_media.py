"""Cards that fail as media do, read by a real child process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from dock_agent.bays.machine import Advanced, Failed, Listed, Lost, Sealed
from dock_agent.offload.clerk import Job, Terms
from dock_agent.offload.parent import Limits, ProcessOffloader
from dock_agent.recording import CameraId, DockingState, FileState
from dock_agent.store import dockings
from dock_agent.store.dockings import Docking
from support.bench import CAMERA, Bench
from support.cards import card, digests
from support.faultcard import FaultCard, mounted
from support.process import Ending, wait_until

SIZES = {f"VIDEO/{n:04d}.MP4": 6 << 20 for n in range(6)} | {"LOG/1.LOG": 100}
SILENCE = 2.0  # seconds
TERMS = Terms(0, patience=15)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def media(tmp_path: Path) -> Iterator[tuple[Path, FaultCard]]:
    source = card(tmp_path / "source", SIZES)
    with mounted(source, tmp_path / "card") as fault:
        yield tmp_path / "card", fault


@pytest.fixture
def start(bench: Bench) -> Iterator["Start"]:
    offloader = ProcessOffloader(bench.connect, bench.sealer, Limits(SILENCE, TERMS))

    def begin(source: Path, camera: CameraId = CAMERA) -> tuple[Job, Ending]:
        job, ending = bench.job(source, camera), Ending()
        offloader.start(job, ending)
        bench.cancel = lambda: offloader.cancel(job.docking)
        return job, ending

    yield begin
    offloader.close()


class Start(Protocol):
    """Begin to offload a directory as a camera."""

    def __call__(
        self, source: Path, camera: CameraId = CAMERA
    ) -> tuple[Job, Ending]: ...


Media = tuple[Path, FaultCard]


def test_a_sound_card_goes_through_the_child_whole(
    bench: Bench, media: Media, start: Start, tmp_path: Path
) -> None:
    job, ending = start(media[0])

    assert ending.wait() == Sealed(len(SIZES))
    docking = bench.docking(job.docking)
    assert digests(bench.bag(docking) / "data") == digests(tmp_path / "source")


def test_a_pull_midway_keeps_what_was_proved_and_a_redock_copies_only_the_rest(
    bench: Bench, media: Media, start: Start, tmp_path: Path
) -> None:
    point, fault = media
    fault.gone_after = 20 << 20
    job, ending = start(point)

    event = ending.wait()

    assert isinstance(event, Lost)
    first = settled(bench, job)
    assert first.state is DockingState.INTERRUPTED
    safe = {n for n, f in bench.files(first).items() if f.state is FileState.VERIFIED}
    assert 0 < len(safe) < len(SIZES)
    again = bench.dock(tmp_path / "source")
    kept = bench.files(again)
    assert again.complete is False or kept.keys() == SIZES.keys()
    whole = digests(bench.bag(bench.docking(job.docking)) / "data") | digests(
        bench.bag(again) / "data"
    )
    source = digests(tmp_path / "source")
    assert {n: d for n, d in whole.items() if not n.startswith(b"=")} == source
    assert bench.docking(job.docking).state is DockingState.SEALED
    assert bench.docking(job.docking).complete is False


def test_one_bad_sector_costs_one_file(
    bench: Bench, media: Media, start: Start
) -> None:
    point, fault = media
    fault.errors["/VIDEO/0002.MP4"] = 1 << 20

    job, ending = start(point)
    event = ending.wait()

    assert isinstance(event, Failed)
    assert event.code == "D-10"
    docking = settled(bench, job)
    states = {name: f.state for name, f in bench.files(docking).items()}
    assert states.pop("VIDEO/0002.MP4") is FileState.MISSED
    assert set(states.values()) == {FileState.VERIFIED}
    assert docking.state is DockingState.SEALED
    assert docking.complete is False


def test_a_camera_that_hangs_is_given_up_and_the_bay_is_free_again(
    bench: Bench, media: Media, start: Start, tmp_path: Path
) -> None:
    point, fault = media
    fault.hangs.set()
    job, ending = start(point)

    event = ending.wait(SILENCE + 10)

    assert isinstance(event, Failed)
    assert "gave nothing" in event.reason
    assert settled(bench, job).state is DockingState.FAULT
    _, after = start(card(tmp_path / "other", {"A.MP4": 10}), CameraId("KT-Z1:2"))
    assert after.wait() == Sealed(1)


def test_a_camera_whose_earlier_offload_still_hangs_is_not_copied_beside_it(
    bench: Bench, media: Media, tmp_path: Path
) -> None:
    point, fault = media
    fault.hangs.set()
    limits = Limits(SILENCE, Terms(0, patience=0.5))
    offloader = ProcessOffloader(bench.connect, bench.sealer, limits)
    hung, first = bench.job(point), Ending()
    offloader.start(hung, first)
    first.wait(SILENCE + 10)
    again, second = bench.job(tmp_path / "source"), Ending()

    offloader.start(again, second)

    event = second.wait()
    assert isinstance(event, Failed)
    assert event.reason == f"docking {hung.docking} is still being written"
    assert [d.id for d in dockings.unfinished(bench.conn)] == [hung.docking]
    fault.pull()
    offloader.close()


def test_a_camera_taken_out_while_it_hangs_is_let_go_at_once(
    bench: Bench, media: Media, start: Start
) -> None:
    point, fault = media
    fault.hangs.set()
    job, ending = start(point)
    wait_until(lambda: any(isinstance(e, Listed) for e in ending.events), 20)

    bench.cancel()

    event = ending.wait(SILENCE + 10)
    assert isinstance(event, Lost | Failed)
    assert settled(bench, job).state in {DockingState.INTERRUPTED, DockingState.FAULT}


def test_a_slow_camera_is_not_taken_for_a_dead_one(
    bench: Bench, tmp_path: Path
) -> None:
    source = card(tmp_path / "source", {"A.MP4": 8 << 20})
    limits = Limits(SILENCE, Terms(0, pace=2 << 20))  # four seconds
    offloader = ProcessOffloader(bench.connect, bench.sealer, limits)
    ending = Ending()

    offloader.start(bench.job(source), ending)

    assert ending.wait() == Sealed(1)
    assert len([e for e in ending.events if isinstance(e, Advanced)]) > 3
    offloader.close()


class SlowToLook(FaultCard):
    """It takes its time for each entry, as a camera with a crowded directory does."""

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if path.endswith(".JPG"):
            self.released.wait(0.25)
        return super().getattr(path, fh)


def test_a_camera_that_takes_long_to_list_is_not_taken_for_a_dead_one(
    start: Start, tmp_path: Path
) -> None:
    source = card(tmp_path / "source", {f"DCIM/{n}.JPG": 10 for n in range(20)})

    with mounted(source, tmp_path / "card", SlowToLook) as slow:
        _, ending = start(tmp_path / "card")
        wait_until(lambda: any(isinstance(e, Listed) for e in ending.events), 60)
        slow.released.set()

        assert ending.wait(60) == Sealed(20)


def settled(bench: Bench, job: Job) -> Docking:
    return bench.docking(job.docking)
