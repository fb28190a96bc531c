"""How large the words must be to be read from where officers stand. Pure.

Arc-minutes of cap height: 20 to 22 are preferred and 16 is the least (ISO
9241-303). Sizes are in `vmin`, hundredths of the screen's shorter side, so the
server need not know how many pixels the screen has.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

INCH = 25.4  # millimetres
SHORT_SIDE = 9 / math.hypot(16, 9)  # of the diagonal, at 16:9: the flattest usual
LONG_SIDE = 160.0  # vmin, at 16:10: the narrowest usual screen that is wide
CAP_HEIGHT = 0.716  # em; Liberation Sans and Arial; DejaVu Sans has 0.729
WORD_WIDTH = 4.6  # em: "Take me" in the widest of the board's fonts, DejaVu Sans

LEAST, PREFERRED, LARGEST = 16, 20, 34  # arc-minutes
MARGIN, GAP, PADDING = 1.0, 1.0, 1.0  # vmin
STRIP = 5.5  # vmin: bay number and icon, left of the word
MOST_COLUMNS = 6


@dataclass(frozen=True, slots=True)
class Screen:
    """The officers' screen, and how far away they stand."""

    inches: float  # diagonal
    distance_m: float


@dataclass(frozen=True, slots=True)
class Layout:
    """The board's grid; sizes in vmin.

    `flat` puts the bay's number beside its word instead of above it. `word` is
    the size of the tile's word, `line` of what is below it.
    """

    columns: int
    flat: bool
    word: float
    line: float
    verdict: float


def vmin_for(minutes: float, screen: Screen) -> float:
    """Return the font size whose capitals subtend `minutes` of arc."""
    cap_mm = 2 * screen.distance_m * 1000 * math.tan(math.radians(minutes / 60) / 2)
    return 100 * cap_mm / CAP_HEIGHT / (screen.inches * INCH * SHORT_SIDE)


def arc_minutes(vmin: float, screen: Screen) -> float:
    """Return the arc that capitals of a font of this size subtend."""
    cap_mm = vmin / 100 * CAP_HEIGHT * screen.inches * INCH * SHORT_SIDE
    return 60 * math.degrees(2 * math.atan(cap_mm / (2000 * screen.distance_m)))


def layout(screen: Screen, bays: int) -> Layout:
    """Return the grid for this many bays: as many columns as stay legible.

    The words are at least `PREFERRED` where that fits, else as large as fits.
    Where not even `LEAST` fits, the verdict still has it.
    """
    fitting = sorted(_candidates(bays), key=lambda each: each.word)
    roomy = [each for each in fitting if each.word >= vmin_for(PREFERRED, screen)]
    best = max(roomy, key=partial(_like_a_dock, bays)) if roomy else fitting[-1]
    word = min(best.word, vmin_for(LARGEST, screen))
    verdict = max(_verdict(word, flat=best.flat), vmin_for(LEAST, screen))
    return Layout(best.columns, best.flat, word, _line(word), verdict)


def _like_a_dock(bays: int, candidate: Layout) -> tuple[float, float]:
    """Docks are wide and low: more columns first, then larger words."""
    holes = -bays % candidate.columns
    return candidate.columns - holes, candidate.word


def _candidates(bays: int) -> Iterator[Layout]:
    for columns in range(1, min(max(bays, 1), MOST_COLUMNS) + 1):
        rows = math.ceil(max(bays, 1) / columns)
        for flat in (False, True):
            word = _largest(columns, rows, flat=flat)
            yield Layout(columns, flat, word, _line(word), _verdict(word, flat=flat))


def _largest(columns: int, rows: int, *, flat: bool) -> float:
    """Return the largest word, in vmin, with which every tile fits the screen."""
    sizes = (tenths / 10 for tenths in range(300, 9, -1))
    return next((s for s in sizes if _fits(s, columns, rows, flat=flat)), 1.0)


def _fits(word: float, columns: int, rows: int, *, flat: bool) -> bool:
    line = _line(word)
    wide = WORD_WIDTH * word + 2 * PADDING
    high = word + 1.2 * line + PADDING
    if flat:
        wide += STRIP
    else:
        high += 3 * line + 3 * PADDING  # the number above, a second line below
    width = columns * wide + (columns - 1) * GAP + 2 * MARGIN
    around = _verdict(word, flat=flat) + 1.5 * line + 3 * MARGIN
    height = rows * high + (rows - 1) * GAP + around
    return width <= LONG_SIDE and height <= 100  # noqa: PLR2004


def _line(word: float) -> float:
    """Return the size below a word: read at half its distance, from nearby at worst."""
    return min(max(2.2, 0.4 * word), 3.2)


def _verdict(word: float, *, flat: bool) -> float:
    return word if flat else min(1.25 * word, 11.0)
