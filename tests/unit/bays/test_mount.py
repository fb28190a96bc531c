import os
import threading
import time
from pathlib import Path

import pytest

from dock_agent.bays.detector import Sighting
from dock_agent.bays.mount import BayMounter, SystemMounter, parse, told_of
from dock_agent.errors import CameraError, CardDamaged
from dock_agent.recording import BayName

GOOD = "ro,nosuid,nodev,noexec,nosymfollow,noatime"
LINE = "36 35 {device} / {point} {options} shared:1 - vfat /dev/sda1 ro\n"
AT = "bays/1/3.1"  # as the rules say: bay, diskseq, partition


def seen(tmp_path: Path, **facts: str) -> Sighting:
    common = {"device": "8:1", "fs_type": "vfat", "diskseq": "3"}
    more = {"mount": str(tmp_path / AT)} | facts
    return Sighting(BayName("1"), "3:sda1", "/dev/sda1", common | more)


def mounter(
    tmp_path: Path, *lines: str, diskseq: str = "3", patience: float = 0
) -> SystemMounter:
    disk = tmp_path / "devices/8:1"
    disk.mkdir(parents=True)
    (disk / "diskseq").write_text(diskseq)
    path = tmp_path / "mountinfo"
    path.write_text("".join(lines), encoding="utf-8")
    return SystemMounter(tmp_path / "bays", path, tmp_path / "devices", patience)


def line(tmp_path: Path, device: str = "8:1", options: str = GOOD, at: str = AT) -> str:
    return LINE.format(device=device, point=tmp_path / at, options=options)


def test_the_mount_of_the_attachment_is_found(tmp_path: Path) -> None:
    found = mounter(tmp_path, line(tmp_path)).path(seen(tmp_path))

    assert found == tmp_path / AT


@pytest.mark.parametrize("lacking", ["ro", "nosuid", "nodev", "noexec", "nosymfollow"])
def test_a_mount_that_could_be_written_run_or_followed_is_refused(
    tmp_path: Path, lacking: str
) -> None:
    options = ",".join(o for o in GOOD.split(",") if o != lacking)

    with pytest.raises(CameraError, match=lacking):
        mounter(tmp_path, line(tmp_path, options=options)).path(seen(tmp_path))


def test_another_device_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="holds 8:17, not 8:1"):
        mounter(tmp_path, line(tmp_path, device="8:17")).path(seen(tmp_path))


def test_another_disk_by_the_same_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="another disk took the place"):
        mounter(tmp_path, line(tmp_path), diskseq="4").path(seen(tmp_path))


def test_a_card_that_a_desktop_grabbed_is_said_so(tmp_path: Path) -> None:
    grabbed = LINE.format(device="8:1", point="/media/user/CARD", options=GOOD)

    with pytest.raises(CameraError, match="/media/user/CARD"):
        mounter(tmp_path, grabbed).path(seen(tmp_path))


def test_the_last_of_several_mounts_counts(tmp_path: Path) -> None:
    both = line(tmp_path, device="8:33"), line(tmp_path)

    assert mounter(tmp_path, *both).path(seen(tmp_path)) == tmp_path / AT


def test_what_the_camera_before_left_behind_is_waited_past(tmp_path: Path) -> None:
    stale = line(tmp_path, at="bays/1/2.1")

    with pytest.raises(CameraError, match="vfat was not mounted within"):
        mounter(tmp_path, stale).path(seen(tmp_path))


def test_a_card_that_cannot_be_mounted_is_said_so_at_once_with_what_can_be_done(
    tmp_path: Path,
) -> None:
    (tmp_path / f"{AT}.failed").mkdir(parents=True)
    patient = mounter(tmp_path, patience=60)

    begun = time.monotonic()
    with pytest.raises(CardDamaged, match=r"vfat cannot be mounted.*bays image 1"):
        patient.path(seen(tmp_path))

    assert time.monotonic() - begun < 30


