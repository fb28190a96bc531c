"""No listing is believed that a camera which left, or only half answers, could give."""

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mfusepy
import pytest

from dock_agent.bays.attachment import sequence_of
from dock_agent.bays.machine import Failed, Lost, Sealed
from dock_agent.errors import CameraGone
from dock_agent.offload.messages import AllPassed, Named, Said
from dock_agent.offload.root import Root
from dock_agent.offload.scan import MountedSource
from dock_agent.recording import DockingState, FileState
from dock_agent.simulated.camera import SimulatedSource
from support.bench import Bench
from support.cards import card, digests
from support.faultcard import FaultCard, mounted

SIZES = {"DCIM/1.MP4": 5000, "DCIM/2.MP4": 6000, "LOG/1.LOG": 100}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


class StaleCard(FaultCard):
    """After a pull its root still answers, and lists as empty."""

    def __init__(self, source: Path) -> None:
        super().__init__(source)
        self.stale = False

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if self.stale and path != "/":
            raise mfusepy.FuseOSError(errno.ENOENT)
        return super().getattr(path, fh)

    def readdir(self, path: str, fh: int) -> list[str]:
        return [".", ".."] if self.stale else super().readdir(path, fh)

    def statfs(self, path: str) -> dict[str, int]:
        del path
        return {"f_bsize": 512, "f_blocks": 4096, "f_bavail": 2048}


@pytest.fixture
def stale(tmp_path: Path) -> Iterator[StaleCard]:
    card(tmp_path / "source", SIZES)
    with mounted(tmp_path / "source", tmp_path / "card", StaleCard) as found:
        assert isinstance(found, StaleCard)
        yield found


def test_a_mount_that_lists_as_empty_after_a_pull_is_not_an_empty_camera(
    bench: Bench, stale: StaleCard, tmp_path: Path
) -> None:
    stale.stale = True

    docking = bench.dock(tmp_path / "card")

    assert docking.state is DockingState.FAULT
    assert isinstance(bench.events[-1], Failed)
    assert "lists nothing" in bench.events[-1].reason


def test_a_camera_that_lists_nothing_any_more_is_not_sealed_as_whole(
    bench: Bench, stale: StaleCard, tmp_path: Path
) -> None:
    class Pulled(MountedSource):
        def read(self, fd: int, buffer: memoryview) -> int:
            count = super().read(fd, buffer)
            stale.stale = True
            return count

    docking = bench.dock(tmp_path / "card", Pulled)

    assert not docking.complete
    assert not any(isinstance(event, Sealed) for event in bench.events)


def test_a_file_that_vanished_from_the_listing_ends_the_docking_as_a_pull_does(
    bench: Bench, tmp_path: Path
) -> None:
    source = card(tmp_path / "card", SIZES)

    docking = after(bench, source, Named, (source / "DCIM/1.MP4").unlink)

    assert docking is DockingState.INTERRUPTED
    assert isinstance(bench.events[-1], Lost)


def after(
    bench: Bench, source: Path, said: type[Said], action: Callable[[], object]
) -> DockingState:
    """Dock, do something once the first answer to `said` was given."""
    job, done = bench.job(source), list[int]()

    def then(told: Said) -> None:
        if isinstance(told, said) and not done:
            done.append(1)
            action()

    bench.offload(job, then)
    return bench.docking(job.docking).state


def test_a_device_that_is_gone_from_the_kernel_is_gone(tmp_path: Path) -> None:
    devices, facts = tmp_path / "devices", tmp_path.stat()
    device = devices / f"{os.major(facts.st_dev)}:{os.minor(facts.st_dev)}"
    device.mkdir(parents=True)
    (device / "diskseq").write_text("7\n", "ascii")
    root = Root.of(facts, devices)
    assert root.sequence == 7
    assert root.attached(devices)

    (device / "diskseq").write_text("8\n", "ascii")  # another disk in its place
    assert not root.attached(devices)

    (device / "diskseq").unlink()
    device.rmdir()
    assert not root.attached(devices)


def test_a_partition_has_the_number_of_its_disk(tmp_path: Path) -> None:
    (tmp_path / "sda/sda1").mkdir(parents=True)
    (tmp_path / "sda/diskseq").write_text("41\n", "ascii")
    (tmp_path / "8:1").symlink_to("sda/sda1")

    assert sequence_of(os.makedev(8, 1), tmp_path) == 41
    assert sequence_of(os.makedev(8, 2), tmp_path) is None


def test_another_disk_under_the_same_number_is_another_camera(tmp_path: Path) -> None:
    source = card(tmp_path / "card", SIZES)
    root = Root.of(source.stat())

    with pytest.raises(CameraGone, match="another camera"):
        MountedSource(source, replace(root, sequence=(root.sequence or 0) + 1))


