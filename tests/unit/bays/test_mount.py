import os
from pathlib import Path

import pytest

from dock_agent.bays.detector import Sighting
from dock_agent.bays.mount import BayMounter, SystemMounter, parse
from dock_agent.errors import CameraError
from dock_agent.recording import BayName

GOOD = "ro,nosuid,nodev,noexec,relatime"
LINE = "36 35 {device} / {point} {options} shared:1 - vfat /dev/sda1 ro\n"
SIGHTING = Sighting(BayName("1"), "3:sda1", "/dev/sda1", {"device": "8:1"})


def mountinfo(tmp_path: Path, *lines: str) -> SystemMounter:
    path = tmp_path / "mountinfo"
    path.write_text("".join(lines), encoding="utf-8")
    return SystemMounter(tmp_path / "bays", path)


def line(tmp_path: Path, device: str = "8:1", options: str = GOOD) -> str:
    return LINE.format(device=device, point=tmp_path / "bays/1", options=options)


def test_the_mount_of_the_bay_is_found(tmp_path: Path) -> None:
    mounter = mountinfo(tmp_path, line(tmp_path))

    assert mounter.path(SIGHTING) == tmp_path / "bays/1"


@pytest.mark.parametrize("lacking", ["ro", "nosuid", "nodev", "noexec"])
def test_a_mount_that_could_be_written_or_run_is_refused(
    tmp_path: Path, lacking: str
) -> None:
    options = ",".join(o for o in GOOD.split(",") if o != lacking)

    with pytest.raises(CameraError, match=lacking):
        mountinfo(tmp_path, line(tmp_path, options=options)).path(SIGHTING)


def test_another_device_in_its_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CameraError, match="holds 8:17, not 8:1"):
        mountinfo(tmp_path, line(tmp_path, device="8:17")).path(SIGHTING)


def test_a_card_that_a_desktop_grabbed_is_said_so(tmp_path: Path) -> None:
    grabbed = LINE.format(device="8:1", point="/media/user/CARD", options=GOOD)

    with pytest.raises(CameraError, match="/media/user/CARD"):
        mountinfo(tmp_path, grabbed).path(SIGHTING)


def test_the_last_of_several_mounts_counts(tmp_path: Path) -> None:
    mounter = mountinfo(tmp_path, line(tmp_path, device="8:33"), line(tmp_path))

    assert mounter.path(SIGHTING) == tmp_path / "bays/1"


def test_escaped_names_are_read_as_they_are() -> None:
    (mount,) = parse(LINE.format(device="8:1", point="/a\\040b", options=GOOD))

    assert mount.point == Path("/a b")
    assert mount.kind == "vfat"


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