def test_a_mount_that_comes_late_is_waited_for(tmp_path: Path) -> None:
    waiting = mounter(tmp_path, patience=60)
    found: list[Path] = []
    thread = threading.Thread(
        target=lambda: found.append(waiting.path(seen(tmp_path))), daemon=True
    )
    thread.start()

    (tmp_path / "mountinfo").write_text(line(tmp_path), encoding="utf-8")
    thread.join(30)

    assert found == [tmp_path / AT]


@pytest.mark.parametrize("at", ["", "bays/2/3.1", "bays/3.1", "elsewhere/1/3.1"])
def test_a_bay_that_udev_was_not_told_of_is_a_fault_at_once(
    tmp_path: Path, at: str
) -> None:
    known = mounter(tmp_path, line(tmp_path, at=at or AT))

    with pytest.raises(CameraError, match="dock-agent bays udev"):
        known.path(seen(tmp_path, mount=str(tmp_path / at) if at else ""))


def test_a_file_system_that_is_not_mounted_is_named_with_what_to_do(
    tmp_path: Path,
) -> None:
    with pytest.raises(CameraError, match=r"is ntfs, and only vfat.*import"):
        mounter(tmp_path).path(seen(tmp_path, fs_type="ntfs"))


@pytest.mark.parametrize("kinds", [":080650:030101:", ":030102:080650:"])
def test_what_is_a_keyboard_or_a_mouse_as_well_is_refused(
    tmp_path: Path, kinds: str
) -> None:
    with pytest.raises(CameraError, match="keyboard or a mouse as well"):
        mounter(tmp_path, line(tmp_path)).path(seen(tmp_path, interfaces=kinds))


def test_a_camera_that_has_other_interfaces_beside_its_disk_is_read(
    tmp_path: Path,
) -> None:
    kinds = ":080650:030000:ff0301:"  # a vendor's own, to unlock it, perhaps

    found = mounter(tmp_path, line(tmp_path)).path(seen(tmp_path, interfaces=kinds))

    assert found == tmp_path / AT


def test_escaped_names_are_read_as_they_are() -> None:
    (mount,) = parse(LINE.format(device="8:1", point="/a\\040b", options=GOOD))

    assert mount.point == Path("/a b")
    assert (mount.kind, mount.system) == ("vfat", frozenset({"ro"}))


def test_the_kernel_s_own_file_is_understood() -> None:
    text = Path("/proc/self/mountinfo").read_text("utf-8")
    root = [mount for mount in parse(text) if mount.point == Path("/")]

    facts = Path("/").stat()
    major, minor = os.major(facts.st_dev), os.minor(facts.st_dev)
    assert len(list(parse(text))) == len(text.splitlines())
    assert f"{major}:{minor}" in {mount.device for mount in root}


def test_a_folder_is_its_own_tree(tmp_path: Path) -> None:
    here = Sighting(BayName("1"), "t", str(tmp_path), {"folder": tmp_path.name})

    assert BayMounter().path(here) == tmp_path
    with pytest.raises(CameraError, match="no longer there"):
        BayMounter().path(Sighting(BayName("1"), "t", "/absent", {"folder": "x"}))


def test_it_is_kept_how_a_camera_is_mounted_and_its_times_are_read(
    tmp_path: Path,
) -> None:
    at_utc = line(tmp_path).replace("/dev/sda1 ro", "/dev/sda1 ro,utf8,tz=UTC")
    (tmp_path / "mountinfo").write_text(at_utc, encoding="utf-8")

    told = told_of(os.makedev(8, 1), tmp_path / "mountinfo")

    assert told == {
        "mounted_as": "vfat",
        "mount_options": "noatime,nodev,noexec,nosuid,nosymfollow,ro,tz=UTC,utf8",
        "times": "the camera's own clock, read as UTC",
    }
    assert told_of(os.makedev(8, 2), tmp_path / "mountinfo") == {}
