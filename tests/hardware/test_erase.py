"""Cameras in bays of a real kernel that are cleared, and those that may not be."""

import json
import subprocess
from pathlib import Path

import pytest

from hardware.cards import FIRST, SECTOR, Shape, card
from hardware.ports import Camera, Fault
from hardware.station import StationInGuest
from hardware.test_docking import CLIP, ELSEWHERE, Show, digest, left_dirty, show

__all__ = ["show"]
pytestmark = pytest.mark.timeout(900)
SMALL = 200_000
FILES = {
    "DCIM/100/CLIP1.MP4": CLIP,
    "DCIM/100/a long name, with Capitals and spaces.mp4": CLIP[:SMALL],
    "LOG/EMPTY.LOG": b"",
}
MANY = {f"DCIM/100/CLIP{n:04}.MP4": CLIP[:4096] for n in range(300)}
FILL = """
set -e; mkdir -p /mnt/card; mount {device} /mnt/card; mkdir -p /mnt/card/DCIM/100
head -c {size} /dev/urandom > '/mnt/card/DCIM/100/a long name.mp4'
head -c {size} /dev/urandom > /mnt/card/DCIM/100/CLIP1.MP4
umount /mnt/card
"""
LISTED = "cd /run/dock-agent/bays/{bay}/* && find . -type f | wc -l"


def vfat(folder: Path, files: dict[str, bytes]) -> Path:
    return card(folder / "card.img", files)


def exfat(station: StationInGuest, folder: Path) -> Path:
    """Make an exFAT card; the guest fills it, and closes it as it should be."""
    image, ports = card(folder / "card.img", shape=Shape("exfat")), station.guest.ports
    ports.plug(ELSEWHERE, Camera(image))
    device = ports.ready(ELSEWHERE)["DEVNAME"]
    station.guest.run(FILL.format(device=device, size=SMALL))
    ports.pull(ELSEWHERE)
    return image


