"""The power of a station is cut while it works: what it said before still holds.

`REPLAYS` says how many cuts are replayed from recorded runs, `CUTS` how often a
guest is really killed.
"""

import os
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from hardware import careless
from hardware.cards import Files, card
from hardware.crash import count
from hardware.cuts import ON_THE_CARD, QUIET, Court, court, record
from hardware.guest import Guest, MakeGuest
from hardware.image import run
from hardware.judge import GONE
from hardware.machine import Hardware
from hardware.ports import Camera
from hardware.station import StationInGuest, extra
from hardware.test_docking import Show, show
from hardware.witness import Seen, Witness, custody

__all__ = ["show"]
pytestmark = pytest.mark.timeout(3600)
REPLAYS = int(os.environ.get("REPLAYS") or 210)
CUTS = int(os.environ.get("CUTS") or 5)
MIB = 1 << 20


def content(name: str, size: int) -> bytes:
    return random.Random(name).randbytes(size)


BIG: Files = {f"DCIM/{n}.MP4": content(f"b{n}", 5 * MIB + n) for n in range(3)}
SMALL: Files = {
    f"DCIM/{n % 7}/{n:03d}.NMEA": content(f"s{n}", 50 * n) for n in range(150)
}
LOADS: Mapping[str, Mapping[str, Files]] = {
    "big files": {"1.1": BIG},
    "small files": {"1.1": SMALL},
    "two bays": {
        "1.1": {f"A/{name}": content(name, 40_000) for name in map(str, range(40))},
        "2.1": {f"B/{name}": content(name, 3 * MIB) for name in map(str, range(3))},
    },
}
CONTROLS = 12
LONG: Files = {f"DCIM/{n:02d}.MP4": content(f"l{n}", MIB) for n in range(24)}
SLOW = 1_000_000  # bytes a second
MOST_WRITES = 120  # to the disk from a docking's beginning to the cut
CAMERA = "generic:CAM1"
CARELESS = Path(careless.__file__).read_bytes()
DROP_IN = "/etc/systemd/system/dock-agent.service.d"
CARELESSLY = "/usr/bin/python3 -IS /usr/local/lib/careless.py"
MAKE_CARELESS = f"""
systemctl stop dock-agent && mkdir {DROP_IN} && cd {DROP_IN}
{{ echo '[Service]'; echo ExecStart=
  sed -n 's|^ExecStart=|&{CARELESSLY} |p' ../dock-agent.service; }} > careless.conf
systemctl daemon-reload && systemctl start dock-agent
"""


@pytest.fixture
def judges(tmp_path: Path) -> Iterator[Court]:
    with court(tmp_path) as made:
        yield made


@pytest.fixture
def sender(make_guest: MakeGuest) -> Guest:
    """Return a station that also sends, whose disk's writes are recorded."""
    return make_guest(Hardware(logged=True), extra(sends=True))


@pytest.mark.parametrize("load", LOADS)
def test_what_was_called_safe_before_a_cut_is_safe_after_it(
    sender: Guest, judges: Court, tmp_path: Path, show: Show, load: str
) -> None:
    """Every cut ends in the same vault as none: each file once, and provable."""
    recorded = record(sender, tmp_path, LOADS[load])

    figures = judges.replay(recorded, range(REPLAYS // len(LOADS)))

    show(f"{load}, {count(recorded.log)} writes; {figures}")
    assert figures.wrong == []
    assert figures.lost > 0
    assert figures.files > 0


def test_a_station_that_never_flushes_is_found_out(
    make_guest: MakeGuest, judges: Court, tmp_path: Path, show: Show
) -> None:
    """The negative control: the same cuts, and an agent that never flushes."""
    guest = make_guest(Hardware(logged=True), extra())
    guest.run("cat > /usr/local/lib/careless.py", given=CARELESS)
    guest.run(MAKE_CARELESS, timeout=300)
    recorded = record(guest, tmp_path, LOADS["two bays"])

    figures = judges.replay(recorded, range(CONTROLS))

    show(f"never flushed, {count(recorded.log)} writes; {figures}")
    assert any(GONE in wrong for wrong in figures.wrong), figures.wrong


def test_a_station_whose_plug_is_pulled_goes_on_by_itself(
    make_guest: MakeGuest, judges: Court, tmp_path: Path, show: Show
) -> None:
    """The camera stays in its bay; nobody touches anything but the plug."""
    guest, chance = make_guest(Hardware(logged=True), extra()), random.Random(CUTS)
    image = card(tmp_path / "card.img", LONG, ON_THE_CARD)
    guest.ports.plug("1.1", Camera(image, "CAM1", bytes_per_s=SLOW))
    wrong, safe = [], []

    for number in range(1, CUTS + 1):
        witness = Witness(guest)
        witness.until(docked(number), QUIET)
        witness.until_written(chance.randrange(MOST_WRITES), QUIET)
        guest.cut()
        safe.append(len(custody(witness.seen, "verified")))
        disk = tmp_path / "cut.raw"
        run("cp", "--sparse=always", guest.folder / "data.raw", disk)
        wrong += judges.judge(disk, {CAMERA: image}, witness.seen)
        guest.start()
    witness = Witness(guest)
    witness.until(lambda seen: sealed_by(seen, CUTS + 1), QUIET)

    station = StationInGuest(guest)
    bay = station.wait("1", "sealed", "fault")
    show(f"{CUTS} cuts of a guest; files called verified before each: {safe}")
    assert wrong == []
    assert (bay["state"], bay["colour"], bay["total"]) == ("sealed", "green", len(LONG))
    assert station.check_bags() == CUTS + 1
    assert 0 < safe[-1] < len(LONG)


def docked(number: int) -> Callable[[list[Seen]], bool]:
    return lambda seen: len(custody(seen, "docked")) >= number


def sealed_by(seen: list[Seen], docking: int) -> bool:
    """Whether the last docking of so many is sealed, and whole."""
    last = custody(seen, "docked")[docking - 1 : docking]
    sealed = {line["docking"] for line in custody(seen, "sealed")}
    return bool(last) and last[0]["docking"] in sealed
