"""A whole shift in one thread and no time: the station decides, a list records."""

from collections.abc import Collection
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.bays.detector import Sighting
from dock_agent.bays.machine import (
    ChargeRead,
    Copied,
    Failed,
    Identified,
    Listed,
    Lost,
    OutOfRoom,
    Sealed,
)
from dock_agent.recording import BayName, BayState, CameraId, Colour
from dock_agent.simulated.clock import ManualClock
from dock_agent.station import UNREAD_S, Station
from support.hands import RecordingHands

ONE, TWO = BayName("1"), BayName("2")


CLOCK = ManualClock()


def sighting(bay: BayName, token: str, volume: str = "") -> Sighting:
    facts = {"fs_uuid": volume} if volume else {}
    return Sighting(bay=bay, token=token, node=f"/dock/{bay}", facts=facts)


def station(present: Collection[str] = ()) -> tuple[Station, RecordingHands]:
    """Return a station; `present` are the contacts that are still in their bays."""
    hands = RecordingHands()

    def still(bay: BayName, token: str) -> bool:
        del bay
        return token in present

    return Station([ONE, TWO], hands, CLOCK, still), hands


def dock(
    dock_: Station, bay: BayName, token: str, camera: str, volume: str = ""
) -> None:
    dock_.saw(sighting(bay, token, volume))
    dock_.pump()
    tell(dock_, bay, Identified(CameraId(camera), reports_charge=False))


def tell(dock_: Station, bay: BayName, *events: object) -> None:
    contact = dock_.contact(bay)
    assert contact is not None
    for event in events:
        dock_.post(bay, contact.docking, event)  # type: ignore[arg-type]
    dock_.pump()


def test_two_cameras_go_green_each_in_its_bay() -> None:
    dock_, hands = station()

    for bay in (ONE, TWO):
        dock(dock_, bay, f"t{bay}", f"KT-Z1:{bay}")
        tell(dock_, bay, Listed(3, 30), Copied(), Sealed(3))

    assert [b.colour for b in dock_.bays.values()] == [Colour.GREEN, Colour.GREEN]
    assert hands.lights == [
        (ONE, Colour.AMBER),
        (ONE, Colour.GREEN),
        (TWO, Colour.AMBER),
        (TWO, Colour.GREEN),
    ]


def test_a_doubled_sighting_begins_one_docking() -> None:
    dock_, hands = station()

    dock_.saw(sighting(ONE, "a"))
    dock_.saw(sighting(ONE, "a"))
    dock_.pump()

    assert len(hands.identified) == 1


def test_a_removal_that_was_never_reported_is_made_up_for() -> None:
    dock_, hands = station()
    dock(dock_, ONE, "a", "KT-Z1:1")

    dock_.saw(sighting(ONE, "b"))
    dock_.pump()

    assert [c.sighting.token for c in hands.cancelled] == ["a"]
    assert dock_.bays[ONE].token == "b"


def test_two_volumes_in_one_bay_are_a_fault_and_never_green() -> None:
    dock_, hands = station(present={"a"})
    dock(dock_, ONE, "a", "KT-Z1:1")
    tell(dock_, ONE, Listed(3, 30))

    dock_.saw(sighting(ONE, "b"))
    dock_.saw(sighting(ONE, "b"))
    dock_.pump()
    tell(dock_, ONE, Copied(), Sealed(3))

    assert dock_.bays[ONE].state is BayState.FAULT
    assert dock_.bays[ONE].code == "D-18"
    assert len(hands.identified) == 1
    assert [c.sighting.token for c in hands.cancelled] == ["a"]


def test_a_second_volume_takes_the_green_away() -> None:
    dock_, _ = station(present={"a"})
    dock(dock_, ONE, "a", "KT-Z1:1")
    tell(dock_, ONE, Listed(3, 30), Copied(), Sealed(3))
    assert dock_.bays[ONE].colour is Colour.GREEN

    dock_.saw(sighting(ONE, "b"))
    dock_.pump()

    assert dock_.bays[ONE].colour is Colour.RED


def test_what_comes_and_goes_is_on_record_once() -> None:
    dock_, hands = station()
    dock(dock_, ONE, "a", "KT-Z1:1")
    dock_.lost(ONE, "a")
    dock_.lost(ONE, "a")
    dock_.saw(sighting(ONE, "b"))
    dock_.saw(sighting(ONE, "c"))  # the removal of b was never reported
    dock_.pump()

    assert [c.sighting.token for c in hands.came] == ["a", "b", "c"]
    assert [c.sighting.token for c in hands.went] == ["a", "b"]
    assert hands.went[0].camera == "KT-Z1:1"


def test_a_camera_that_stopped_answering_and_is_still_there_is_begun_again() -> None:
    dock_, hands = station()
    dock(dock_, ONE, "a", "KT-Z1:1")
    tell(dock_, ONE, Listed(3, 30), Lost("no such device"))
    assert dock_.bays[ONE].state is BayState.PULLED

    dock_.saw(sighting(ONE, "a"))  # the next reconciliation finds it
    dock_.pump()

    assert dock_.bays[ONE].state is BayState.IDENTIFYING
    assert len(hands.identified) == 2


def test_a_bay_does_not_call_for_ever_for_what_nobody_could_name() -> None:
    dock_, _ = station()
    dock_.saw(sighting(ONE, "a"))
    dock_.lost(ONE, "a")
    dock(dock_, TWO, "b", "KT-Z1:2")
    tell(dock_, TWO, Listed(3, 30))
    dock_.lost(TWO, "b")
    dock_.pump()

    CLOCK.advance(timedelta(seconds=59))
    dock_.tidy()
    assert [b.state for b in dock_.bays.values()] == [BayState.PULLED] * 2
    CLOCK.advance(timedelta(seconds=1))
    dock_.tidy()
    assert [b.state for b in dock_.bays.values()] == [BayState.EMPTY, BayState.PULLED]
    CLOCK.advance(timedelta(minutes=10))
    dock_.tidy()
    assert [b.state for b in dock_.bays.values()] == [BayState.EMPTY] * 2


