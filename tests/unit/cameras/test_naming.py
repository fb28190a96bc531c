"""What the names of files claim, read leniently."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.cameras.naming import NOTHING, compiled, read
from dock_agent.cameras.profile import GENERIC, find, parse, shipped
from dock_agent.errors import ConfigError

DATA = Path(__file__).parents[2] / "data"
CARDS = [
    one
    for card in ("card-gat947", "card-dcam")
    for one in json.loads((DATA / f"{card}.manifest.json").read_text())["files"]
    if "start_local" in one and one.get("device_id")
]
NAMED = find(shipped(), "generic")


@pytest.mark.parametrize("told", CARDS, ids=lambda one: str(one["path"])[-40:])
def test_a_name_claims_what_the_card_was_made_with(told: dict[str, Any]) -> None:
    found = NAMED.named(told["path"])

    assert (found.device, found.officer) == (told["device_id"], told["user_id"])
    assert found.at == datetime.fromisoformat(told["start_local"])
    assert found.is_marked == told["important"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("KTZ3A00017_000123_20260305126300_0001.MP4", "20260305126300"),
        ("KTZ3A00017_000123_20260230120000_0001.MP4", "20260230120000"),
        ("DCAM_KTZ3A00017_000123_00000000_250000.mp4", "00000000250000"),
    ],
)
def test_a_time_that_no_clock_has_is_kept_as_it_is_written(
    name: str, said: str
) -> None:
    found = NAMED.named(f"VIDEO/{name}")

    assert (found.at, found.said, found.is_impossible) == (None, said, True)
    assert found.device == "KTZ3A00017"


@pytest.mark.parametrize(
    ("name", "number", "lens"),
    [
        ("DCIM/100MEDIA/MOV_0001.MP4", 1, ""),
        ("Video/Normal/2017_0101_060101_001B.MP4", 1, "B"),
        ("DCIM/Camera/VID_20260305_161530.mp4", None, ""),
        ("VIDEO/执法 记录 (1).MP4", None, ""),
        ("notes.txt", None, ""),
    ],
)
def test_other_names_claim_what_they_do(
    name: str, number: int | None, lens: str
) -> None:
    found = NAMED.named(name)

    assert (found.number, found.lens) == (number, lens)
    assert not found.is_impossible


def test_a_profile_without_names_reads_nothing_into_one() -> None:
    assert GENERIC.named("KTZ3A00017_000123_20260305161530_0001.MP4") == NOTHING


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(?P<device>", "no.*: .*parenthesis|unterminated"),
        ("(?P<serial>x)", "no field is called 'serial'"),
    ],
)
def test_a_pattern_that_cannot_be_is_refused_when_it_is_loaded(
    pattern: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        parse(f"name = 'X'\nnames = ['{pattern}']\n", "x.toml")


def test_a_pattern_is_of_the_whole_name() -> None:
    patterns = compiled([r"CLIP(?P<number>\d+)"])

    assert read("A/CLIP12.MP4", patterns).number == 12
    assert read("A/CLIP12_copy.MP4", patterns) == NOTHING
    assert read("CLIP12/x.MP4", patterns) == NOTHING


@given(st.text(max_size=300))
def test_any_name_can_be_read(name: str) -> None:
    found = NAMED.named(name)

    assert found.at is None or found.said is not None
