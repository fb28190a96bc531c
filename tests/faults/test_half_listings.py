"""A directory that is only listed in part is never taken for a whole one."""

import errno
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import mfusepy
import pytest

from dock_agent.bays.attachment import failures_of, size_of
from dock_agent.bays.machine import Failed
from dock_agent.offload.listing import CUT_SHORT, DEVICE, LISTING, UNSURE
from dock_agent.offload.scan import LISTINGS, MountedSource
from dock_agent.recording import FileState
from support.bench import Bench
from support.cards import card
from support.faultcard import FaultCard, mounted

SIZES = {"DCIM/1.MP4": 5000, "DCIM/2.MP4": 6000, "a.LOG": 100}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


class OneFails(FaultCard):
    """One entry of it cannot be looked at."""

    error = errno.EIO

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        if path == "/a.LOG":
            raise mfusepy.FuseOSError(self.error)
        return super().getattr(path, fh)


class OneIsNotFound(OneFails):
    """One name that it lists leads nowhere, as a broken one on FAT does."""

    error = errno.ENOENT


@pytest.mark.parametrize("kind", [OneFails, OneIsNotFound])
def test_an_entry_that_cannot_be_looked_at_costs_itself_alone_and_is_never_green(
    bench: Bench, tmp_path: Path, kind: type[FaultCard]
) -> None:
    card(tmp_path / "source", SIZES)

    with mounted(tmp_path / "source", tmp_path / "card", kind):
        docking = bench.dock(tmp_path / "card")

    states = {name: file.state for name, file in bench.files(docking).items()}
    assert states.pop("a.LOG") is FileState.MISSED
    assert list(states.values()) == [FileState.VERIFIED] * 2
    assert not docking.complete
    assert isinstance(bench.events[-1], Failed)


class Doubled(FaultCard):
    """It lists a name twice, as a FAT may whose entries are the same."""

    def readdir(self, path: str, fh: int) -> list[str]:
        names = super().readdir(path, fh)
        return [*names, "1.MP4", "1.MP4"] if path == "/DCIM" else names


def test_of_entries_of_the_same_name_only_one_can_be_read_and_the_others_are_missed(
    bench: Bench, tmp_path: Path
) -> None:
    card(tmp_path / "source", SIZES)

    with mounted(tmp_path / "source", tmp_path / "card", Doubled):
        docking = bench.dock(tmp_path / "card")

    states = {name: file.state for name, file in bench.files(docking).items()}
    missed = {name for name, state in states.items() if state is FileState.MISSED}
    assert missed == {"DCIM/1.MP4 (2)", "DCIM/1.MP4 (3)"}
    assert not docking.complete


class Devices:
    """What the kernel tells of a disk: made by a test, as sysfs has it."""

    def __init__(self, folder: Path, device: int) -> None:
        self.folder = folder
        self.disk = folder / f"{os.major(device)}:{os.minor(device)}"
        (self.disk / "device").mkdir(parents=True)
        (self.disk / "diskseq").write_text("7\n", "ascii")
        self.fail(0)

    def fail(self, count: int) -> None:
        (self.disk / "device/ioerr_cnt").write_text(f"{count:#x}\n", "ascii")

    def shrink(self, sectors: int) -> None:
        (self.disk / "size").write_text(f"{sectors}\n", "ascii")


class Reads(MountedSource):
    """A tree whose disk fails so many of its listings, one command each."""

    def __init__(self, root: Path, devices: Devices, failing: int) -> None:
        super().__init__(root, devices=devices.folder)
        self.told, self.left, self.listings = devices, failing, 0

    def list_once(self) -> list[Any]:
        found = super().list_once()
        self.listings += 1
        if self.listings <= self.left:
            self.told.fail(16 + self.listings)
        return found


@pytest.mark.parametrize(
    ("failing", "listings", "more"),
    [(0, 1, ()), (1, 2, ()), (LISTINGS, LISTINGS, ((LISTING, UNSURE),))],
)
def test_a_listing_during_which_the_disk_failed_is_made_again_and_else_not_believed(
    tmp_path: Path, failing: int, listings: int, more: tuple[tuple[bytes, str], ...]
) -> None:
    source = card(tmp_path / "card", SIZES)
    devices = Devices(tmp_path / "devices", source.stat().st_dev)

    with closing(Reads(source, devices, failing)) as tree:
        found = tree.scan()

    assert tree.listings == listings
    missed = [(entry.path, entry.missed) for entry in found if entry.missed]
    assert missed == list(more)
    assert len(found) == len(SIZES) + len(more)


def test_a_file_system_that_is_larger_than_its_device_is_not_listed_whole(
    tmp_path: Path,
) -> None:
    source = card(tmp_path / "card", SIZES)
    devices = Devices(tmp_path / "devices", source.stat().st_dev)
    devices.shrink(8)

    with closing(MountedSource(source, devices=devices.folder)) as tree:
        found = tree.scan()

    missed = [(entry.path, entry.missed) for entry in found if entry.missed]
    assert missed == [(DEVICE, CUT_SHORT)]


def test_the_failures_and_the_size_of_a_partition_are_found(tmp_path: Path) -> None:
    disk = tmp_path / "sda"
    (disk / "sda1").mkdir(parents=True)
    (disk / "device").mkdir()
    (disk / "device/ioerr_cnt").write_text("0x1f\n", "ascii")
    (disk / "sda1/size").write_text("2048\n", "ascii")
    (tmp_path / "8:1").symlink_to("sda/sda1")

    assert failures_of(os.makedev(8, 1), tmp_path) == 31
    assert size_of(os.makedev(8, 1), tmp_path) == 1 << 20
    assert failures_of(os.makedev(8, 2), tmp_path) is None
    assert size_of(os.makedev(8, 2), tmp_path) is None
