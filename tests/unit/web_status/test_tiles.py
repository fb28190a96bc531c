import pytest

from dock_agent.recording import BayState, Colour
from dock_agent.watch.status import BayStatus
from support.boards import bay, charging, copying, fault, mixed, pulled, ready
from web_status.tiles import Icon, Tile, Treatment, tile


def said(what: BayStatus, *, live: bool = True, takes: bool = True) -> Tile:
    return tile(what, live=live, takes=takes)


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(
    ("what", "word", "line"),
    [
        (bay("1", BayState.EMPTY), "Empty", "Dock a camera here"),
        (bay("1", BayState.IDENTIFYING), "Leave it", "Reading camera…"),
        (copying("1"), "Leave it", "Copying 9 of 31 · 6 min"),
        (copying("1", eta_s=None), "Leave it", "Copying 9 of 31"),
        (
            bay("1", BayState.CHECKING, done=31, total=31, eta_s=59.0),
            "Leave it",
            "Checking 31 of 31 · under 1 min",
        ),
        (
            bay("1", BayState.CLEARING, done=3, total=14),
            "Leave it",
            "All safe · clearing 3 of 14",
        ),
        (charging("1"), "Leave it", "All safe · charging 62 %"),
        (charging("1", percent=None), "Leave it", "All safe · charging"),
        (ready("1"), "Take me", "100 % · 14 of 14 safe"),
        (ready("1", reports_charge=False), "Take me", "14 of 14 safe"),
        (ready("1", files=0), "Take me", "100 % · Nothing to copy"),
        (pulled("1"), "Re-dock", "Removed at 7 of 22. Nothing lost."),
        (pulled("1", 0, 0), "Re-dock", "Removed too early. Dock it again."),
        (pulled("1", code="D-17"), "Tell IT", "Code D-17"),
        (fault("2"), "Tell IT", "Code D-17"),
        (copying("1", 14, 13, eta_s=None), "Leave it", "Copying 14 of 14"),
        (fault("2", code=None, label=None), "Tell IT", "This bay needs IT"),
        (
            bay("1", BayState.WAITING),
            "Leave it",
            "Dock full. Videos stay on the camera.",
        ),
    ],
)
def test_each_state_has_its_word_and_its_reason(
    what: BayStatus, word: str, line: str
) -> None:
    shown = said(what)

    assert (shown.word, plain(shown.line)) == (word, line)


def test_no_two_words_look_alike_without_their_colour() -> None:
    looks = {
        said(each).word: (said(each).treatment, said(each).icon) for each in mixed()
    }

    assert looks["Take me"] == (Treatment.FILL, Icon.CHECK)
    assert looks["Re-dock"] == looks["Tell IT"] == (Treatment.DOUBLE, Icon.WARN)
    assert looks["Leave it"][0] is Treatment.DASHED
    assert looks["Empty"] == (Treatment.OUTLINE, Icon.NONE)


@pytest.mark.parametrize("state", BayState)
@pytest.mark.parametrize("colour", Colour)
@pytest.mark.parametrize("live", [True, False])
def test_only_a_live_green_and_sealed_bay_may_be_taken(
    state: BayState, colour: Colour, *, live: bool
) -> None:
    shown = said(bay("1", state, colour=colour, done=3, total=3), live=live)

    green = live and state is BayState.SEALED and colour is Colour.GREEN
    assert (shown.word == "Take me") is green
    assert (shown.treatment is Treatment.FILL) is green


def test_a_seal_that_misses_a_file_takes_the_green_away() -> None:
    shown = said(ready("1", done=13))

    assert (shown.word, plain(shown.line)) == ("Leave it", "13 of 14 safe")


def test_a_bay_that_needs_somebody_still_does_when_the_page_is_not_live() -> None:
    assert said(pulled("7"), live=False).word == "Re-dock"
    assert said(copying("1"), live=False).line == "Not live"


def test_an_empty_bay_asks_for_no_camera_that_the_dock_cannot_take() -> None:
    empty = bay("1", BayState.EMPTY)

    assert said(empty, takes=False).line == ""
    assert said(empty, live=False).line == ""


def test_a_camera_with_a_fault_keeps_its_code_when_it_is_taken_out() -> None:
    shown = said(pulled("3", code="D-20"))

    assert (shown.word, shown.treatment) == ("Tell IT", Treatment.DOUBLE)
    assert "Nothing lost" not in shown.line
    assert "D-20" in shown.line


def test_a_camera_s_number_stands_in_the_same_place_whatever_its_state() -> None:
    tiles = [said(each) for each in mixed() if each.label]

    assert all(each.camera for each in tiles)
    assert not any("Cam" in each.line for each in tiles)


@pytest.mark.parametrize("what", mixed(), ids=lambda what: what.state)
def test_no_line_ends_with_a_dot_that_leads_on(what: BayStatus) -> None:
    assert "· " not in said(what).line


def test_a_bar_is_not_at_its_end_while_files_are_missing() -> None:
    one_large_file = copying("1", 1, 400, bytes_done=995, bytes_total=1000)
    many_small_ones = copying("1", 399, 400, bytes_done=5, bytes_total=1000)

    assert said(one_large_file).bar == 0
    assert said(many_small_ones).bar == 0
    assert said(copying("1", 200, 400, bytes_done=900, bytes_total=1000)).bar == 50


def test_a_bar_is_never_full_before_the_seal() -> None:
    assert said(copying("1", 9, 31)).bar == 29
    assert said(copying("1", 31, 31)).bar == 99
    assert said(copying("1", 40, 31)).bar == 99


def test_a_bar_counts_files_where_there_are_no_bytes_and_begins_at_nothing() -> None:
    assert said(copying("1", 1, 2, bytes_done=0, bytes_total=0)).bar == 50
    assert said(copying("1", 0, 0)).bar == 0


def test_a_camera_label_cannot_turn_the_text_around_it() -> None:
    shown = said(ready("1", label="\u202e1010\x1b"))

    assert shown.camera == "\\u202e1010\\x1b"
