"""Cameras that leave a bay of a real kernel before they should."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from hardware.cards import card
from hardware.ports import Camera
from hardware.station import StationInGuest
from hardware.test_docking import CLIP, FILES, Show, camera, show

__all__ = ["show"]
pytestmark = pytest.mark.timeout(900)
PULLS = int(os.environ.get("PULLS") or 6)
MANY = {f"DCIM/100/CLIP{n}.MP4": CLIP for n in range(1, 9)}  # 32 MiB
SLOW = 3_000_000  # bytes a second
COUNT_CLIPS = "find /data/vault -name 'CLIP*' | wc -l"
PILES = """
grep /run/dock-agent /proc/mounts; ls -A /run/dock-agent/bays/*
systemctl list-units --all --no-legend 'dock-mount@*' '*dock*agent*bays*'; true
"""
GONE = f'until [ -z "$({PILES})" ]; do udevadm settle; done'


def slow(folder: Path, serial: str) -> Camera:
    image = card(folder / f"{serial}.img", MANY)
    return Camera(image, serial, "KINGTOP", "KT-Z3", bytes_per_s=SLOW)


def wait_until_some_are_safe(station: StationInGuest, bay: str) -> None:
    station.wait_until(bay, lambda now: now["state"] == "copying" and now["done"] > 0)


def test_a_camera_that_was_pulled_has_only_the_rest_copied_when_it_is_back(
    station: StationInGuest, tmp_path: Path, show: Show
) -> None:
    ports, pulled = station.guest.ports, slow(tmp_path, "A17")
    ports.plug("1.1", pulled)
    wait_until_some_are_safe(station, "1")

    ports.pull("1.1")
    bay = station.wait("1", "pulled", "fault")
    ports.plug("1.1", camera(tmp_path, "B18"))
    other = station.wait_until("1", lambda bay: bay["state"] in {"sealed", "fault"})
    ports.pull("1.1")
    station.wait("1", "empty")
    ports.plug("1.1", pulled)
    back = station.wait("1", "sealed", "fault")

    assert (bay["state"], other["state"]) == ("pulled", "sealed"), station.log()
    assert back["camera"] != other["camera"]
    assert (back["state"], back["total"]) == ("sealed", 8), station.log()
    out = station.moments("USB disconnect")[0].at
    free = next(m.at for m in station.moments("to=pulled"))
    show(f"from the pull to PULLED: {free - out:.2f} s")
    assert free - out <= 3
    copies = station.guest.run(COUNT_CLIPS).text
    assert int(copies) == 8 + 1


def test_a_camera_that_is_moved_to_another_bay_goes_on_there(
    station: StationInGuest, tmp_path: Path
) -> None:
    ports, moved = station.guest.ports, slow(tmp_path, "A17")
    ports.plug("1.1", moved)
    wait_until_some_are_safe(station, "1")

    ports.pull("1.1")
    ports.plug("1.2", moved)
    there = station.wait("2", "sealed", "fault")

    assert (there["state"], there["total"]) == ("sealed", 8), station.log()
    assert station.bay("1")["state"] == "empty"
    copies = station.guest.run(COUNT_CLIPS).text
    assert int(copies) == 8


def test_a_hub_that_is_pulled_with_four_cameras_frees_their_bays(
    station: StationInGuest, tmp_path: Path
) -> None:
    bays = {str(n): f"1.{n}" for n in range(1, 5)}
    for name, port in bays.items():
        station.guest.ports.plug(port, slow(tmp_path, f"CAM{name}"))
    for name in bays:
        station.wait(name, "copying", timeout=300)

    station.guest.ports.pull_hub("1")
    states = [station.wait(name, "pulled", "fault")["state"] for name in bays]
    station.guest.ports.plug("2.1", camera(tmp_path, "B18"))

    assert states == ["pulled"] * 4, station.log()
    assert station.wait("5", "sealed", "fault")["state"] == "sealed"


def test_the_cameras_of_a_hub_that_was_pulled_go_on_when_it_is_put_back(
    station: StationInGuest, tmp_path: Path, show: Show
) -> None:
    ports, bays = station.guest.ports, {str(n): f"1.{n}" for n in range(1, 5)}
    cameras = {name: slow(tmp_path, f"CAM{name}") for name in bays}
    for name, port in bays.items():
        ports.plug(port, replace(cameras[name], bytes_per_s=SLOW // 3))
    for name, port in bays.items():
        wait_until_some_are_safe(station, name)
        ports.pace(port, SLOW // 100)  # so that it waits for the others
    before = {name: station.bay(name)["camera"] for name in bays}

    ports.pull_hub("1")
    for name in bays:  # one whose reader failed first is a fault until it is gone
        station.wait(name, "pulled")
    had = int(station.guest.run(COUNT_CLIPS).text)
    ports.plug_hub("1")
    for name, port in bays.items():
        ports.plug(port, cameras[name])
    back = {name: station.wait(name, "sealed", "fault", timeout=400) for name in bays}

    assert {bay["state"] for bay in back.values()} == {"sealed"}, station.log()
    assert {name: bay["camera"] for name, bay in back.items()} == before
    assert [bay["total"] for bay in back.values()] == [len(MANY)] * 4
    copies = int(station.guest.run(COUNT_CLIPS).text)
    show(f"{had} of {copies} files were safe when the hub was pulled")
    assert 0 < had < copies == 4 * len(MANY)  # none was copied twice
    assert station.check_bags() == 2 * 4  # what was safe before is sealed, too


@pytest.mark.timeout(900 + 30 * PULLS)
def test_nothing_piles_up_however_often_a_camera_is_pulled(
    station: StationInGuest, tmp_path: Path, show: Show
) -> None:
    """Letters of disks are used again, numbers too: each is another attachment."""
    ports, cards = station.guest.ports, [slow(tmp_path, f"C{n}") for n in range(2)]

    names, bays = set(), []
    for turn in range(PULLS):
        ports.plug("1.1", cards[turn % 2])
        bays.append(station.wait("1", "copying", "sealed", "fault"))
        names.add(ports.ready("1.1")["DEVNAME"])
        ports.pull("1.1")
        station.wait("1", "pulled", "empty", "fault")

    station.guest.run(GONE, timeout=60)
    show(f"{PULLS} pulls, as {', '.join(sorted(names))}")
    assert "fault" not in {bay["state"] for bay in bays}, station.log()
    assert all(bay["total"] != 0 for bay in bays)


IN_THE_KERNEL = "until ls /dev/disk/by-path/*-usb-0:1.1:*; do :; done"
MOUNTED = "until grep /run/dock-agent/bays/1/ /proc/mounts; do :; done"
SAID = "bay=1 .*to={}"
MOMENTS: Mapping[str, Callable[[StationInGuest], object]] = {
    "before its mount": lambda at: at.guest.run(IN_THE_KERNEL, timeout=300),
    "while it is listed": lambda at: at.guest.run(MOUNTED, timeout=300),
    "as copying begins": lambda at: at.wait_for_log(SAID.format("copying")),
    "before its seal": lambda at: at.wait_for_log(SAID.format("checking")),
}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
def test_a_camera_that_is_pulled_at_a_bad_moment_is_docked_again_and_nothing_is_lost(
    station: StationInGuest,
    tmp_path: Path,
    show: Show,
    moment: Callable[[StationInGuest], object],
) -> None:
    ports, files = station.guest.ports, dict.fromkeys(many_names(), CLIP[:4096])
    one = Camera(card(tmp_path / "card.img", files), "A17", bytes_per_s=SLOW)
    ports.plug("1.1", one)

    moment(station)
    ports.pull("1.1")
    station.guest.run(GONE, timeout=60)
    bay = station.wait("1", "pulled", "empty", "fault")
    ports.plug("1.1", one)
    back = station.wait("1", "sealed", "fault")

    show(f"{bay['state']} with {bay['done']} of {bay['total']}: {bay['reason']}")
    assert bay["state"] != "fault", station.log()
    assert (back["state"], back["total"]) == ("sealed", len(files)), station.log()
    assert station.check_bags() >= 1


def many_names() -> list[str]:
    return [f"DCIM/{n // 50}/CLIP{n}.MP4" for n in range(200)]


def test_a_mount_that_is_left_over_is_never_read_as_an_empty_camera(
    station: StationInGuest, tmp_path: Path
) -> None:
    ports = station.guest.ports
    ports.plug("1.1", slow(tmp_path, "A17"))
    station.wait("1", "copying")
    hold = "cd /run/dock-agent/bays/1/*/DCIM && exec sleep infinity"
    holder = station.guest.spawn(hold)  # keeps the mount from going

    ports.pull("1.1")
    station.wait("1", "pulled")
    ports.plug("1.1", camera(tmp_path, "B18"))
    bay = station.wait("1", "sealed", "fault")
    holder.kill()

    assert (bay["state"], bay["total"]) == ("sealed", len(FILES)), station.log()
