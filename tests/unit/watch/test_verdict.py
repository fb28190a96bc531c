import pytest

from dock_agent.recording import BayState, Colour
from dock_agent.watch.status import BayStatus
from dock_agent.watch.verdict import Tone, VerdictKey, verdict
from support.boards import bay, charging, copying, fault, mixed, pulled, ready

EMPTY = bay("9", BayState.EMPTY)
READING = bay("4", BayState.IDENTIFYING)
WAITING = bay("5", BayState.WAITING)


def test_cameras_that_are_known_and_have_room_let_their_officers_go() -> None:
    said = verdict([copying("1"), charging("2"), EMPTY], live=True)

    assert said.key is VerdictKey.CAN_GO
    assert said.text == "You can go – leave cameras docked"
    assert said.tone is Tone.GOOD


def test_nobody_goes_while_a_camera_is_not_yet_known() -> None:
    said = verdict([copying("1"), READING], live=True)

    assert (said.key, said.text) == (VerdictKey.READING, "Wait – reading camera")


def test_all_is_ready_only_when_every_camera_is_green() -> None:
    every = verdict([ready("1"), ready("2"), EMPTY], live=True)
    most = verdict([ready("1"), charging("2")], live=True)

    assert (every.key, every.text) == (VerdictKey.ALL_READY, "All ready")
    assert most.key is VerdictKey.CAN_GO


def test_an_empty_dock_asks_for_cameras() -> None:
    said = verdict([EMPTY], live=True)

    assert said.key is VerdictKey.ALL_READY
    assert said.text == "All ready – dock a camera"


@pytest.mark.parametrize("calling", [pulled("3"), fault("3")])
def test_a_bay_that_needs_somebody_is_named(calling: BayStatus) -> None:
    said = verdict([copying("1"), calling], live=True)

    assert said.key is VerdictKey.NEEDS_YOU
    assert said.text == "Bay 3 needs you – everyone else can go"
    assert said.tone is Tone.BAD


def test_several_bays_that_need_somebody_are_all_named() -> None:
    two = verdict([pulled("1"), fault("3")], live=True)
    three = verdict([pulled("1"), fault("3"), pulled("5")], live=True)

    assert two.text.startswith("Bays 1 and 3 need you – ")
    assert three.text.startswith("Bays 1, 3 and 5 need you – ")


def test_nobody_else_is_sent_off_while_another_camera_is_being_read() -> None:
    said = verdict([pulled("3"), READING], live=True)

    assert said.text == "Bay 3 needs you – everyone else: wait, reading camera"


def test_nobody_is_sent_off_by_data_that_is_not_live() -> None:
    quiet = verdict([copying("1")], live=False)
    calling = verdict([pulled("3")], live=False)

    assert quiet.text == "Not live – leave cameras docked"
    assert calling.text == "Bay 3 needs you – not live, leave cameras docked"


def test_a_dock_without_room_takes_no_camera() -> None:
    said = verdict([ready("1"), EMPTY], live=True, refusal="dock full")

    assert said.key is VerdictKey.DONT_DOCK
    assert said.text == "Don't dock here – dock full"


def test_a_camera_that_waits_for_room_closes_the_dock() -> None:
    said = verdict([ready("1"), WAITING], live=True)

    assert said.key is VerdictKey.DONT_DOCK


def test_a_dock_without_bays_takes_no_camera() -> None:
    assert verdict([], live=True).key is VerdictKey.DONT_DOCK


def test_what_is_worse_is_said_first() -> None:
    everything = [*mixed(), WAITING]
    steps = [
        verdict(everything, live=False, refusal="dock full"),
        verdict(mixed(), live=False),
        verdict([READING], live=False),
        verdict([READING, copying("1")], live=True),
        verdict([copying("1"), ready("2")], live=True),
        verdict([ready("2")], live=True),
    ]

    assert [said.key for said in steps] == list(VerdictKey)


@pytest.mark.parametrize("state", BayState)
@pytest.mark.parametrize(("live", "refusal"), [(True, "dock full"), (False, None)])
def test_nobody_goes_without_live_data_and_room(
    state: BayState, refusal: str | None, *, live: bool
) -> None:
    said = verdict([bay("1", state), copying("2")], live=live, refusal=refusal)

    assert "can go" not in said.text


def test_a_sealed_camera_that_charges_is_not_ready() -> None:
    said = verdict([charging("1")], live=True)

    assert charging("1").colour is Colour.AMBER
    assert said.key is VerdictKey.CAN_GO
