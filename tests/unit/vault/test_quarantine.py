"""What went wrong is kept under its name, beside whatever is there already."""

import os
from pathlib import Path

import pytest

from dock_agent.recording import DockingId
from dock_agent.simulated.disk import SimulatedDisk
from dock_agent.vault.disk import Disk
from dock_agent.vault.layout import quarantine_path
from dock_agent.vault.quarantine import move_aside
from dock_agent.vault.real import RealDisk
from support.disks import put

DOCKING = DockingId("01JQ0000000000000000000001")


@pytest.fixture(params=["simulated", "real"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    made: Disk = SimulatedDisk() if request.param == "simulated" else RealDisk()
    made.make_directory(tmp_path / "bag/data/VIDEO")
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def aside(disk: Disk, root: Path, name: str) -> None:
    move_aside(disk, root, DOCKING, root / "bag/data" / name, name)


def kept(disk: Disk, root: Path) -> dict[str, bytes]:
    """Return what is kept, by its name below the docking's quarantine."""
    place = root / quarantine_path(DOCKING)
    return {
        str(path.relative_to(place)): disk.read(path) for path in disk.listing(place)
    }


def test_what_is_wrong_keeps_its_name_and_its_bytes(disk: Disk, root: Path) -> None:
    put(disk, root / "bag/data/VIDEO/1.MP4", b"wrong")

    aside(disk, root, "VIDEO/1.MP4")

    assert kept(disk, root) == {"VIDEO/1.MP4": b"wrong"}
    assert list(disk.listing(root / "bag")) == []


def test_nothing_that_is_kept_is_ever_replaced(disk: Disk, root: Path) -> None:
    for content in (b"first", b"second", b"third"):
        put(disk, root / "bag/data/VIDEO/1.MP4", content)
        aside(disk, root, "VIDEO/1.MP4")

    assert kept(disk, root) == {
        "VIDEO/1.MP4": b"first",
        "VIDEO/1.MP4~1": b"second",
        "VIDEO/1.MP4~2": b"third",
    }


def test_a_number_that_is_taken_is_passed_over(disk: Disk, root: Path) -> None:
    for name in ("VIDEO/1.MP4", "VIDEO/1.MP4~1", "VIDEO/1.MP4"):
        put(disk, root / "bag/data" / name, name.encode())
        aside(disk, root, name)

    assert kept(disk, root).keys() == {
        "VIDEO/1.MP4",
        "VIDEO/1.MP4~1",
        "VIDEO/1.MP4~2",
    }


def test_what_is_not_there_is_not_missed(disk: Disk, root: Path) -> None:
    aside(disk, root, "VIDEO/absent.MP4")

    assert kept(disk, root) == {}
    assert not disk.exists(root / "quarantine")


def test_each_docking_has_a_place_of_its_own(disk: Disk, root: Path) -> None:
    other = DockingId("01JQ0000000000000000000002")
    for docking in (DOCKING, other):
        put(disk, root / "bag/data/1.MP4", docking.encode())
        move_aside(disk, root, docking, root / "bag/data/1.MP4", "1.MP4")

    assert [
        disk.read(root / "quarantine" / docking / "1.MP4").decode()
        for docking in (DOCKING, other)
    ] == [DOCKING, other]


def test_what_was_moved_stays_moved_when_the_power_is_cut(tmp_path: Path) -> None:
    disk = SimulatedDisk()
    disk.make_directory(tmp_path / "bag/data")
    put(disk, tmp_path / "bag/data/1.MP4", b"wrong")
    disk.sync_directory(tmp_path / "bag/data")

    aside(disk, tmp_path, "1.MP4")
    disk.crash()

    assert kept(disk, tmp_path) == {"1.MP4": b"wrong"}
    assert list(disk.listing(tmp_path / "bag")) == []


@pytest.mark.parametrize("target", ["/nowhere", "/etc/passwd", "data"])
def test_a_link_is_moved_as_it_is_and_never_followed(root: Path, target: str) -> None:
    disk = RealDisk()
    wrong = root / "bag/data/link"
    wrong.parent.mkdir(parents=True)

    for _ in range(3):
        wrong.symlink_to(target)
        aside(disk, root, "link")

    place = root / quarantine_path(DOCKING)
    assert {path.name: str(path.readlink()) for path in place.iterdir()} == {
        "link": target,
        "link~1": target,
        "link~2": target,
    }
    assert not os.path.lexists(wrong)


def test_a_pipe_is_moved_and_not_opened(root: Path) -> None:
    (root / "bag/data").mkdir(parents=True)
    os.mkfifo(root / "bag/data/pipe")

    aside(RealDisk(), root, "pipe")

    assert (root / quarantine_path(DOCKING) / "pipe").is_fifo()


def test_a_name_that_is_not_text_keeps_its_bytes(root: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    (root / "bag/data").mkdir(parents=True)
    (root / "bag/data" / name).write_bytes(b"wrong")

    aside(RealDisk(), root, name)

    assert kept(RealDisk(), root) == {name: b"wrong"}


def test_a_vault_that_takes_nothing_leaves_it_where_it_is(root: Path) -> None:
    disk = SimulatedDisk()
    disk.make_directory(root / "bag/data")
    put(disk, root / "bag/data/1.MP4", b"wrong")
    disk.faults.read_only = True

    with pytest.raises(OSError, match=r"."):
        aside(disk, root, "1.MP4")

    assert disk.read(root / "bag/data/1.MP4") == b"wrong"
