import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.bays.detector import Sighting
from dock_agent.cameras.identify import camera_id, identify
from dock_agent.cameras.profile import Profile, shipped
from dock_agent.recording import BayName

PROFILES = shipped()


def seen(**facts: str) -> Sighting:
    return Sighting(BayName("1"), "7:sda1", "/dev/sda1", facts)


@pytest.mark.parametrize(
    ("written", "camera", "profile"),
    [
        ("KT-Z3:KTZ3A00017", "KT-Z3:KTZ3A00017", "KT-Z3"),
        ("kt-z3:KTZ3A00017", "KT-Z3:KTZ3A00017", "KT-Z3"),
        ("KT-Z3_KTZ3A00017", "KT-Z3:KTZ3A00017", "KT-Z3"),
        ("ACME:42", "ACME:42", "generic"),
        ("some_card", "generic:some_card", "generic"),
        ("card", "generic:card", "generic"),
        ("generic:42", "generic:42", "generic"),
    ],
)
def test_a_camera_is_named_as_a_person_writes_it(
    written: str, camera: str, profile: str
) -> None:
    assert camera_id(written, PROFILES)[0] == camera
    assert camera_id(written, PROFILES)[1].name == profile


@given(st.text(min_size=1))
def test_any_name_gives_an_id_that_every_page_and_path_can_carry(text: str) -> None:
    camera, _ = camera_id(text, PROFILES)

    model, _, serial = camera.partition(":")
    assert model
    assert serial
    assert set(camera) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:"
    )


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_odd_serials_stay_two(one: str, other: str) -> None:
    first, second = (camera_id(f"X:{t}", PROFILES)[0] for t in (one, other))

    assert (first == second) == (one == other)


def test_the_serial_goes_before_the_file_system_s_id() -> None:
    found = identify(seen(serial="S1", fs_uuid="AAAA-BBBB"), PROFILES)

    assert found.camera == "generic:S1"
    assert found.evidence["identified_by"] == "serial"
    assert found.evidence["fs_uuid"] == "AAAA-BBBB"


def test_without_a_serial_the_file_system_s_id_counts() -> None:
    assert identify(seen(fs_uuid="AAAA-BBBB"), PROFILES).camera == "generic:AAAA-BBBB"


def test_a_camera_that_says_nothing_is_not_refused() -> None:
    found = identify(seen(), PROFILES)

    assert found.camera.startswith("generic:unknown-")


def test_usb_ids_go_before_labels() -> None:
    one = Profile(name="A", usb=("46f4:0001",))
    other = Profile(name="B", labels=("CAMERA*",))
    facts = seen(vendor_id="46f4", product_id="0001", fs_label="CAMERA1", serial="S")

    assert identify(facts, [other, one]).camera == "A:S"
    assert identify(seen(fs_label="CAMERA1", serial="S"), [one, other]).camera == "B:S"
