"""USB hot-plug against the real libudev and pyudev, on a made-up /sys."""

import queue
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.bays.detect import Plugs, UdevDetector
from dock_agent.bays.detector import Seen, Sighting, Vanished
from dock_agent.bays.learn import Plug, learn
from dock_agent.bays.presence import reconcile
from dock_agent.recording import BayName
from support.mockbed import PORT, Bed, Usb, active, add_unit, dock, plug, pull

pytestmark = pytest.mark.skipif(
    not active(), reason="needs umockdev-wrapper: run `make test`"
)
BAYS = {PORT.format(n): BayName(str(n)) for n in (1, 2, 3)}
RECORDED = Path(__file__).parent / "data/dock.umockdev"


@pytest.fixture
def bed() -> Iterator[Bed]:
    made = Bed()
    yield made
    made.close()


class Listening:
    """A detector at work, and what it says."""

    def __init__(self) -> None:
        self.detector = UdevDetector(BAYS)
        self._said: queue.SimpleQueue[Seen] = queue.SimpleQueue()
        self.detector.start(self._said.put)

    def next(self) -> Seen:
        return self._said.get(timeout=5)

    def quiet(self) -> bool:
        return self._said.empty()


@pytest.fixture
def listening(bed: Bed) -> Iterator[Listening]:
    assert bed is not None  # it is made first
    made = Listening()
    yield made
    made.detector.stop()


def sighting(seen: Seen) -> Sighting:
    assert isinstance(seen, Sighting)
    return seen


def test_a_camera_that_was_there_before_us_is_seen(bed: Bed) -> None:
    plug(bed, dock(bed), Usb(2, "CAM-2", "sda", 7))

    listening = Listening()
    seen = sighting(listening.next())

    assert (seen.bay, seen.node) == ("2", "/dev/sda1")
    listening.detector.stop()


def test_a_camera_plugged_in_through_a_hub_is_seen_in_its_bay(
    bed: Bed, listening: Listening
) -> None:
    plug(bed, dock(bed), Usb(3, "CAM-3", "sda", 7))

    seen = sighting(listening.next())

    assert seen.bay == "3"
    assert seen.facts["serial"] == "CAM-3"
    assert seen.facts["fs_uuid"] == "CA3E-0001"
    assert seen.facts["device"] == "8:49"
    assert seen.facts["partition"] == "1"
    assert seen.facts["bytes"] == str(130048 * 512)


def test_a_card_without_partitions_is_seen_too(bed: Bed, listening: Listening) -> None:
    plug(bed, dock(bed), Usb(1, "CAM-1", "sda", 7, partitioned=False))

    assert sighting(listening.next()).node == "/dev/sda"


def test_a_disk_with_a_partition_is_one_camera(bed: Bed, listening: Listening) -> None:
    plug(bed, dock(bed), Usb(1, "CAM-1", "sda", 7))
    listening.next()

    assert len(listening.detector.present().sightings) == 1


def test_a_card_that_nobody_can_read_leaves_its_bay_not_empty(bed: Bed) -> None:
    hub = dock(bed)
    plug(bed, hub, Usb(1, "CAM-1", "sda", 7, kind=""))
    plug(bed, hub, Usb(4, "STICK", "sdb", 8, kind=""))  # in no bay

    (seen,) = UdevDetector(BAYS).present().sightings

    assert (seen.bay, seen.token, seen.facts.get("fs_type")) == ("1", "7:sda", None)


def test_a_disk_whose_parts_udev_has_not_looked_at_is_waited_for(bed: Bed) -> None:
    *_, disk, _ = plug(bed, dock(bed), Usb(1, "CAM-1", "sda", 7, kind=""))
    place = {"partition": "2\n", "dev": "8:18\n"}
    facts = {"DEVTYPE": "partition", "DEVNAME": "/dev/sda2", "MAJOR": "8"}
    bed.add(("block", "sda2", disk), place, facts | {"MINOR": "18"})

    assert UdevDetector(BAYS).present().sightings == ()


def test_every_volume_in_a_bay_is_seen(bed: Bed) -> None:
    hub = dock(bed)
    _, interface, *_ = plug(bed, hub, Usb(1, "CAM-1", "sda", 7))
    add_unit(bed, interface, Usb(1, "CAM-1", "sdb", 8))

    present = UdevDetector(BAYS).present()

    assert {(s.bay, s.token) for s in present.sightings} == {
        ("1", "7:sda1"),
        ("1", "8:sdb1"),
    }


