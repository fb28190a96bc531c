"""The rules, evaluated by Debian's own udevadm, on a made-up /sys."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.mockbed import Bed, Usb, active, dock, plug

pytestmark = pytest.mark.skipif(
    not active(), reason="needs umockdev-wrapper: run `make test`"
)
NAME = "70-dock-agent.rules"
RULES = Path(__file__).parent.parent.parent / "udev" / NAME
MARKS = {"UDISKS_IGNORE=1", "UDISKS_AUTO=0"}
# udevadm test makes links in /dev and a database in /run: not in the real ones.
ASIDE = """
mount -t tmpfs none /dev
mount -t tmpfs none /run
mkdir -p /run/udev/rules.d
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
    facts = {
        " ".join(sorted(line.split()))  # links come in any order
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


@pytest.mark.parametrize("action", ["add", "change"])
def test_automounters_leave_a_usb_disk_and_its_partition_alone(
    bed: Bed, action: str
) -> None:
    *_, disk, partition = plug(bed, dock(bed), Usb(1, "CAM-1", "sda", 7))

    assert evaluated(disk, action)[0] >= MARKS
    assert evaluated(partition, action)[0] >= MARKS


def test_a_usb_disk_gets_the_marks_and_nothing_else(bed: Bed) -> None:
    """So a vault that lies on one is still mounted, and written."""
    *_, disk, _ = plug(bed, dock(bed), Usb(1, "VAULT", "sda", 7))

    with_ours, _ = evaluated(disk)
    without, _ = evaluated(disk, rules=None)

    assert "DEVNAME=/dev/sda" in without
    assert with_ours - without == MARKS
    assert without - with_ours == set()


def test_a_disk_elsewhere_and_a_removal_get_no_mark(bed: Bed) -> None:
    *_, disk, _ = plug(bed, dock(bed), Usb(1, "CAM-1", "sda", 7))

    assert evaluated(disk_elsewhere(bed))[0].isdisjoint(MARKS)
    assert evaluated(disk, "remove")[0].isdisjoint(MARKS)


def test_udev_reads_the_rules_and_complains_of_none(bed: Bed) -> None:
    *_, disk, _ = plug(bed, dock(bed), Usb(1, "CAM-1", "sda", 7))

    _, said = evaluated(disk)

    assert said == [f"Reading rules file: /run/udev/rules.d/{NAME}"]


def test_the_rules_assign_the_marks_alone() -> None:
    """What udevadm does not show: a write to an attribute, an option, a mode."""
    text = re.sub(r"^#.*$", "", RULES.read_text("utf-8"), flags=re.MULTILINE)
    assigned = re.findall(r'([\w$]+(?:\{[^}]*\})?)\s*(?:[-+:]?=)\s*"', text)

    assert set(assigned) == {
        "ENV{UDISKS_IGNORE}",
        "ENV{UDISKS_AUTO}",
        "GOTO",
        "LABEL",
    }
