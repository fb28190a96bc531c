"""How large the words must be to be read from where officers stand. Pure.

Arc-minutes of cap height: 20 to 22 are preferred and 16 is the least (ISO
9241-303). Sizes are in `vmin`, hundredths of the screen's shorter side, so the
server need not know how many pixels the screen has.
"""

import math
from dataclasses import dataclass
from functools import partial
from itertools import product

INCH = 25.4  # millimetres
SHORT_SIDE = 0.49  # of the diagonal; 0.4903 at 16:9, the flattest usual
LONG_SIDE = 160.0  # vmin, at 16:10: the narrowest usual screen that is wide
CAP_HEIGHT = 0.716  # em; Liberation Sans and Arial; DejaVu Sans has 0.729
SHORT_SIDE_VMIN = 100.0
WORD_WIDTH = 4.6  # em: "Take me" in the widest of the board's fonts, DejaVu Sans

LEAST, PREFERRED, LARGEST = 16, 20, 34  # arc-minutes
MARGIN, GAP, PADDING = 1.0, 1.0, 1.0  # vmin
STRIP = 5.5  # vmin: bay number and icon, left of the word
MOST_COLUMNS = 6
LONGEST = 0.9 * LONG_SIDE / (0.62 * 23)  # vmin: "Not live since 06:58:12" fits


@dataclass(frozen=True, slots=True)
class Screen:
    """The officers' screen, and how far away they stand."""

    inches: float  # diagonal
    distance_m: float


@dataclass(frozen=True, slots=True)
class Layout:
    """The board's grid; sizes in vmin.

    `flat` puts the bay's number beside its word instead of above it. `word` is
    the size of the tile's word, `line` of what is below it; the verdict has three,
    so that each stays on one line.
    """

    columns: int
    flat: bool
    word: float
    line: float
    verdict: float
    verdict_medium: float
    verdict_long: float


def vmin_for(minutes: float, screen: Screen) -> float:
    """Return the font size whose capitals subtend `minutes` of arc."""
    cap_mm = 1000 * screen.distance_m * math.tan(math.radians(minutes / 60))
    return 100 * cap_mm / CAP_HEIGHT / (screen.inches * INCH * SHORT_SIDE)


def arc_minutes(vmin: float, screen: Screen) -> float:
    """Return the arc that capitals of a font of this size subtend."""
    cap_mm = vmin / 100 * CAP_HEIGHT * screen.inches * INCH * SHORT_SIDE
    return 60 * math.degrees(math.atan(cap_mm / (1000 * screen.distance_m)))


@dataclass(frozen=True, slots=True)
class _Grid:
    columns: int
    flat: bool
    line: float
    word: float = 1.0

    @property
    def verdict(self) -> float:
        return self.word if self.flat else min(1.25 * self.word, 11.0)


SHAPES = ((False, 3.2), (True, 3.2), (True, 2.2))
"""What is tried, the most comfortable first: flat or not, the largest line."""


def layout(screen: Screen, bays: int) -> Layout:
    """Return the grid for this many bays: as many columns as stay legible.

    The words are at least `PREFERRED` where that fits, else as large as fits.
    Where not even `LEAST` fits, the verdict still has it.
    """
    grids = [_filled(*each, bays) for each in product(_columns(bays), SHAPES)]
    enough = [each for each in grids if each.word >= vmin_for(PREFERRED, screen)]
    if enough:
        best = max(enough, key=partial(_like_a_dock, bays))
    else:
        best = max(grids, key=lambda each: each.word)
    word = min(best.word, vmin_for(LARGEST, screen))
    least = vmin_for(LEAST, screen)
    verdict = max(0.75 * best.verdict if best.flat else best.verdict, least)
    medium = max(0.75 * verdict, min(verdict, least))
    return Layout(
        best.columns, best.flat, word, best.line, verdict, medium, min(medium, LONGEST)
    )


def _like_a_dock(bays: int, grid: _Grid) -> tuple[float, float, float]:
    """Docks are wide and low: columns first, then lines, then words."""
    holes = -bays % grid.columns
    return grid.columns - holes, grid.line, grid.word


def _columns(bays: int) -> range:
    return range(1, min(max(bays, 1), MOST_COLUMNS) + 1)


def _filled(columns: int, shape: tuple[bool, float], bays: int) -> _Grid:
    """Return the grid with the largest words with which every tile fits."""
    flat, largest_line = shape
    rows = math.ceil(max(bays, 1) / columns)
    for tenths in range(300, 9, -1):
        word = tenths / 10
        grid = _Grid(columns, flat, min(max(2.2, 0.4 * word), largest_line), word)
        if _fits(grid, rows):
            return grid
    return _Grid(columns, flat, line=2.2)


def _fits(grid: _Grid, rows: int) -> bool:
    wide = WORD_WIDTH * grid.word + 2 * PADDING
    high = grid.word + 1.2 * grid.line + PADDING
    if grid.flat:
        wide += STRIP
    else:
        high += grid.word + 3 * grid.line + PADDING  # number, second line, camera
    width = grid.columns * wide + (grid.columns - 1) * GAP + 2 * MARGIN
    around = grid.verdict + 1.5 * grid.line + 3 * MARGIN
    height = rows * high + (rows - 1) * GAP + around
    return width <= LONG_SIDE and height <= SHORT_SIDE_VMIN
