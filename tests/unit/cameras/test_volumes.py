import pytest

from dock_agent.bays.detector import Presence, Sighting
from dock_agent.cameras.profile import Profile, Volume, parse
from dock_agent.cameras.volumes import UNCHOSEN, choose, may_be_read, must_hold
from dock_agent.errors import ConfigError
from dock_agent.recording import BayName

USB = {"vendor_id": "46f4", "product_id": "0001"}
FOOTAGE = Volume(label="DATA*", file_system="exfat", number=2, holds="DCIM")
PROFILES = (Profile(name="X", usb=("46f4:0001",), volumes=(FOOTAGE,)),)
RIGHT = {"fs_label": "DATA1", "fs_type": "exfat", "partition": "2", **USB}


def seen(token: str, facts: dict[str, str], bay: str = "1") -> Sighting:
    return Sighting(BayName(bay), token, f"/dev/{token}", facts)


def test_the_volume_that_the_profile_names_is_read_and_the_other_passed_over() -> None:
    footage, other = seen("7:sda2", RIGHT), seen("7:sda1", RIGHT | {"partition": "1"})

    chosen = choose(Presence((other, footage)), PROFILES)

    assert chosen.present.sightings == (footage,)
    assert chosen.aside == (other,)
    assert may_be_read(footage, PROFILES)
    assert not may_be_read(other, PROFILES)
    assert must_hold(footage, PROFILES) == "DCIM"


@pytest.mark.parametrize(
    "wrong",
    [{"fs_label": "SYSTEM"}, {"fs_type": "vfat"}, {"partition": "1"}, {"fs_label": ""}],
)
def test_a_bay_where_no_volume_is_the_one_is_not_empty_and_says_why(
    wrong: dict[str, str],
) -> None:
    other = seen("7:sda1", RIGHT | wrong)

    (said,) = choose(Presence((other,)), PROFILES).present.sightings

    assert (said.bay, said.token) == (other.bay, other.token)
    assert (
        "no volume in this bay is the one that the profile X names"
        in said.facts[UNCHOSEN]
    )


def test_two_volumes_that_both_fit_are_both_told_of() -> None:
    """The station then asks a person: one of them would be read, and shown as safe."""
    both = seen("7:sda2", RIGHT), seen("8:sdb2", RIGHT)

    chosen = choose(Presence(both), PROFILES)

    assert chosen.present.sightings == both
    assert chosen.aside == ()


def test_the_bays_are_looked_at_each_for_itself() -> None:
    there, here = seen("7:sda2", RIGHT, "2"), seen("9:sdc1", {"fs_label": "", **USB})

    said = choose(Presence((there, here)), PROFILES).present.sightings

    assert [s.bay for s in said] == ["2", "1"]


def test_a_model_that_names_no_volume_is_left_as_it_is() -> None:
    both = seen("7:sda1", {"fs_label": "A"}), seen("7:sda2", {"fs_label": "B"})

    assert choose(Presence(both), PROFILES).present.sightings == both


@pytest.mark.parametrize(
    ("size", "fits"), [("99", False), ("100", True), ("200", True), ("201", False)]
)
def test_a_volume_is_told_by_its_size(size: str, *, fits: bool) -> None:
    bounded = Volume(least_bytes=100, most_bytes=200)

    assert bounded.fits({"bytes": size}) is fits
    assert not bounded.fits({})  # a size that is not known is no proof


def test_a_card_without_partitions_is_number_zero() -> None:
    assert Volume(number=0).fits({})
    assert not Volume(number=0).fits({"partition": "1"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('usb = ["1:2"]\n[[volumes]]\nlabl = "X"', "did you mean `label`"),
        ('usb = ["1:2"]\n[[volumes]]\nfile_system = "ntfs"', "Invalid enum value"),
        ('usb = ["1:2"]\n[[volumes]]\nnumber = -1', ">= 0"),
        ('usb = ["1:2"]\n[[volumes]]\nholds = "/etc"', "regex"),
        ('usb = ["1:2"]\n[[volumes]]\nholds = "a/../b"', "regex"),
        ('usb = ["1:2"]\n[[volumes]]', "says nothing"),
        ("[[volumes]]\nnumber = 1", "needs `usb`"),
        ('usb = ["1:2"]\n[[volumes]]\nnumber = 1\n[[volumes]]\nnumber = 2', "only one"),
    ],
)
def test_what_would_choose_wrongly_is_refused(text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse(f'name = "X"\n{text}\n', "x.toml")


def test_a_volume_is_read_from_a_profile_s_file() -> None:
    text = 'name = "X"\nusb = ["1:2"]\n[[volumes]]\nlabel = "D*"\nholds = "DCIM/100"\n'

    assert parse(text, "x").volumes == (Volume(label="D*", holds="DCIM/100"),)
