"""The rules, evaluated by Debian's own udevadm, on a made-up /sys."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.bays.rules import rules
from dock_agent.recording import BayName
from support.mockbed import Bed, Usb, active, dock, plug

pytestmark = pytest.mark.skipif(
    not active(), reason="needs umockdev-wrapper: run `make test`"
)
NAME = "70-dock-agent.rules"
RULES = Path(__file__).parent.parent.parent / "udev" / NAME  # for the bays 1 to 3
MARKS = {"UDISKS_IGNORE=1", "UDISKS_AUTO=0"}
ELSEWHERE = 4  # a port that is no bay
# udevadm test makes links in /dev and a database in /run: not in the real ones.
ASIDE = """
mount -t tmpfs none /dev
mount -t tmpfs none /run
mkdir -p /run/udev/rules.d
{ grep -v ^dock: /etc/group; echo dock:x:4242:; } > /run/group
mount --bind /run/group /etc/group
[ -z "$3" ] || cp "$3" /run/udev/rules.d/
exec udevadm test --action="$2" "$1"
"""


@pytest.fixture
def bed() -> Iterator[Bed]:
    made = Bed()
    yield made
    made.close()


def evaluated(
    device: str, action: str = "add", rules: Path | None = RULES
) -> tuple[set[str], list[str]]:
    """Return what udev would set and run, and what it says of our rules."""
    shell = ["sh", "-euc", ASIDE, "sh", device, action, str(rules or "")]
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", *shell],
        capture_output=True,
        text=True,
        check=True,
    )
    facts = {  # links come in any order
        " ".join(sorted(line.split())) if line.startswith("DEVLINKS") else line
        for line in done.stdout.replace("DEVLINKS=", "DEVLINKS ").splitlines()
        if not line.startswith("USEC_INITIALIZED=")
    }
    said = [line for line in done.stderr.splitlines() if NAME in line]
    return facts, said


def disk_elsewhere(bed: Bed) -> str:
    """Plug a disk in that is not on the USB; return its path."""
    port = bed.add(("ata_port", "ata1", None), {}, {})
    facts = {"DEVTYPE": "disk", "DEVNAME": "/dev/sdz", "MAJOR": "8", "MINOR": "240"}
    return bed.add(("block", "sdz", port), {"dev": "8:240\n"}, facts)


def read_only(device: str) -> str:
    return f"run: '/usr/sbin/blockdev --setro /dev/{Path(device).name}'"


@pytest.mark.parametrize("action", ["add", "change"])
@pytest.mark.parametrize("port", [1, ELSEWHERE])
def test_automounters_leave_a_usb_disk_and_its_partition_alone(
    bed: Bed, action: str, port: int
) -> None:
    *_, disk, partition = plug(bed, dock(bed), Usb(port, "CAM-1", "sda", 7))

    assert evaluated(disk, action)[0] >= MARKS
    assert evaluated(partition, action)[0] >= MARKS


def test_a_usb_disk_that_is_in_no_bay_gets_the_marks_and_nothing_else(bed: Bed) -> None:
    """So a vault that lies on one is still mounted, and written."""
    *_, disk, _ = plug(bed, dock(bed), Usb(ELSEWHERE, "VAULT", "sda", 7))

    with_ours, _ = evaluated(disk)
    without, _ = evaluated(disk, rules=None)

    assert "DEVNAME=/dev/sda" in without
    assert with_ours - without == MARKS
    assert without - with_ours == set()


def test_a_camera_in_a_bay_is_made_read_only_and_then_mounted(bed: Bed) -> None:
    *_, disk, partition = plug(bed, dock(bed), Usb(2, "CAM-1", "sda", 7))

    of_disk, _ = evaluated(disk)
    of_partition, _ = evaluated(partition)

    assert read_only(disk) in of_disk
    assert read_only(partition) in of_partition
    assert of_partition >= {
        "DOCK_AGENT_BAY=2",
        "SYSTEMD_MOUNT_WHERE=/run/dock-agent/bays/2/7.1",
        "SYSTEMD_WANTS=dock-mount@2-7.1.service",
    }
    assert not [fact for fact in of_disk if fact.startswith("SYSTEMD_")]


def test_the_whole_card_is_for_the_agent_s_group_to_read_its_parts_are_not(
    bed: Bed,
) -> None:
    hub = dock(bed)
    *_, disk, partition = plug(bed, hub, Usb(2, "CAM-1", "sda", 7))
    *_, elsewhere, _ = plug(bed, hub, Usb(ELSEWHERE, "STICK", "sdb", 8))

    _, said = evaluated(disk)
    of_others = [evaluated(other)[1] for other in (partition, elsewhere)]

    assert any("GROUP 4242" in line for line in said), said
    assert any("MODE 0440" in line for line in said), said
    assert not any("MODE" in line for lines in of_others for line in lines)


@pytest.mark.parametrize(
    ("kind", "more"), [("vfat", " dock-erase@2-7.1.path"), ("ext4", "")]
)
def test_where_cameras_are_erased_a_wish_is_heard_and_all_else_is_as_it_was(
    bed: Bed, tmp_path: Path, kind: str, more: str
) -> None:
    ours = tmp_path / NAME
    port = "pci-0000:00:14.0-usb-0:1.2"
    ours.write_text(rules({port: BayName("2")}, erases=True), encoding="utf-8")
    *_, partition = plug(bed, dock(bed), Usb(2, "CAM-1", "sda", 7, kind=kind))

    before, _ = evaluated(partition)
    after, _ = evaluated(partition, rules=ours)

    wants = "SYSTEMD_WANTS=dock-mount@2-7.1.service"
    assert read_only(partition) in after
    assert {fact for fact in before - after if fact != wants} == set()
    assert f"{wants}{more}" in after
    opened = [fact for fact in after if fact.startswith("DOCK_AGENT_WRITABLE=rw,")]
    assert bool(opened) is bool(more)


def test_a_card_without_partitions_is_mounted_itself(bed: Bed) -> None:
    card = Usb(2, "CAM-1", "sda", 7, partitioned=False)
    *_, disk = plug(bed, dock(bed), card)

    facts, _ = evaluated(disk)

    assert "SYSTEMD_WANTS=dock-mount@2-7.0.service" in facts


def test_a_file_system_that_is_not_allowed_is_not_mounted(bed: Bed) -> None:
    card = Usb(2, "CAM-1", "sda", 7, kind="ntfs")
    *_, partition = plug(bed, dock(bed), card)

    facts, _ = evaluated(partition)

    assert read_only(partition) in facts
    assert not [fact for fact in facts if fact.startswith("SYSTEMD_")]


def test_a_port_whose_number_begins_alike_is_another_one(bed: Bed) -> None:
    *_, partition = plug(bed, dock(bed), Usb(21, "CAM-1", "sda", 7))

    facts, _ = evaluated(partition)

    assert not [fact for fact in facts if fact.startswith("DOCK_AGENT_")]


def test_a_disk_elsewhere_and_a_removal_get_no_mark(bed: Bed) -> None:
    *_, disk, _ = plug(bed, dock(bed), Usb(1, "CAM-1", "sda", 7))

    assert evaluated(disk_elsewhere(bed))[0].isdisjoint(MARKS)
    assert evaluated(disk, "remove")[0].isdisjoint({*MARKS, read_only(disk)})


def test_udev_reads_the_rules_and_complains_of_none(bed: Bed) -> None:
    *_, disk, _ = plug(bed, dock(bed), Usb(1, "CAM-1", "sda", 7))

    _, said = evaluated(disk)

    done = re.compile(r" (RUN|GROUP 4242|MODE 0440)\b")
    told = [line for line in said if done.search(line) is None]
    assert told == [f"Reading rules file: /run/udev/rules.d/{NAME}"]


def test_the_rules_assign_nothing_else() -> None:
    """What udevadm does not show: a write to an attribute, an option, a mode."""
    text = re.sub(r"^#.*$", "", RULES.read_text("utf-8"), flags=re.MULTILINE)
    assigned = re.findall(r'([\w$]+(?:\{[^}]*\})?)\s*(?:[-+:]?=)\s*"', text)

    assert set(assigned) == {
        "ENV{DOCK_AGENT_BAY}",
        "ENV{DOCK_AGENT_PLACE}",
        "ENV{PARTN}",
        "ENV{SYSTEMD_MOUNT_OPTIONS}",
        "ENV{SYSTEMD_MOUNT_WHERE}",
        "ENV{SYSTEMD_WANTS}",
        "ENV{UDISKS_IGNORE}",
        "ENV{UDISKS_AUTO}",
        "GOTO",
        "GROUP",
        "LABEL",
        "MODE",
        "RUN",
        "SYMLINK",
        "TAG",
    }
