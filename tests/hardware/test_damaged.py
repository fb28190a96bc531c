"""Cards of which no file can be read: told of at once, and kept as an image."""

import json
from pathlib import Path

import pytest

from hardware.cards import card, spoil
from hardware.ports import Camera, Fault
from hardware.station import VAULT, StationInGuest
from hardware.test_docking import CUSTODY, FILES, Show, digest, show

__all__ = ["show"]
pytestmark = pytest.mark.timeout(900)
IMAGE = "dock-agent bays image 1 --by Smith --why 'it is damaged' --json"
AS_DOCK = f"runuser -u dock -- {IMAGE} 2>/run/said || {{ cat /run/said; false; }}"
BAD = 100_000  # a sector of the card, in the midst of its clusters
PAGE = 4096


def test_a_card_that_cannot_be_mounted_is_told_of_at_once_and_kept_as_an_image(
    station: StationInGuest, tmp_path: Path, show: Show
) -> None:
    image = spoil(card(tmp_path / "card.img", FILES))
    before = digest(image)

    station.guest.ports.plug("1.1", Camera(image, "A17"))
    bay = station.wait("1", "sealed", "fault")
    (kept,) = json.loads(station.guest.run(AS_DOCK, timeout=300).out)
    there = station.guest.run(f"sha256sum {VAULT}/{kept['image']}").text.split()[0]
    custody = station.guest.run(CUSTODY).text
    station.guest.ports.pull("1.1")
    gone = station.wait("1", "pulled", "empty")

    show(f"{bay['code']}: {bay['reason']}")
    assert (bay["state"], bay["colour"]) == ("fault", "red"), station.log()
    assert "vfat cannot be mounted" in bay["reason"]
    assert kept["sha256"] == there == digest(image) == before
    assert (kept["unread"], kept["size"]) == ([], image.stat().st_size)
    assert '"kind":"card image kept"' in custody
    assert '"actor":"Smith"' in custody
    assert gone["name"] == "1"
    failed = next(m.at for m in station.moments("Failed to mount run-dock"))
    fault = next(m.at for m in station.moments("to=fault"))
    show(f"from the mount that failed to the fault: {fault - failed:.1f} s")
    assert fault - failed < 15  # not after all of the mounter's patience


def test_what_a_card_does_not_give_is_a_range_of_its_image(
    station: StationInGuest, tmp_path: Path
) -> None:
    image = spoil(card(tmp_path / "card.img", FILES))

    station.guest.ports.plug("1.1", Camera(image, "A17"))
    station.wait("1", "fault")
    station.guest.ports.fail("1.1", Fault((BAD,)))
    (kept,) = json.loads(station.guest.run(AS_DOCK, timeout=600).out)
    there = station.guest.run(f"sha256sum {VAULT}/{kept['image']}").text.split()[0]

    (gap,) = kept["unread"]
    assert (gap["offset"], gap["length"]) == (BAD * 512 // PAGE * PAGE, PAGE)
    with image.open("r+b") as file:  # what is left of it
        file.seek(gap["offset"])
        file.write(bytes(PAGE))
    assert kept["sha256"] == there == digest(image)


def test_a_card_in_no_bay_is_for_nobody_to_read(
    station: StationInGuest, tmp_path: Path
) -> None:
    ports = station.guest.ports
    ports.plug("7", Camera(card(tmp_path / "stick.img", FILES), "STICK"))
    device = ports.ready("7")["DEVNAME"].rstrip("1")

    done = station.guest.run(AS_DOCK, check=False)
    mode = station.guest.run(f"stat -c '%G %a' {device}").text

    assert done.rc != 0
    assert mode == "disk 660\n"
