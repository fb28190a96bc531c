import pytest

from dock_agent.bays.rules import KINDS
from dock_agent.bays.times import zone_of

EXFAT = "the zone that each names; else the camera's own clock"


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        ("vfat", {"ro", "tz=UTC"}, "the camera's own clock, read as UTC"),
        (
            "vfat",
            {"ro"},
            "the camera's own clock, read in another zone: the kernel's",
        ),
        (
            "vfat",
            {"time_offset=120"},
            "the camera's own clock, read in another zone: time_offset=120",
        ),
        (
            "exfat",
            {"ro"},
            f"{EXFAT}, read as UTC",
        ),
        (
            "exfat",
            {"sys_tz"},
            f"{EXFAT}, read in another zone: sys_tz",
        ),
        ("ext4", {"ro"}, "UTC"),
        ("fuse.something", {"ro"}, "not known"),
    ],
)
def test_it_is_said_in_whose_zone_times_were_read(
    kind: str, options: set[str], said: str
) -> None:
    assert zone_of(kind, options) == said


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_bay_mounts_is_read_the_same_in_every_zone(kind: str) -> None:
    said = zone_of(kind, KINDS[kind].split(","))

    assert said.endswith("UTC")
    assert "another zone" not in said
