"""The bench itself: what it says that it does to a guest, it does."""

from pathlib import Path

import pytest

from hardware.cards import Shape, card
from hardware.guest import Guest, MakeGuest
from hardware.machine import Hardware
from hardware.ports import Camera, Fault

pytestmark = pytest.mark.timeout(600)
CLIP = bytes(range(256)) * 4096 * 4  # 4 MiB


@pytest.fixture
def camera(tmp_path: Path) -> Camera:
    files = {"DCIM/100/CLIP1.MP4": CLIP}
    return Camera(card(tmp_path / "card.img", files), "KTZ3A00017", "KINGTOP", "KT-Z3")


def mount(guest: Guest, port: str) -> None:
    device = guest.ports.ready(port)["DEVNAME"]
    guest.run(f"mkdir -p /mnt/cam && mount -o ro {device} /mnt/cam")


def test_a_camera_is_known_by_its_port_and_its_words(
    guest: Guest, camera: Camera
) -> None:
    guest.ports.plug("1.2", camera)

    facts = guest.ports.ready("1.2")

    assert "-usb-0:1.2:1.0-scsi-0:0:0:0" in facts["ID_PATH"]
    assert facts["ID_SERIAL_SHORT"] == "KTZ3A00017"
    assert (facts["ID_VENDOR"], facts["ID_MODEL"]) == ("KINGTOP", "KT-Z3")
    assert (facts["ID_FS_TYPE"], facts["DEVTYPE"]) == ("vfat", "partition")


def test_a_camera_that_is_pulled_fails_its_reader(guest: Guest, camera: Camera) -> None:
    slow = Camera(camera.card, camera.serial, bytes_per_s=200_000)
    guest.ports.plug("1.2", slow)
    mount(guest, "1.2")
    read = "{ head -c 65536; echo begins >&2; cat; } > /dev/null"
    reader = guest.spawn(f"{read} < /mnt/cam/DCIM/100/CLIP1.MP4")
    reader.wait(until="begins")

    guest.ports.pull("1.2")

    assert "Input/output error" in reader.wait(30).text
    assert guest.run("ls /mnt/cam").text == ""  # the stale mount lies


def test_a_sector_that_fails_is_an_error_until_it_is_healed(
    guest: Guest, camera: Camera
) -> None:
    guest.ports.plug("2.1", camera)
    device = guest.ports.ready("2.1", partition=False)["DEVNAME"]
    read = f"dd if={device} of=/dev/null bs=512 skip=9000 count=1 iflag=direct"

    guest.ports.fail("2.1", Fault((9000,)))
    failed = guest.run(read, check=False)
    guest.ports.fail("2.1")
    healed = guest.run(read, check=False)

    assert (failed.rc, healed.rc) == (1, 0)


def test_a_hub_that_is_pulled_takes_its_cameras_along(
    guest: Guest, camera: Camera
) -> None:
    guest.ports.plug("2.1", camera)
    guest.ports.ready("2.1")

    guest.ports.pull_hub("2")

    gone = "until ! ls /sys/bus/usb/devices/*-2.1; do sleep .1; done"
    assert guest.run(gone, timeout=30).rc == 0


def test_what_was_synced_outlives_the_mains_plug(guest: Guest) -> None:
    guest.run("echo kept > /data/kept && sync")

    guest.cut()
    guest.start()

    assert guest.read("/data/kept") == b"kept\n"


@pytest.mark.parametrize("kind", ["vfat", "exfat", "ext4"])
def test_a_card_of_each_kind_is_seen(guest: Guest, tmp_path: Path, kind: str) -> None:
    guest.ports.plug("1.1", Camera(card(tmp_path / "x.img", shape=Shape(kind))))

    assert guest.ports.ready("1.1")["ID_FS_TYPE"] == kind


def test_a_folder_of_this_machine_is_seen_in_the_guest(
    make_guest: MakeGuest, tmp_path: Path
) -> None:
    (tmp_path / "share").mkdir()
    (tmp_path / "share" / "note").write_text("hello")

    guest = make_guest(Hardware(shares={"tree": tmp_path / "share"}))

    assert guest.read("/mnt/tree/note") == b"hello"
