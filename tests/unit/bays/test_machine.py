from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.bays.machine import (
    MOVES,
    Advanced,
    Bay,
    Cancel,
    ChargeRead,
    Clear,
    Cleared,
    Copied,
    Docked,
    Event,
    Failed,
    Identified,
    Listed,
    Lost,
    Offload,
    OutOfRoom,
    Returned,
    Sealed,
    Show,
    ToClear,
    Undocked,
    as_mermaid,
    step,
)
from dock_agent.machine import IllegalMove
from dock_agent.recording import BayName, BayState, CameraId, Colour

CAMERA = CameraId("KT-Z1:0042")
BAY = BayName("3")
EVENTS = st.one_of(
    st.builds(Docked, st.sampled_from(["a", "b"])),
    st.builds(Identified, st.just(CAMERA), st.booleans()),
    st.builds(Listed, st.integers(0, 5), st.integers(0, 500)),
    st.builds(Advanced, st.integers(0, 5), st.integers(0, 500)),
    st.just(Copied()),
    st.builds(Sealed, st.integers(0, 5)),
    st.builds(ToClear, st.integers(0, 5)),
    st.builds(Cleared, st.sampled_from([None, "a file was written meanwhile"])),
    st.just(OutOfRoom(1)),
    st.builds(ChargeRead, st.integers(0, 100)),
    st.just(Undocked()),
    st.just(Returned()),
    st.just(Lost("no such device")),
    st.just(Failed("D-10", "unreadable")),
)
ONE_OF_EACH: list[Event] = [
    Docked("a"),
    Identified(CAMERA, reports_charge=True),
    Listed(7, 700),
    Advanced(3, 300),
    Copied(),
    Sealed(7),
    ToClear(7),
    Cleared(),
    OutOfRoom(1),
    ChargeRead(98),
    Undocked(),
    Returned(),
    Lost("no such device"),
    Failed("D-10", "unreadable"),
]
QUIET: list[Event] = [
    Docked("a"),
    Identified(CAMERA, reports_charge=True),
    Listed(7, 700),
    Advanced(7, 700),
    Copied(),
    Sealed(7),
]


def walk(*events: Event) -> Bay:
    bay = Bay(BAY)
    for event in events:
        bay, _ = step(bay, event)
    return bay


def test_a_quiet_shift_ends_green() -> None:
    bay = walk(*QUIET, ChargeRead(98))

    assert bay.colour is Colour.GREEN


def test_a_sealed_camera_with_a_low_battery_stays_amber() -> None:
    bay = walk(*QUIET, ChargeRead(62))

    assert bay.colour is Colour.AMBER


def test_a_battery_that_was_never_read_is_not_taken_for_full() -> None:
    assert walk(*QUIET).colour is Colour.AMBER


def test_a_camera_that_cannot_report_its_battery_is_judged_by_its_footage() -> None:
    events = [*QUIET]
    events[1] = Identified(CAMERA, reports_charge=False)

    assert walk(*events).colour is Colour.GREEN


@pytest.mark.parametrize("safe", [0, 6, 8])
def test_a_seal_that_does_not_cover_every_listed_file_is_a_fault(safe: int) -> None:
    bay = walk(*QUIET[:-1], Sealed(safe))

    assert bay.state is BayState.FAULT
    assert bay.colour is Colour.RED


@pytest.mark.parametrize("done", range(1, len(QUIET)))
def test_a_camera_pulled_before_the_seal_must_come_back(done: int) -> None:
    bay, effects = step(walk(*QUIET[:done]), Undocked())

    assert bay.state is BayState.PULLED
    assert bay.colour is Colour.RED
    assert Cancel() in effects


@pytest.mark.parametrize("done", range(1, len(QUIET)))
def test_the_reader_s_error_before_the_word_of_the_pull_is_the_same_pull(
    done: int,
) -> None:
    lost = walk(*QUIET[:done], Lost("no such device"))

    assert lost.state is BayState.PULLED
    assert walk(*QUIET[:done], Lost("x"), Undocked()).state is BayState.PULLED


def test_a_camera_with_a_fault_that_is_taken_out_must_come_back() -> None:
    bay = walk(*QUIET[:3], Failed("D-10", "unreadable"), Undocked())

    assert bay.state is BayState.PULLED
    assert bay.colour is Colour.RED


def test_a_pulled_bay_still_says_how_far_it_got() -> None:
    bay = walk(*QUIET[:3], Advanced(3, 300), Undocked())

    assert (bay.files_done, bay.files_total) == (3, 7)


