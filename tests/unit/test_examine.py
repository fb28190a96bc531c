from pathlib import Path

import pytest

from dock_agent.bays.rules import rules
from dock_agent.config import Config, parse
from dock_agent.examine import Finding, examine
from dock_agent.recording import BayName

PORT = "pci-0000:00:14.0-usb-0:1.2"
STATION = """
[station]
id = "bench-1"
[vault]
path = "vault"
[store]
path = "store.db"
[[bays]]
name = "1"
{where}
"""


def config(base: Path, where: str = f'port = "{PORT}"') -> Config:
    return parse(STATION.format(where=where), base=base)


def about_rules(
    base: Path, installed: Path, where: str = f'port = "{PORT}"'
) -> Finding:
    found = examine(config(base, where), installed)
    (one,) = [finding for finding in found if finding.what == "udev rules"]
    return one


def test_rules_that_go_with_the_bays_are_sound(tmp_path: Path) -> None:
    (tmp_path / "rules").write_text(rules({PORT: BayName("1")}), "utf-8")

    assert about_rules(tmp_path, tmp_path / "rules").ok


@pytest.mark.parametrize(
    "text", [rules({PORT: BayName("2")}).encode(), b"", b"\xff", None]
)
def test_rules_of_other_bays_or_none_are_found_with_what_to_do(
    tmp_path: Path, text: bytes | None
) -> None:
    if text is not None:
        (tmp_path / "rules").write_bytes(text)

    found = about_rules(tmp_path, tmp_path / "rules")

    assert not found.ok
    assert "dock-agent bays udev" in found.detail
    assert "udevadm control --reload" in found.detail


@pytest.mark.parametrize("erases", [True, False])
def test_rules_for_a_station_that_erases_go_with_that_alone(
    tmp_path: Path, *, erases: bool
) -> None:
    """Rules that let a wish be heard go, where the station erases nothing."""
    (tmp_path / "rules").write_text(rules({PORT: BayName("1")}, erases=True), "utf-8")
    release = f'[release]\nerase = "{"after_verified" if erases else "never"}"'

    found = about_rules(tmp_path, tmp_path / "rules", f'port = "{PORT}"\n{release}')

    assert found.ok is erases


def test_a_station_without_usb_bays_needs_no_rules(tmp_path: Path) -> None:
    found = examine(config(tmp_path, 'folder = "bay"'), tmp_path / "absent")

    assert "udev rules" not in {finding.what for finding in found}
