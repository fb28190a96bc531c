"""A directory as a destination, on a disk that does not do what it should."""

import errno
from pathlib import Path

import pytest

from dock_agent.errors import Refused, Unreachable
from dock_agent.simulated.disk import Faults, SimulatedDisk
from dock_agent.sync.destination import Object, Progress
from dock_agent.sync.directory import Directory
from dock_agent.vault.layout import PART
from dock_agent.vault.real import RealDisk
from support.sending import Memory, item


@pytest.fixture
def sent(tmp_path: Path) -> Object:
    return item(tmp_path, 5000)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "share"
    made.mkdir()
    return made


def share(root: Path, disk: SimulatedDisk) -> Directory:
    disk.make_directory(root)
    return Directory(root, disk)


def test_a_share_that_is_not_there_is_tried_again_and_not_made(
    tmp_path: Path, sent: Object
) -> None:
    away = Directory(tmp_path / "share", RealDisk())

    with pytest.raises(Unreachable, match="mounted"):
        away.send(sent, Progress(), Memory())
    with pytest.raises(Unreachable, match="mounted"):
        away.confirm(sent)
    with pytest.raises(Unreachable, match="mounted"):
        away.check()

    assert not (tmp_path / "share").exists()


def test_a_copy_that_is_read_back_other_than_it_was_sent_leaves_nothing(
    root: Path, sent: Object
) -> None:
    disk = SimulatedDisk(faults=Faults(flips=1))
    nas = share(root, disk)

    with pytest.raises(Unreachable, match="read back other"):
        nas.send(sent, Progress(), Memory())

    assert nas.confirm(sent) is None
    assert list(disk.listing(root)) == []


def test_a_copy_that_rots_over_there_is_not_confirmed_again(
    root: Path, sent: Object
) -> None:
    nas = Directory(root, RealDisk())
    nas.send(sent, Progress(), Memory())
    copy = root / sent.key
    copy.chmod(0o600)
    copy.write_bytes(bytes(sent.size))

    assert nas.confirm(sent) is None


@pytest.mark.parametrize(
    ("faults", "capacity", "raised"),
    [
        (Faults(), 4999, Unreachable),
        (Faults(sync_error=errno.EIO), 1 << 20, Unreachable),
        (Faults(read_only=True), 1 << 20, Refused),
    ],
    ids=["full", "broken", "read-only"],
)
def test_what_a_disk_says_is_temporary_or_goes_to_a_person(
    root: Path, sent: Object, faults: Faults, capacity: int, raised: type[Exception]
) -> None:
    disk = SimulatedDisk(capacity)
    nas = share(root, disk)
    disk.faults = faults

    with pytest.raises(raised):
        nas.send(sent, Progress(), Memory())

    assert list(disk.listing(root)) == []


def test_a_copy_that_a_dead_process_left_half_done_stands_in_nobodys_way(
    root: Path, sent: Object
) -> None:
    half = (root / sent.key).with_name(f"{PART}0123")
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")

    told = Directory(root, RealDisk()).send(sent, Progress(), Memory())

    assert told.digest == sent.digest
    assert (root / sent.key).read_bytes() == sent.path.read_bytes()
