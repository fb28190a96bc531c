"""Cards that do harm: their bay says so, and nobody else notices."""

import os
import shutil
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hardware import gadget
from hardware.cards import Shape, card
from hardware.fuzz import spoilt
from hardware.hostile import FAT_CARDS, OTHER_CARDS, Hostile
from hardware.memory import peak
from hardware.ports import Camera, Fault
from hardware.station import BAYS, StationInGuest
from hardware.test_docking import ELSEWHERE, FILES, Show, camera, show

__all__ = ["show"]
pytestmark = pytest.mark.timeout(1500)
SEEDS = int(os.environ.get("HOSTILE") or 7)  # cards of each kind, spoilt by chance
AT_ONCE = 7
GOOD = "8"  # the bay of a camera that nothing is wrong with
CALM = 1_000_000  # bytes a second, while it is mounted and listed
SLOW = 100_000  # bytes a second, until all are docked
SETTLED = {"sealed", "fault", "waiting"}
MOST_MEMORY = 160_000_000  # bytes
# What a kernel says that was hurt; that it is slow, here, is none of its faults.
HURT = r"Oops|BUG: (?!soft lockup)|WARNING: CPU|general protection|refcount_t|KASAN"
ALIVE = "systemctl show dock-agent -p MainPID -p NRestarts"
Cards = Mapping[str, tuple[Path, tuple[Fault, ...]]]


def is_known(bay: Mapping[str, Any]) -> bool:
    return bay["state"] not in {"empty", "identifying"}


def beside_a_good_one(
    station: StationInGuest, cards: Cards, folder: Path, show: Show
) -> dict[str, dict[str, Any]]:
    """Dock cards while a good camera is copied; return the bays.

    Whatever the cards are like, the good one is safe, the agent is the one it was
    and no larger than it may be, and the kernel is unhurt.
    """
    guest, ports = station.guest, station.guest.ports
    before = guest.run(ALIVE).text
    with peak(guest) as memory:
        ports.plug(BAYS[GOOD], replace(camera(folder, "GOOD"), bytes_per_s=CALM))
        station.wait(GOOD, "copying")
        ports.pace(BAYS[GOOD], SLOW)
        for bay, (image, faults) in zip(BAYS, cards.values(), strict=False):
            ports.plug(BAYS[bay], Camera(image, image.stem))
            ports.fail(BAYS[bay], *faults)
            station.wait_until(bay, is_known)  # PID 1 has 20 s, and is slow here
        ports.pace(BAYS[GOOD])
        good = station.wait(GOOD, "sealed", "fault", timeout=600)
        bays = {
            name: station.wait(bay, *SETTLED, timeout=600)
            for name, bay in zip(cards, BAYS, strict=False)
        }
    show(f"with {len(cards)} of them, {memory.size / 1e6:.0f} MB at most")
    assert (good["state"], good["total"]) == ("sealed", len(FILES)), station.log()
    assert station.moments(HURT) == []
    assert guest.run(ALIVE).text == before, station.log()
    assert memory.size <= MOST_MEMORY
    assert station.check_bags() >= 1
    return bays


def said(bay: Mapping[str, Any], made: Hostile) -> tuple[Any, ...]:
    return bay["state"], made.says in (bay["reason"] or ""), bay["done"]


@pytest.mark.parametrize("table", [FAT_CARDS, OTHER_CARDS], ids=["fat", "others"])
def test_of_a_hostile_card_what_can_be_read_is_kept_and_no_part_is_called_all(
    station: StationInGuest, tmp_path: Path, show: Show, table: Mapping[str, Hostile]
) -> None:
    cards = {}
    for name, made in table.items():
        image = tmp_path / f"{name}.img"
        cards[name] = image, made.make(image)

    bays = beside_a_good_one(station, cards, tmp_path, show)

    for name, bay in bays.items():
        show(f"{name}: {bay['state']} {bay['done']}/{bay['total']} {bay['reason']}")
    wanted = {name: (c.state, True, c.kept) for name, c in table.items()}
    assert {name: said(bays[name], c) for name, c in table.items()} == wanted


FILLED = """
set -e; mkdir -p /mnt/card; mount {device} /mnt/card; cd /mnt/card
for folder in DCIM/100 DCIM/101 LOG; do mkdir -p $folder; for n in 1 2 3 4; do
  head -c 100000 /dev/zero | tr '\\0' '\\245' > $folder/$n.MP4; done; done
sync; cd /; umount /mnt/card
"""


def filled(station: StationInGuest, folder: Path, kind: str) -> Path:
    """Return a card that the guest has filled, and closed."""
    image = card(folder / f"{kind}.img", shape=Shape(kind, mib=40, partitioned=False))
    station.guest.ports.plug(ELSEWHERE, Camera(image))
    facts = station.guest.ports.ready(ELSEWHERE, partition=False)
    station.guest.run(FILLED.format(device=facts["DEVNAME"]))
    station.guest.ports.pull(ELSEWHERE)
    return image


@pytest.mark.parametrize("kind", ["vfat", "exfat", "ext4"])
def test_cards_that_were_spoilt_by_chance_hurt_nobody(
    station: StationInGuest, tmp_path: Path, show: Show, kind: str
) -> None:
    whole, ports = filled(station, tmp_path, kind), station.guest.ports
    ends: Counter[str] = Counter()

    for first in range(0, SEEDS, AT_ONCE):
        seeds = range(first, min(first + AT_ONCE, SEEDS))
        folder = tmp_path / f"from {first}"
        folder.mkdir()
        cards: Cards = {
            str(n): (spoilt(whole, folder / f"{n}.img", n), ()) for n in seeds
        }
        bays = beside_a_good_one(station, cards, folder, show)
        ends.update(bay["state"] for bay in bays.values())
        for bay, port in list(BAYS.items())[: len(cards)]:
            ports.pull(port)
            station.wait(bay, "empty", "pulled")
        ports.pull(BAYS[GOOD])
        station.wait(GOOD, "empty")
        shutil.rmtree(folder)

    show(f"{kind}: {SEEDS} seeds, {dict(ends)}")
    assert set(ends) <= {"sealed", "fault"}


def test_a_camera_that_is_a_keyboard_as_well_is_not_read(
    station: StationInGuest, tmp_path: Path, show: Show
) -> None:
    guest = station.guest
    station.watch_also("9", gadget.PORT)

    gadget.plug(guest, card(tmp_path / "card.img", FILES, Shape(mib=34)))
    bay = station.wait("9", "sealed", "fault")
    guest.ports.plug("1.1", camera(tmp_path, "GOOD"))
    good = station.wait("1", "sealed", "fault")

    show(f"{bay['code']}: {bay['reason']}")
    assert (bay["state"], bay["done"]) == ("fault", 0), station.log()
    assert "it is a keyboard or a mouse as well" in bay["reason"]
    assert good["state"] == "sealed"
    assert station.moments(HURT) == []
