import re
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from dock_agent.bays.rules import (
    ERASABLE,
    KINDS,
    NEEDED,
    NEEDED_TO_CLEAR,
    place,
    rules,
)
from dock_agent.errors import ConfigError
from dock_agent.recording import BayName

PORT = "pci-0000:00:14.0-usb-0:1.2"


def test_every_file_system_is_mounted_with_all_that_keeps_it_harmless() -> None:
    text = rules({PORT: BayName("1")})

    given = re.findall(r'ID_FS_TYPE}=="(\w+)", ENV{SYSTEMD_MOUNT_OPTIONS}="(.*)"', text)

    every = re.findall(r'ENV{SYSTEMD_MOUNT_OPTIONS}="(.*)"', text)
    assert {kind for kind, _ in given} == set(KINDS)
    assert len(every) == len(KINDS) + 1
    assert all(set(NEEDED) <= set(options.split(",")) for options in every)


def test_a_journal_is_passed_over_only_where_one_is_left_to_replay() -> None:
    """Else what only the journal has would be missing, and nobody would know."""
    lines = rules({PORT: BayName("1")}).splitlines()

    (passed,) = [line for line in lines if "noload" in line]

    assert 'ID_FS_TYPE}=="ext4"' in passed
    assert 'RESULT=="*[4567cdef]"' in passed


def test_no_card_can_make_the_kernel_panic_at_an_error_on_it() -> None:
    """An ext4 superblock may say so (tune2fs -e panic); the mount says otherwise."""
    lines = rules({PORT: BayName("1")}).splitlines()

    ext4 = [line for line in lines if 'ID_FS_TYPE}=="ext4"' in line]

    assert len(ext4) == 2
    assert all("errors=continue" in line for line in ext4)


@pytest.mark.parametrize(("flags", "is_dirty"), [("0x2c2", False), ("0x2c6", True)])
def test_the_byte_that_is_asked_for_is_that_of_a_journal_to_replay(
    tmp_path: Path, flags: str, *, is_dirty: bool
) -> None:
    card = tmp_path / "card"
    card.write_bytes(bytes(1024 + 0x60) + int(flags, 16).to_bytes(4, "little"))
    line = next(x for x in rules({PORT: BayName("1")}).splitlines() if "noload" in x)
    program = re.search(r'PROGRAM=="([^"]*) \$devnode"', line)
    pattern = re.search(r'RESULT=="([^"]*)"', line)
    assert program is not None
    assert pattern is not None

    said = subprocess.run(
        [*program[1].split(), card], capture_output=True, text=True, check=True
    ).stdout.strip()

    assert fnmatchcase(said, pattern[1]) is is_dirty


@pytest.mark.parametrize(
    ("name", "called"),
    [("1", "1"), ("Left 2", "Left_202"), ("../x", "_2E_2E_2Fx"), ("ü", "_C3_BC")],
)
def test_a_bay_s_name_leads_nowhere_else(name: str, called: str) -> None:
    assert place(BayName(name)) == called


@pytest.mark.parametrize(
    "port", ["/srv/bay", "usb", 'a-usb-0:1", RUN+="x', "*-usb-0:1", "a-usb-0:1\n"]
)
def test_a_port_that_is_none_is_refused(port: str) -> None:
    with pytest.raises(ConfigError, match="not the path of a USB port"):
        rules({port: BayName("1")})


def test_a_station_that_never_erases_asks_for_nothing_that_mounts_for_writing() -> None:
    text = rules({PORT: BayName("1")})

    assert "rw" not in re.findall(r"[a-z]+", text)
    assert "dock-erase" not in text
    assert "setrw" not in text


def test_one_that_erases_hears_a_wish_for_what_its_owner_alone_may_write() -> None:
    text = rules({PORT: BayName("1")}, erases=True)

    given = re.findall(r'ID_FS_TYPE}=="(\w+)", ENV{DOCK_AGENT_WRITABLE}="(.*)"', text)

    assert {kind for kind, _ in given} == set(ERASABLE)
    for _, options in given:
        assert {*NEEDED_TO_CLEAR, "uid=dock", "dmask=0077"} <= set(options.split(","))
    before, after = text.index("SYSTEMD_WANTS"), text.index("dock-erase@")
    assert before < after < text.index("LABEL=")


def test_to_erase_or_not_changes_nothing_of_how_a_camera_is_read() -> None:
    without = set(rules({PORT: BayName("1")}).splitlines())

    with_it = set(rules({PORT: BayName("1")}, erases=True).splitlines())

    assert without < with_it
    assert all("DOCK_AGENT_WRITABLE" in line for line in with_it - without)


def test_a_station_without_usb_bays_has_rules_that_mount_nothing() -> None:
    assert "ID_PATH" not in rules({})
