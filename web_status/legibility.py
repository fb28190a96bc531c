"""How large the words must be to be read from where officers stand. Pure.

Arc-minutes of cap height: 20 to 22 are preferred and 16 is the least (ISO
9241-303). Sizes are in `vmin`, hundredths of the screen's shorter side, so the
server need not know how many pixels the screen has.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from textwrap import wrap

INCH = 25.4  # millimetres
SHORT_SIDE = 0.49  # of the diagonal; 0.4903 at 16:9, the flattest usual
LONG_SIDE = 160.0  # vmin, at 16:10: the narrowest usual screen that is wide
CAP_HEIGHT = 0.716  # em; Liberation Sans and Arial; DejaVu Sans has 0.729
SHORT_SIDE_VMIN = 100.0
WORD_WIDTH = 4.6  # em: "Take me" in the widest of the board's fonts, DejaVu Sans

LETTER, BOLD = 0.57, 0.62  # em: an average letter of DejaVu Sans, plain and bold

LEAST, PREFERRED, LARGEST = 16, 20, 34  # arc-minutes
MARGIN, GAP, PADDING = 1.0, 1.0, 1.0  # vmin
STRIP = 5.5  # vmin: bay number and icon, left of the word
INSIDE = 3.6  # vmin: a tall tile's own edges, left and right, above and below
MOST_COLUMNS = 6
LONGEST = 0.9 * LONG_SIDE / (BOLD * 23)  # vmin: "Not live since 06:58:12" fits
LONG_REST = 0.85 * LONG_SIDE / (LETTER * 35)  # "everyone else: wait, reading camera"
WORST = (  # where "_" stands a line does not end
    "Dock full. Videos stay on the camera.",
    "Removed at 300_of_400. Nothing lost.",
    "Checking 300_of_400 ·_under_1_min",
)
"""The longest a tile has to say below its word."""


@dataclass(frozen=True, slots=True)
class Screen:
    """The officers' screen, and how far away they stand."""

    inches: float  # diagonal
    distance_m: float


@dataclass(frozen=True, slots=True)
class Layout:
    """The board's grid; sizes in vmin.

    `flat` puts the bay's number beside its word instead of above it. `word` is
    the size of the tile's word, `line` of what is below it, `small` of what is
    around the tiles. The verdict has three, so that each stays on one line;
    `rest` is that of what explains it.
    """

    columns: int
    flat: bool
    word: float
    line: float
    small: float
    verdict: float
    verdict_medium: float
    verdict_long: float
    rest: float
    rest_long: float


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
    rows: int
    flat: bool
    small: float
    least: float  # what the verdict has whatever else fits
    rest: float
    word: float = 1.0

    @property
    def verdict(self) -> float:
        wished = 0.75 * self.word if self.flat else min(1.25 * self.word, 11.0)
        return max(wished, self.least)

    @property
    def medium(self) -> float:
        return max(0.75 * self.verdict, min(self.verdict, self.least))

    @property
    def tile(self) -> tuple[float, float]:
        """Return how wide and high a tile is, below the tallest verdict."""
        around = max(self.verdict, self.medium + self.rest) + 1.5 * self.small
        wide = LONG_SIDE - 2 * MARGIN - (self.columns - 1) * GAP
        high = SHORT_SIDE_VMIN - around - 3 * MARGIN - (self.rows - 1) * GAP
        return wide / self.columns, high / self.rows

    def with_word(self, word: float) -> "_Grid":
        return replace(self, word=word, small=min(max(2.2, 0.4 * word), self.small))

    def fits(self) -> bool:
        wide = WORD_WIDTH * self.word + 2 * PADDING
        high = self.word + 1.2 * self.small + PADDING
        if self.flat:
            wide += STRIP
        else:
            high += self.word + 3 * self.small + PADDING  # number, second line
        return wide <= self.tile[0] and high <= self.tile[1]

    def line(self) -> float:
        """Return the largest second line with which the worst still fits."""
        wide, high = self.tile[0] - INSIDE, self.tile[1] - INSIDE - 1.95 * self.word
        if self.flat:
            wide, high = wide - STRIP, self.tile[1] - PADDING - self.word
        for hundredths in range(int(70 * self.word), int(100 * self.small), -5):
            size = hundredths / 100
            letters = int((wide - 3 * size * self.flat) / (LETTER * size))
            if 1.2 * size * _lines(letters) <= high:
                return size
        return self.small


def _lines(letters: int) -> int:
    """Return how many lines the worst takes; one that cuts a word is no line."""
    if letters < max(len(word) for words in WORST for word in words.split()):
        return len(WORST[0])
    return max(len(wrap(words, letters)) for words in WORST)


Shapes = tuple[tuple[bool, float], ...]
SIZES = tuple(tenths / 10 for tenths in range(300, 9, -1))  # vmin, of the words
SHAPES: Shapes = ((False, 3.2), (True, 3.2), (True, 2.2))
"""What is tried, the most comfortable first: flat or not, the largest small text."""
WISHES = (
    (LEAST, PREFERRED, SHAPES[:2]),
    (LEAST, 18, SHAPES[:2]),
    (LEAST, PREFERRED, SHAPES),
    (LEAST, LEAST, SHAPES),
    (12, LEAST, SHAPES),
    (8, LEAST, SHAPES),
    (0, LEAST, SHAPES),
)
"""Arc-minutes of what explains the verdict and of the words, in which shapes."""


def layout(screen: Screen, bays: int) -> Layout:
    """Return the grid for this many bays: as many columns as stay legible.

    The words, and what explains the verdict, are as large as `WISHES` has it, the
    best that fits. Where not even `LEAST` fits, the verdict still has it.
    """
    best = _best(screen, bays)
    best = replace(best, word=min(best.word, vmin_for(LARGEST, screen)))
    explains = (0.66 if best.rest else 0.3) * best.medium
    rest = max(best.rest, explains, best.small)
    return Layout(
        columns=best.columns,
        flat=best.flat,
        word=best.word,
        line=best.line(),
        small=best.small,
        verdict=best.verdict,
        verdict_medium=best.medium,
        verdict_long=min(best.medium, LONGEST),
        rest=rest,
        rest_long=min(rest, LONG_REST),
    )


def _best(screen: Screen, bays: int) -> _Grid:
    for rest, words, shapes in WISHES:
        grids = list(_filled(screen, bays, vmin_for(rest, screen), shapes))
        enough = [each for each in grids if each.word >= vmin_for(words, screen)]
        if enough:
            return max(enough, key=partial(_like_a_dock, bays))
    return max(grids, key=lambda each: each.word)


def _like_a_dock(bays: int, grid: _Grid) -> tuple[float, float, float]:
    """Docks are wide and low: columns first, then lines, then words."""
    holes = -bays % grid.columns
    return grid.columns - holes, grid.small, grid.word


def _filled(screen: Screen, bays: int, rest: float, shapes: Shapes) -> Iterator[_Grid]:
    """Yield each grid with the largest words with which every tile fits."""
    many, least = max(bays, 1), vmin_for(LEAST, screen)
    for columns, (flat, small) in product(
        range(1, min(many, MOST_COLUMNS) + 1), shapes
    ):
        grid = _Grid(columns, math.ceil(many / columns), flat, small, least, rest)
        yield next((each for each in map(grid.with_word, SIZES) if each.fits()), grid)
