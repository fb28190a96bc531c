from pathlib import Path

import pytest

from dock_agent.cameras.profile import GENERIC, find, load, parse, shipped
from dock_agent.errors import ConfigError


def test_the_first_cameras_served_and_a_generic_one_ship() -> None:
    assert [p.name for p in shipped()] == [
        "DCAM",
        "GA-T-947",
        "KT-Z1",
        "KT-Z2",
        "KT-Z3",
        "KT-Z6",
        "generic",
    ]


def test_no_camera_is_erased_unless_its_profile_says_so() -> None:
    assert not any(profile.may_erase for profile in shipped())


def test_a_misspelt_key_names_the_nearest_known_one() -> None:
    with pytest.raises(ConfigError, match="did you mean `may_erase`"):
        parse('name = "X"\nmay_erace = true\n', "x.toml")


def test_what_is_not_toml_is_said_so() -> None:
    with pytest.raises(ConfigError, match="not TOML"):
        parse("name = ", "x.toml")


def test_a_model_is_found_however_it_is_written() -> None:
    assert find(shipped(), "kt z3").name == "KT-Z3"
    assert find(shipped(), "nobody's") == GENERIC


def test_marked_footage_is_known_by_its_name() -> None:
    profile = find(shipped(), "KT-Z1")

    assert profile.is_marked("VIDEO/20260305/K_1_IMP.MP4")
    assert not profile.is_marked("VIDEO/20260305/K_1.MP4")


def test_a_profile_of_one_s_own_goes_before_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "z1.toml").write_text('name = "KT-Z1"\nmaker = "us"\n')

    assert find(load(tmp_path), "KT-Z1").maker == "us"
    assert find(load(tmp_path), "KT-Z2").maker == "Kingtop"
