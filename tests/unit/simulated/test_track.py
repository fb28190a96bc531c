"""Tracks that a receiver could have written."""

import re
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from dock_agent.simulated.track import sentence, walk

BEGIN = datetime(2026, 3, 5, 23, 59, 58, tzinfo=UTC)
SAMPLE = next(
    (Path(__file__).parents[2] / "data/card-gat947").rglob("*161530_0001.NMEA")
)


def kinds(text: str) -> Counter[tuple[str, int]]:
    """Count sentences by what they are and how many fields they have."""
    return Counter((line.split(",")[0], line.count(",")) for line in text.splitlines())


def test_a_checksum_is_that_of_the_standard_s_own_example() -> None:
    body = "GPGLL,5057.970,N,00146.110,E,142451,A"

    assert sentence(body) == f"${body}*27\r\n"


def test_every_line_of_a_walk_has_its_checksum() -> None:
    lines = walk(BEGIN, 3, "x").splitlines(keepends=True)

    assert [line for line in lines if sentence(line[1:-5]) != line] == []


def test_a_walk_has_the_sentences_of_the_sample_track() -> None:
    sample = SAMPLE.read_bytes().decode("ascii")

    assert kinds(walk(BEGIN, 4, "x")) == kinds(sample)


def test_satellites_of_four_constellations_are_in_view() -> None:
    talkers = set(re.findall(r"\$(\w\w)GSV", walk(BEGIN, 0, "x")))

    assert talkers == {"GP", "GL", "GA", "GB"}


def test_a_walk_goes_over_midnight() -> None:
    times = re.findall(r"RMC,(\d{6}).*?,(\d{6}),,,A,V", walk(BEGIN, 3, "x"))

    assert times == [
        ("235958", "050326"),
        ("235959", "050326"),
        ("000000", "060326"),
        ("000001", "060326"),
    ]


def test_nobody_walks_faster_than_three_metres_a_second() -> None:
    found = re.findall(
        r"RMC,.*?,A,22(\d\d\.\d{5}),N,114(\d\d\.\d{5})", walk(BEGIN, 60, "x")
    )
    places = [(float(north), float(east)) for north, east in found]

    steps = [max(abs(a - c), abs(b - d)) * 1852 for (a, b), (c, d) in pairwise(places)]

    assert len(steps) == 60
    assert 0 < max(steps) < 3


def test_equal_walks_are_equal_and_others_are_not() -> None:
    assert walk(BEGIN, 9, "x") == walk(BEGIN, 9, "x")
    assert walk(BEGIN, 9, "x") != walk(BEGIN, 9, "y")
