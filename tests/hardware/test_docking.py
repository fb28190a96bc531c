"""A camera in a bay of a real kernel: from the plug to the verdict."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from hardware.cards import Shape, card, two_in_one
from hardware.image import run
from hardware.ports import Camera
from hardware.station import BAYS, CONFIG_FILE, VAULT, StationInGuest

pytestmark = pytest.mark.timeout(900)
CLIP = bytes(range(256)) * 4096 * 4  # 4 MiB
FILES = {"DCIM/100/CLIP1.MP4": CLIP}
ELSEWHERE = "7"  # a port that is no bay
# What a camera does that loses its power while it records.
LEFT_DIRTY = """
set -e; mkdir -p /mnt/card; mount {device} /mnt/card
mkdir -p /mnt/card/DCIM/locked; head -c 3000000 /dev/urandom > /mnt/card/DCIM/locked/1
chmod 700 /mnt/card/DCIM/locked || true; sync
echo more > /mnt/card/DCIM/locked/2; sync /mnt/card/DCIM/locked/2
"""
PROFILE = """
name = "TWO"
usb = ["46f4:0001"]
[[volumes]]
number = 2
holds = "DCIM/100"
"""
TWO_VOLUMES = f"""
mkdir -p /etc/dock-agent/profiles; cat > /etc/dock-agent/profiles/two.toml
printf '[cameras]\\nprofiles = "profiles"\\n' >> {CONFIG_FILE}
systemctl restart dock-agent
"""
CUSTODY = "sqlite3 /data/state/dock.sqlite 'SELECT line FROM custody'"
Show = Callable[[str], None]


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Show:
    """Return what prints a figure, whether or not the test passes."""

    def show(text: str) -> None:
        with capsys.disabled():
            print(f"\n  {text}")  # noqa: T201  a figure for docs/testing.md

    return show


def camera(folder: Path, serial: str, kind: str = "vfat") -> Camera:
    image = card(folder / f"{serial}.img", FILES, Shape(kind))
    return Camera(image, serial, "KINGTOP", "KT-Z3")


def digest(image: Path) -> str:
    with image.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def left_dirty(station: StationInGuest, image: Path) -> None:
    """Fill a card as a camera does that loses its power."""
    ports = station.guest.ports
    ports.plug(ELSEWHERE, Camera(image))
    device = ports.ready(ELSEWHERE)["DEVNAME"]
    station.guest.run(LEFT_DIRTY.format(device=device))
    ports.pull(ELSEWHERE)
    station.guest.run("umount -l /mnt/card")


def test_a_camera_behind_a_hub_goes_green_and_its_bag_is_sound(
    station: StationInGuest, tmp_path: Path, show: Show
) -> None:
    station.guest.ports.plug("1.2", camera(tmp_path, "A17"))
    bay = station.wait("2", "sealed", "fault")

    assert (bay["state"], bay["colour"]) == ("sealed", "green"), station.log()
    assert station.check_bags() == 1
    assert station.status()["bays"][1]["state"] == "sealed"
    custody = station.guest.run(f"cat {VAULT}/dockings/*/*/*/*/*/custody.jsonl").text
    assert "the camera's own clock, read as UTC" in custody
    found = station.moments(r"sda: sda1|Mounted run-dock|bay=2 .*to=\w+")
    disk = found[0].at
    for moment in found:
        show(f"{moment.at - disk:6.2f} s  {moment.text}")


@pytest.mark.parametrize("kind", ["vfat", "exfat"])
def test_a_dirty_card_is_read_and_not_one_bit_of_it_is_written(
    station: StationInGuest, tmp_path: Path, kind: str
) -> None:
    image = card(tmp_path / "card.img", shape=Shape(kind))
    left_dirty(station, image)
    before = digest(image)

    station.guest.ports.plug("1.1", Camera(image, "A17"))
    bay = station.wait("1", "sealed", "fault")
    station.guest.ports.pull("1.1")

    assert (bay["state"], bay["total"]) == ("sealed", 2), station.log()
    assert digest(image) == before
    assert station.check_bags() == 1


def test_what_only_a_journal_has_is_missed_not_written_and_never_green(
    station: StationInGuest, tmp_path: Path, show: Show
) -> None:
    image = card(tmp_path / "card.img", shape=Shape("ext4"))
    left_dirty(station, image)
    before = digest(image)

    station.guest.ports.plug("1.1", Camera(image, "A17"))
    bay = station.wait("1", "sealed", "fault")
    station.guest.ports.pull("1.1")

    show(f"{bay['code']}: {bay['reason']}")
    assert (bay["state"], bay["colour"]) == ("fault", "red"), station.log()
    assert bay["done"] == 1  # what could be read is kept all the same
    assert digest(image) == before


def test_a_clean_ext4_is_read_whole_past_its_modes(
    station: StationInGuest, tmp_path: Path
) -> None:
    image = card(tmp_path / "card.img", FILES, Shape("ext4"))  # has a lost+found
    before = digest(image)

    station.guest.ports.plug("1.1", Camera(image, "A17"))
    bay = station.wait("1", "sealed", "fault")
    station.guest.ports.pull("1.1")

    assert (bay["state"], bay["total"]) == ("sealed", 1), station.log()
    assert digest(image) == before


def test_a_card_that_asks_for_a_panic_at_an_error_does_not_get_one(
    station: StationInGuest, tmp_path: Path
) -> None:
    """Its root directory is rubbish, which the kernel finds when it is listed."""
    image = card(tmp_path / "card.img", FILES, Shape("ext4", partitioned=False))
    run("tune2fs", "-e", "panic", image)
    run("debugfs", "-w", "-R", "zap_block -f / -p 0xFF 0", image)

    station.guest.ports.plug("1.1", Camera(image, "A17"))
    bay = station.wait("1", "sealed", "fault")
    station.guest.ports.plug("1.2", camera(tmp_path, "B18"))

    assert (bay["state"], bay["colour"]) == ("fault", "red"), station.log()
    assert "dock-agent bays image" in bay["reason"]
    assert station.wait("2", "sealed", "fault")["state"] == "sealed"


def test_eight_cameras_at_once_are_all_safe(
    station: StationInGuest, tmp_path: Path, show: Show
) -> None:
    for name, port in BAYS.items():
        station.guest.ports.plug(port, camera(tmp_path, f"CAM{name}"))
    bays = [station.wait(name, "sealed", "fault", timeout=600) for name in BAYS]

    assert [bay["state"] for bay in bays] == ["sealed"] * 8, station.log()
    assert len({bay["camera"] for bay in bays}) == 8
    assert station.check_bags() == 8
    peak = station.guest.run("systemctl show dock-agent -p MemoryCurrent").text
    show(f"eight bays: {peak.strip()} bytes")


def test_a_card_without_partitions_is_read(
    station: StationInGuest, tmp_path: Path
) -> None:
    image = card(tmp_path / "card.img", FILES, Shape(partitioned=False))

    station.guest.ports.plug("1.1", Camera(image, "A17"))
    bay = station.wait("1", "sealed", "fault")

    assert (bay["state"], bay["total"]) == ("sealed", 1), station.log()


def test_of_two_volumes_in_a_bay_none_is_chosen_in_silence(
    station: StationInGuest, tmp_path: Path
) -> None:
    image = two_in_one(tmp_path / "card.img", FILES, {"DCIM/OTHER.MP4": CLIP})

    station.guest.ports.plug("1.1", Camera(image, "A17"))
    bay = station.wait("1", "fault")

    assert (bay["colour"], bay["code"]) == ("red", "D-18")


def test_of_two_volumes_in_a_bay_the_one_that_its_profile_names_is_read(
    station: StationInGuest, tmp_path: Path
) -> None:
    station.guest.run(TWO_VOLUMES, given=PROFILE.encode())
    image = two_in_one(tmp_path / "card.img", {"UPDATE.BIN": b"firmware"}, FILES)

    station.guest.ports.plug("1.1", Camera(image, "A17"))
    bay = station.wait("1", "sealed", "fault")
    station.guest.ports.plug("1.2", Camera(card(tmp_path / "other.img", FILES), "B18"))
    other = station.wait("2", "sealed", "fault")

    assert (bay["state"], bay["total"]) == ("sealed", len(FILES)), station.log()
    assert bay["camera"] == "TWO:A17"
    assert "volume passed over" in station.guest.run(CUSTODY).text
    assert (other["state"], other["code"]) == ("fault", "D-18"), station.log()
    assert "no volume in this bay is the one" in other["reason"]


def test_a_volume_without_what_its_profile_says_is_on_it_is_for_a_person(
    station: StationInGuest, tmp_path: Path
) -> None:
    station.guest.run(TWO_VOLUMES, given=PROFILE.encode())
    image = two_in_one(tmp_path / "card.img", FILES, {"ELSEWHERE/CLIP.MP4": CLIP})

    station.guest.ports.plug("1.1", Camera(image, "A17"))
    bay = station.wait("1", "sealed", "fault")

    assert (bay["state"], bay["code"]) == ("fault", "D-18"), station.log()
    assert "there is no DCIM/100 on it" in bay["reason"]


def test_a_file_system_that_is_not_read_is_a_fault_that_names_it(
    station: StationInGuest, tmp_path: Path, show: Show
) -> None:
    station.guest.ports.plug("1.1", camera(tmp_path, "A17", kind="ext2"))
    bay = station.wait("1", "fault")

    show(f"{bay['code']}: {bay['reason']}")
    assert "its file system is ext2" in bay["reason"]
    assert "/run/dock-agent" not in station.guest.run("cat /proc/mounts").text


def test_a_card_without_any_file_system_is_a_fault_not_an_empty_bay(
    station: StationInGuest, tmp_path: Path, show: Show
) -> None:
    (tmp_path / "card.img").write_bytes(bytes(1 << 20))

    station.guest.ports.plug("1.1", Camera(tmp_path / "card.img", "A17"))
    bay = station.wait("1", "fault")

    show(f"{bay['code']}: {bay['reason']}")
    assert "no file system is on it that is known here" in bay["reason"]


def test_a_card_in_a_port_that_is_no_bay_is_left_alone(
    station: StationInGuest, tmp_path: Path
) -> None:
    ports = station.guest.ports
    ports.plug(ELSEWHERE, camera(tmp_path, "STICK"))
    device = ports.ready(ELSEWHERE)["DEVNAME"]
    ports.plug("1.1", camera(tmp_path, "A17"))
    station.wait("1", "sealed")

    assert station.guest.run(f"blockdev --getro {device}").text == "0\n"
    assert f"{device} " not in station.guest.run("cat /proc/mounts").text
    assert station.bay("2")["state"] == "empty"


def test_two_cameras_that_look_the_same_stay_two(
    station: StationInGuest, tmp_path: Path
) -> None:
    first, second = tmp_path / "1.img", tmp_path / "2.img"
    second.write_bytes(card(first, FILES).read_bytes())  # the same file system's id

    for port, image in (("1.1", first), ("1.2", second)):
        station.guest.ports.plug(port, Camera(image, "SAME"))
    bays = [station.wait(name, "sealed", "fault") for name in ("1", "2")]

    assert [bay["state"] for bay in bays] == ["sealed"] * 2, station.log()
    assert bays[0]["camera"] != bays[1]["camera"]
    assert station.check_bags() == 2


def test_the_bays_are_learnt_by_plugging_a_camera_into_each(
    station: StationInGuest, tmp_path: Path
) -> None:
    ports, one = station.guest.ports, camera(tmp_path, "A17")
    learning = station.guest.spawn("dock-agent bays learn left right")

    learning.wait(120, until="into bay left")
    ports.plug("2.3", one)
    learning.wait(60, until="into bay right")
    ports.pull("2.3")
    ports.plug("7", one)
    learning.wait(60)

    assert 'name = "left"\nport = "pci-0000:00:14.0-usb-0:2.3"' in learning.text
    assert 'name = "right"\nport = "pci-0000:00:14.0-usb-0:7"' in learning.text