def left_on(image: Path) -> int:
    """Count the files of a FAT32 card, by a program that is not ours."""
    at = f"{image}@@{FIRST * SECTOR}"
    command = ["mdir", "-/", "-b", "-f", "-i", at, "::"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return len([line for line in done.stdout.splitlines() if not line.endswith("/")])


def custody(station: StationInGuest, kind: str) -> int:
    """Count the custody log's lines of one kind."""
    ask = "sqlite3 /data/state/dock.sqlite 'SELECT line FROM custody'"
    lines = map(json.loads, station.guest.run(ask).text.splitlines())
    return sum(line["kind"] == kind for line in lines)


def require_shut(station: StationInGuest, bay: str, device: str) -> None:
    """Fail unless the camera may only be read again, and nothing is left over."""
    mounts = station.guest.run("cat /proc/mounts").text
    assert "/run/dock-agent/clearing" not in mounts
    assert f"/run/dock-agent/bays/{bay}/" in mounts
    assert station.guest.run(f"blockdev --getro {device}").text == "1\n"
    assert station.guest.run("ls -A /run/dock-agent/wishes").text == ""


def test_a_sealed_vfat_camera_is_cleared_and_that_is_proved(
    eraser: StationInGuest, tmp_path: Path, show: Show
) -> None:
    image = vfat(tmp_path, FILES)

    eraser.guest.ports.plug("1.2", Camera(image, "A17"))
    bay = eraser.wait("2", "sealed", "fault", timeout=400)

    assert (bay["colour"], bay["reason"]) == ("green", None), eraser.log()
    require_shut(eraser, "2", eraser.guest.ports.ready("1.2")["DEVNAME"])
    assert eraser.guest.run(LISTED.format(bay="2")).text == "0\n"
    assert (custody(eraser, "erased"), custody(eraser, "camera cleared")) == (3, 1)
    eraser.guest.ports.pull("1.2")
    assert left_on(image) == 0
    assert eraser.check_bags() == 1
    found = eraser.moments(r"dock-erase|bay=2 .*to=\w+|camera cleared")
    for moment in found:
        show(f"{moment.at - found[0].at:6.2f} s  {moment.text}")


def test_a_sealed_exfat_camera_is_cleared_and_that_is_proved(
    eraser: StationInGuest, tmp_path: Path
) -> None:
    image = exfat(eraser, tmp_path)

    eraser.guest.ports.plug("1.1", Camera(image, "A17"))
    bay = eraser.wait("1", "sealed", "fault", timeout=400)

    assert (bay["colour"], bay["reason"]) == ("green", None), eraser.log()
    assert eraser.guest.run(LISTED.format(bay="1")).text == "0\n"
    assert custody(eraser, "erased") == 2
    require_shut(eraser, "1", eraser.guest.ports.ready("1.1")["DEVNAME"])


@pytest.mark.parametrize("kind", ["vfat", "exfat"])
def test_a_card_that_was_not_closed_is_not_opened_for_writing_and_it_is_told(
    eraser: StationInGuest, tmp_path: Path, show: Show, kind: str
) -> None:
    image = card(tmp_path / "card.img", shape=Shape(kind))
    left_dirty(eraser, image)
    before = digest(image)

    eraser.guest.ports.plug("1.1", Camera(image, "A17"))
    bay = eraser.wait("1", "sealed", "fault", timeout=400)
    eraser.guest.ports.pull("1.1")

    show(f"{bay['colour']}: {bay['reason']}")
    assert "was not closed" in (bay["reason"] or ""), eraser.log()
    assert digest(image) == before
    assert custody(eraser, "erased") == 0


def test_nothing_of_an_ext4_card_is_touched_and_it_is_told(
    eraser: StationInGuest, tmp_path: Path, show: Show
) -> None:
    image = card(tmp_path / "card.img", FILES, Shape("ext4"))
    before = digest(image)

    eraser.guest.ports.plug("1.1", Camera(image, "A17"))
    bay = eraser.wait("1", "sealed", "fault", timeout=400)
    eraser.guest.ports.pull("1.1")

    show(f"{bay['colour']}: {bay['reason']}")
    assert "ext4" in (bay["reason"] or ""), eraser.log()
    assert digest(image) == before
    assert custody(eraser, "erase intended") == 0


def test_a_card_that_cannot_be_written_has_nothing_erased(
    eraser: StationInGuest, tmp_path: Path, show: Show
) -> None:
    ports = eraser.guest.ports
    ports.plug("1.1", Camera(vfat(tmp_path, FILES), "A17"))
    ports.fail("1.1", Fault((-1,), "write"))
    bay = eraser.wait("1", "sealed", "fault", timeout=400)

    show(f"{bay['colour']}: {bay['reason']}")
    assert bay["reason"], eraser.log()
    assert custody(eraser, "erased") == custody(eraser, "camera cleared") == 0


def test_a_camera_that_is_pulled_midway_is_settled_by_its_next_docking(
    eraser: StationInGuest, tmp_path: Path, show: Show
) -> None:
    ports, image = eraser.guest.ports, vfat(tmp_path, MANY)
    ports.plug("1.1", Camera(image, "A17"))
    opened = "until grep -q /run/dock-agent/clearing /proc/mounts; do sleep 0.05; done"
    eraser.guest.run(opened, timeout=400)

    ports.pull("1.1")
    eraser.wait("1", "empty", "pulled", "fault")
    erased = custody(eraser, "erased")
    left = left_on(image)
    ports.plug("1.1", Camera(image, "A17"))
    bay = eraser.wait("1", "sealed", "fault", timeout=400)

    show(f"{len(MANY) - left} of {len(MANY)} were gone; {bay['reason']}")
    assert (erased, bay["total"]) == (0, left), eraser.log()
    assert custody(eraser, "found gone") == len(MANY) - left
    assert eraser.check_bags() == (2 if left else 1)


def test_a_station_that_never_erases_has_nothing_that_opens_a_camera(
    station: StationInGuest, tmp_path: Path
) -> None:
    image = vfat(tmp_path, FILES)
    before = digest(image)

    station.guest.ports.plug("1.1", Camera(image, "A17"))
    station.wait("1", "sealed", "fault")
    place = station.guest.run("cd /run/dock-agent/bays && echo */*").text.strip()
    wish = "/run/dock-agent/wishes/" + place.replace("/", "-")
    units = station.guest.run(f"touch {wish}; systemctl list-units --all '*erase*'")
    station.guest.ports.pull("1.1")

    assert "dock-erase@" not in units.text
    assert digest(image) == before


def test_a_power_cut_midway_is_settled_by_the_next_docking(
    eraser: StationInGuest, tmp_path: Path, show: Show
) -> None:
    guest, image = eraser.guest, vfat(tmp_path, MANY)
    guest.ports.plug("1.1", Camera(image, "A17"))
    opened = "until grep -q /run/dock-agent/clearing /proc/mounts; do sleep 0.05; done"
    guest.run(opened, timeout=400)

    guest.cut()
    left = left_on(image)
    guest.start()  # the camera still in its bay
    bay = eraser.wait("1", "sealed", "fault", timeout=600)

    show(f"{len(MANY) - left} of {len(MANY)} were gone; {bay['reason']}")
    assert bay["total"] == left, eraser.log()
    assert custody(eraser, "erased") == 0
    assert custody(eraser, "found gone") == len(MANY) - left