def test_another_file_system_on_the_card_keeps_the_docking_incomplete(
    bench: Bench, tmp_path: Path
) -> None:
    source = card(tmp_path / "card", SIZES)
    card(tmp_path / "inner", {"3.MP4": 300})
    with mounted(tmp_path / "inner", source / "INNER"):
        docking = bench.dock(source)

    kept = bench.files(docking)
    assert (docking.state, docking.complete) == (DockingState.SEALED, False)
    assert kept["INNER"].state is FileState.MISSED
    assert kept["INNER"].reason == "another file system"
    assert isinstance(bench.events[-1], Failed)


def test_a_directory_that_cannot_be_listed_costs_itself_alone(
    bench: Bench, tmp_path: Path
) -> None:
    card(tmp_path / "source", SIZES | {"SECRET/4.MP4": 400})
    with mounted(tmp_path / "source", tmp_path / "card", LockedCard):
        docking = bench.dock(tmp_path / "card")

    states = {name: file.state for name, file in bench.files(docking).items()}
    assert states.pop("SECRET") is FileState.MISSED
    assert set(states.values()) == {FileState.VERIFIED}
    assert docking.complete is False


class LockedCard(FaultCard):
    """One of its directories cannot be listed."""

    def readdir(self, path: str, fh: int) -> list[str]:
        if path == "/SECRET":
            raise mfusepy.FuseOSError(errno.EIO)
        return super().readdir(path, fh)


class SameInodes(FaultCard):
    """A card that invents inode numbers, and all alike."""

    use_ino = True

    def readdir(self, path: str, fh: int) -> list[Any]:
        names = super().readdir(path, fh)
        return [(name, {"st_ino": 7, "st_mode": 0}, 0) for name in names]

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        facts = super().getattr(path, fh)
        is_file = stat.S_ISREG(facts["st_mode"])
        return facts | ({"st_ino": 7, "st_nlink": 2} if is_file else {})


def test_files_are_told_apart_where_inode_numbers_mean_nothing(
    bench: Bench, tmp_path: Path
) -> None:
    card(tmp_path / "source", SIZES)
    with mounted(tmp_path / "source", tmp_path / "card", SameInodes):
        docking = bench.dock(tmp_path / "card")

    assert docking.complete
    assert digests(bench.bag(docking) / "data") == digests(tmp_path / "source")


def test_what_became_a_file_since_it_was_skipped_keeps_the_docking_open(
    bench: Bench, tmp_path: Path
) -> None:
    source = card(tmp_path / "card", SIZES)
    (source / "b.MP4").symlink_to("nowhere")

    def record() -> None:
        (source / "b.MP4").unlink()
        (source / "b.MP4").write_bytes(b"new footage")

    state = after(bench, source, Named, record)

    assert state is DockingState.FAULT


def test_a_file_that_others_may_still_write_is_looked_at_again_later(
    bench: Bench, tmp_path: Path
) -> None:
    source = card(tmp_path / "card", SIZES)
    job, waits = bench.job(source), list[float]()

    def grow(seconds: float) -> None:
        if not waits:
            (source / "DCIM/1.MP4").write_bytes(b"another length")
        waits.append(seconds)
        threading.Event().wait(seconds)

    bench.offload(job, wait=grow, rest=2.0)  # longer than the copying takes

    assert waits != []
    assert bench.docking(job.docking).state is DockingState.FAULT


def test_the_times_of_directories_on_the_camera_stay_as_they_were(
    bench: Bench, tmp_path: Path
) -> None:
    source = card(tmp_path / "card", SIZES)
    folders = (source, source / "DCIM")
    for folder in folders:
        os.utime(folder, (1_000_000_000, 1_000_000_000))

    bench.dock(source)

    assert [folder.stat().st_atime for folder in folders] == [1_000_000_000] * 2


@pytest.mark.parametrize("year", [1970, 2099, 2300])
def test_a_camera_whose_clock_is_wrong_is_offloaded_all_the_same(
    bench: Bench, tmp_path: Path, year: int
) -> None:
    source = card(tmp_path / "card", SIZES)
    seconds = int((year - 1970) * 31_556_952)
    os.utime(source / "DCIM/1.MP4", (seconds, seconds))

    docking = bench.dock(source)

    assert docking.complete
    assert digests(bench.bag(docking) / "data") == digests(source)


def test_directories_below_any_camera_s_are_told_of_and_not_passed_over(
    bench: Bench, tmp_path: Path
) -> None:
    deep = "/".join(["d"] * 17) + "/1.MP4"
    source = card(tmp_path / "card", SIZES | {deep: 10})

    docking = bench.dock(source)

    assert docking.complete is False
    reasons = {file.reason for file in bench.files(docking).values()}
    assert reasons == {None, "deeper than 16 directories"}


def test_a_listing_says_that_a_simulated_camera_left(tmp_path: Path) -> None:
    tree = SimulatedSource(card(tmp_path / "card", SIZES))
    tree.gone = True

    with pytest.raises(CameraGone):
        tree.scan()
    tree.close()


def test_a_camera_that_changes_nothing_is_sealed(bench: Bench, tmp_path: Path) -> None:
    source = card(tmp_path / "card", SIZES)

    assert after(bench, source, AllPassed, lambda: None) is DockingState.SEALED