def test_a_camera_that_is_cleared_is_amber_from_the_seal_until_it_is_over() -> None:
    bay, seen = walk(*QUIET[:-1], ChargeRead(98)), list[Colour]()
    for event in (ToClear(7), Advanced(4, 400), ChargeRead(99), Cleared()):
        bay, effects = step(bay, event)
        seen += [e.colour for e in effects if isinstance(e, Show)]
        if event == ToClear(7):
            assert effects == [Clear()]
            assert bay.colour is Colour.AMBER
        if isinstance(event, Advanced):
            assert (bay.files_done, bay.files_total) == (4, 7)

    assert seen == [Colour.GREEN]
    assert (bay.state, bay.files_done) == (BayState.SEALED, 7)


def test_an_erase_that_failed_holds_nobody_and_tells_it_why() -> None:
    bay = walk(*QUIET[:-1], ChargeRead(98), ToClear(7), Cleared("the card failed"))

    assert bay.colour is Colour.GREEN
    assert bay.reason == "the card failed"
    assert bay.code is None


@pytest.mark.parametrize("safe", [0, 6, 8])
def test_nothing_is_cleared_where_the_seal_does_not_cover_every_listed_file(
    safe: int,
) -> None:
    bay, effects = step(walk(*QUIET[:-1]), ToClear(safe))

    assert bay.state is BayState.FAULT
    assert Clear() not in effects


def test_a_camera_taken_out_while_it_is_cleared_owes_nothing() -> None:
    bay, effects = step(walk(*QUIET[:-1], ToClear(7)), Undocked())

    assert (bay.state, bay.colour) == (BayState.EMPTY, Colour.OFF)
    assert Cancel() in effects


def test_a_camera_that_was_pulled_before_its_seal_is_not_cleared() -> None:
    bay, effects = step(walk(*QUIET[:-1], Undocked()), ToClear(7))

    assert bay.state is BayState.EMPTY
    assert Clear() not in effects


def test_taking_a_sealed_camera_leaves_an_empty_bay() -> None:
    bay, effects = step(walk(*QUIET, ChargeRead(99)), Undocked())

    assert bay == Bay(BAY)
    assert Show(Colour.OFF) in effects


def test_the_next_camera_starts_from_nothing() -> None:
    bay = walk(*QUIET[:4], Undocked(), Docked("b"))

    assert bay == Bay(BAY, BayState.IDENTIFYING, token="b")


def test_room_again_begins_the_offload_again() -> None:
    bay = walk(*QUIET[:2], OutOfRoom(10))

    bay, effects = step(bay, Identified(CAMERA, reports_charge=True))

    assert effects == [Offload(CAMERA)]
    assert bay.state is BayState.IDENTIFYING


@given(st.lists(EVENTS, max_size=30))
def test_green_is_never_shown_before_every_file_is_verified_and_the_docking_sealed(
    events: list[Event],
) -> None:
    bay, listed, sealed = Bay(BAY), None, None
    for event in events:
        try:
            bay, _ = step(bay, event)
        except IllegalMove:
            continue
        match event:
            case Docked() | Undocked() | Identified():
                listed, sealed = None, None
            case Listed(files):
                listed = files
            case Sealed(files) | ToClear(files):
                sealed = files
        if bay.colour is Colour.GREEN:
            assert sealed is not None
            assert sealed == listed


@given(st.lists(EVENTS, max_size=30))
def test_the_light_always_shows_what_the_bay_is(events: list[Event]) -> None:
    bay, light = Bay(BAY), Colour.OFF
    for event in events:
        try:
            bay, effects = step(bay, event)
        except IllegalMove:
            continue
        shown = [e.colour for e in effects if isinstance(e, Show)]
        light = shown[-1] if shown else light
        assert light is bay.colour


@given(st.lists(EVENTS, max_size=30))
def test_a_camera_that_left_is_never_read_on(events: list[Event]) -> None:
    bay = Bay(BAY)
    for event in events:
        try:
            bay, effects = step(bay, event)
        except IllegalMove:
            continue
        if isinstance(event, Undocked):
            assert Cancel() in effects


@pytest.mark.parametrize(
    ("state", "event"),
    list(product(BayState, ONE_OF_EACH)),
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_every_pair_is_in_the_table_or_refused(state: BayState, event: Event) -> None:
    bay = Bay(BAY, state, token="a", camera=CAMERA, files_total=7)

    if (state, type(event)) in MOVES:
        assert step(bay, event)[0].state is MOVES[state, type(event)]
    else:
        with pytest.raises(IllegalMove):
            step(bay, event)


def test_the_diagram_is_drawn_from_the_table() -> None:
    assert "checking --> sealed: Sealed" in as_mermaid()