def test_a_pull_is_told_of_the_contact_that_was_there(
    bed: Bed, listening: Listening
) -> None:
    devices = plug(bed, dock(bed), Usb(1, "CAM-1", "sda", 7))
    seen = sighting(listening.next())

    pull(bed, devices)

    assert listening.next() == Vanished(BayName("1"), seen.token)
    assert listening.detector.present().sightings == ()


def test_the_bay_is_where_the_plug_is_not_what_the_disk_is_called(
    bed: Bed, listening: Listening
) -> None:
    hub = dock(bed)
    first = plug(bed, hub, Usb(1, "A", "sda", 7))
    a = sighting(listening.next())
    pull(bed, first)

    plug(bed, hub, Usb(3, "B", "sda", 8))
    said = [listening.next() for _ in range(3)]
    b = sighting(said[-1])

    assert (a.bay, b.bay) == ("1", "3")
    assert a.node == b.node
    assert a.token != b.token


def test_the_same_camera_again_is_another_contact(
    bed: Bed, listening: Listening
) -> None:
    hub = dock(bed)
    devices = plug(bed, hub, Usb(1, "A", "sda", 7))
    first = sighting(listening.next())
    pull(bed, devices)
    plug(bed, hub, Usb(1, "A", "sda", 8))
    said = [listening.next() for _ in range(3)]

    assert sighting(said[-1]).token != first.token


def test_what_is_plugged_in_elsewhere_is_none_of_ours(
    bed: Bed, listening: Listening
) -> None:
    hub = dock(bed)
    plug(bed, hub, Usb(4, "STICK", "sda", 7))
    plug(bed, hub, Usb(1, "CAM-1", "sdb", 8))

    assert sighting(listening.next()).bay == "1"
    assert listening.quiet()


def test_a_lost_removal_heals_at_the_next_reconciliation(
    bed: Bed, listening: Listening
) -> None:
    devices = plug(bed, dock(bed), Usb(1, "CAM-1", "sda", 7))
    seen = sighting(listening.next())

    pull(bed, devices, quietly=True)

    events = reconcile({BayName("1"): seen.token}, listening.detector.present())
    assert events == [Vanished(BayName("1"), seen.token)]


def test_a_lost_arrival_heals_at_the_next_reconciliation(
    bed: Bed, listening: Listening
) -> None:
    plug(bed, dock(bed), Usb(1, "CAM-1", "sda", 7))
    seen = sighting(listening.next())

    assert reconcile({BayName("1"): None}, listening.detector.present()) == [seen]


def test_a_doubled_event_names_the_same_contact(bed: Bed, listening: Listening) -> None:
    devices = plug(bed, dock(bed), Usb(1, "CAM-1", "sda", 7))
    first = sighting(listening.next())

    bed.event(devices[-1], "add")

    assert sighting(listening.next()).token == first.token


def test_a_stop_is_prompt_and_final(bed: Bed) -> None:
    listening = Listening()
    hub = dock(bed)

    listening.detector.stop()
    plug(bed, hub, Usb(1, "CAM-1", "sda", 7))

    assert listening.quiet()


def test_a_dock_recorded_from_a_kernel_is_understood(bed: Bed) -> None:
    """The record holds two mass-storage cameras and one MTP device."""
    blocks = re.split(r"\n\n+", RECORDED.read_text("utf-8").strip())
    for block in sorted(blocks, key=lambda b: b.splitlines()[0]):
        bed.load(block + "\n\n")

    present = UdevDetector(BAYS).present()

    ours = [s for s in present.sightings if s.facts["serial"] == "CAM-000001"]
    assert [(s.bay, s.node) for s in ours] == [("2", "/dev/sda1")]
    assert ours[0].facts["fs_uuid"] == "CA3E-0001"
    assert ours[0].token == "3:sda1"


def test_a_person_who_plugs_a_camera_into_each_bay_has_them_all_learnt(
    bed: Bed,
) -> None:
    hub, plugs = dock(bed), Plugs()  # the hub itself is told of, and is no camera
    for number in (3, 1):
        pull(bed, plug(bed, hub, Usb(number, "CAM-1", "sda", number)))

    found = learn([BayName("left"), BayName("right")], plugs, lambda _: None)

    assert found == {PORT.format(3): "left", PORT.format(1): "right"}


def test_a_hub_is_not_taken_for_a_camera(bed: Bed) -> None:
    plugs = Plugs()
    hub = dock(bed)
    bed.event(hub, "add")
    plug(bed, hub, Usb(2, "CAM-2", "sda", 7))

    assert next(iter(plugs)) == Plug(PORT.format(2), "CAM-2")