def test_a_camera_that_nobody_can_identify_in_time_is_a_fault() -> None:
    dock_, _ = station()
    dock_.saw(sighting(ONE, "a"))
    dock(dock_, TWO, "b", "KT-Z1:2")

    CLOCK.advance(timedelta(seconds=UNREAD_S))
    dock_.tidy()

    assert (dock_.bays[ONE].state, dock_.bays[ONE].code) == (BayState.FAULT, "D-17")
    assert dock_.bays[TWO].state is BayState.IDENTIFYING


def test_a_late_removal_of_the_last_camera_does_not_touch_the_next() -> None:
    dock_, _ = station()
    dock(dock_, ONE, "b", "KT-Z1:1")

    dock_.lost(ONE, "a")
    dock_.pump()

    assert dock_.bays[ONE].state is BayState.IDENTIFYING


def test_what_an_earlier_docking_says_is_not_believed_of_this_one() -> None:
    dock_, _ = station()
    dock(dock_, ONE, "a", "KT-Z1:1")
    old = dock_.contact(ONE)
    assert old is not None
    dock_.saw(sighting(ONE, "b"))
    dock_.pump()

    dock_.post(ONE, old.docking, Failed("D-10", "unreadable"))
    dock_.pump()

    assert dock_.bays[ONE].state is BayState.IDENTIFYING


def test_a_seal_that_comes_after_the_pull_still_counts() -> None:
    dock_, _ = station()
    dock(dock_, ONE, "a", "KT-Z1:1")
    tell(dock_, ONE, Listed(3, 30), Copied())
    dock_.lost(ONE, "a")
    dock_.pump()
    assert dock_.bays[ONE].state is BayState.PULLED

    tell(dock_, ONE, Sealed(3))

    assert dock_.bays[ONE].state is BayState.EMPTY


def test_a_pulled_camera_that_returns_elsewhere_clears_its_old_bay() -> None:
    dock_, _ = station()
    dock(dock_, ONE, "a", "KT-Z1:1")
    tell(dock_, ONE, Listed(3, 30))
    dock_.lost(ONE, "a")

    dock(dock_, TWO, "b", "KT-Z1:1")

    assert dock_.bays[ONE].state is BayState.EMPTY


def test_two_cameras_that_give_one_serial_stay_two() -> None:
    dock_, _ = station()

    dock(dock_, ONE, "a", "KT-Z1:1")
    dock(dock_, TWO, "b", "KT-Z1:1")

    assert [b.camera for b in dock_.bays.values()] == ["KT-Z1:1", "KT-Z1:1~2"]


def test_twins_are_named_by_their_volumes_whichever_comes_first() -> None:
    dock_, _ = station()

    dock(dock_, ONE, "a", "KT-Z1:1", volume="AAAA-0001")
    dock(dock_, TWO, "b", "KT-Z1:1", volume="BBBB-0002")

    cameras = [b.camera for b in dock_.bays.values()]
    assert cameras == ["KT-Z1:1", "KT-Z1:1~BBBB-000"]


def test_a_twin_does_not_clear_the_debt_of_a_pulled_camera() -> None:
    dock_, _ = station()
    dock(dock_, ONE, "a", "KT-Z1:1", volume="AAAA-0001")
    tell(dock_, ONE, Listed(3, 30))
    dock_.lost(ONE, "a")

    dock(dock_, TWO, "b", "KT-Z1:1", volume="BBBB-0002")

    assert dock_.bays[ONE].state is BayState.PULLED
    assert dock_.bays[TWO].camera == "KT-Z1:1~BBBB-000"


def test_a_waiting_docking_begins_again_under_a_new_name() -> None:
    dock_, hands = station()
    dock(dock_, ONE, "a", "KT-Z1:1")
    tell(dock_, ONE, OutOfRoom(100))

    dock_.retry(ONE)

    first, second = hands.offloaded
    assert first.docking != second.docking
    assert dock_.bays[ONE].state is BayState.IDENTIFYING


def test_a_retry_of_a_bay_that_does_not_wait_does_nothing() -> None:
    dock_, hands = station()
    dock(dock_, ONE, "a", "KT-Z1:1")

    dock_.retry(ONE)

    assert len(hands.offloaded) == 1


@given(
    st.lists(
        st.sampled_from(
            ["saw a", "saw b", "lost a", "lost b", "sealed", "charge", "fail"]
        ),
        max_size=25,
    )
)
def test_no_order_of_events_breaks_the_loop(script: list[str]) -> None:
    dock_, hands = station()

    for line in script:
        match line.split():
            case ["saw", token]:
                dock_.saw(sighting(ONE, token))
            case ["lost", token]:
                dock_.lost(ONE, token)
            case _ if dock_.contact(ONE) is not None:
                event = {"sealed": Sealed(0), "charge": ChargeRead(50)}.get(line)
                tell(dock_, ONE, event or Failed("D-10", "x"))
        dock_.pump()

    present = dock_.bays[ONE].token
    open_now = len(hands.identified) - len(hands.cancelled)
    assert open_now <= 1
    assert len(hands.came) - len(hands.went) == (present is not None)
    assert present in {None, "a", "b"}


@pytest.mark.parametrize("wait", [0.0, 0.001])
def test_a_pump_with_nothing_to_do_returns(wait: float) -> None:
    dock_, hands = station()

    dock_.pump(wait)

    assert hands.identified == []
