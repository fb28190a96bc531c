import math

import pytest

from web_status.legibility import Screen, arc_minutes, layout, vmin_for

SCREENS = {
    "24 in, 1920x1080": (24.0, 1920, 1080, 20),
    "15.6 in, 1366x768": (15.6, 1366, 768, 20),
    "10.1 in, 1280x800": (10.1, 1280, 800, 18),
    "7 in, 1024x600": (7.0, 1024, 600, 16),
}
CAP = 0.716  # em: Liberation Sans, the first of the board's fonts


def measured(pixels: float, inches: float, wide: int, high: int) -> float:
    """Arc-minutes at 2 m of capitals of a font of so many pixels, from scratch."""
    millimetres = pixels * CAP * inches * 25.4 / math.hypot(wide, high)
    return math.degrees(math.atan2(millimetres, 2000)) * 60


@pytest.mark.parametrize("screen", SCREENS)
def test_the_words_of_eight_bays_are_legible_at_two_metres(screen: str) -> None:
    inches, wide, high, least = SCREENS[screen]

    grid = layout(Screen(inches, 2.0), bays=8)

    assert measured(grid.word / 100 * high, inches, wide, high) >= least
    assert measured(grid.verdict / 100 * high, inches, wide, high) >= 16


@pytest.mark.parametrize("screen", ["24 in, 1920x1080", "15.6 in, 1366x768"])
@pytest.mark.parametrize("bays", [1, 4, 8, 12, 16])
def test_what_explains_the_verdict_is_as_legible(screen: str, bays: int) -> None:
    inches, wide, high, _ = SCREENS[screen]

    grid = layout(Screen(inches, 2.0), bays)

    assert measured(grid.rest / 100 * high, inches, wide, high) >= 16


@pytest.mark.parametrize("bays", [1, 2, 4, 8])
def test_a_small_screen_explains_its_verdict_as_legibly(bays: int) -> None:
    inches, wide, high, _ = SCREENS["10.1 in, 1280x800"]

    grid = layout(Screen(inches, 2.0), bays)

    assert measured(grid.rest / 100 * high, inches, wide, high) >= 16


@pytest.mark.parametrize("bays", [1, 2, 4, 8])
def test_a_tall_tile_s_second_line_is_legible_too(bays: int) -> None:
    inches, wide, high, _ = SCREENS["24 in, 1920x1080"]

    grid = layout(Screen(inches, 2.0), bays)

    assert not grid.flat
    assert measured(grid.line / 100 * high, inches, wide, high) >= 16
    assert grid.line < grid.word


@pytest.mark.parametrize("inches", [24.0, 15.6, 10.1, 7.0])
@pytest.mark.parametrize("bays", [1, 4, 8, 16, 24])
def test_the_second_line_takes_only_what_the_word_leaves(
    inches: float, bays: int
) -> None:
    grid = layout(Screen(inches, 2.0), bays)

    assert grid.small <= grid.line < grid.word


@pytest.mark.parametrize("screen", SCREENS)
@pytest.mark.parametrize("bays", [0, 1, 2, 3, 7, 12, 16, 24, 25, 40])
def test_the_verdict_is_legible_however_many_bays_there_are(
    screen: str, bays: int
) -> None:
    inches, wide, high, _ = SCREENS[screen]

    grid = layout(Screen(inches, 2.0), bays)

    assert measured(grid.verdict / 100 * high, inches, wide, high) >= 16
    assert grid.columns >= 1


def test_a_font_for_so_many_minutes_has_so_many_minutes() -> None:
    screen = Screen(10.1, 1.5)

    assert arc_minutes(vmin_for(20, screen), screen) == pytest.approx(20)


def test_a_screen_farther_away_gets_larger_words() -> None:
    near, far = layout(Screen(15.6, 1.0), 16), layout(Screen(15.6, 2.0), 16)

    assert far.word > near.word


def test_the_grid_leaves_no_holes_where_it_need_not() -> None:
    columns = [layout(Screen(24, 2.0), bays).columns for bays in (1, 2, 4, 6, 8, 12)]

    assert columns == [1, 2, 4, 3, 4, 4]


@pytest.mark.parametrize("inches", [24.0, 15.6, 10.1, 7.0])
@pytest.mark.parametrize("bays", [1, 4, 8, 16, 24])
def test_words_never_need_more_than_the_screen(inches: float, bays: int) -> None:
    grid = layout(Screen(inches, 2.0), bays)
    rows = math.ceil(bays / grid.columns)

    assert grid.columns * grid.word * 4.6 < 160
    assert rows * (grid.word + grid.line) + grid.verdict_long < 100
