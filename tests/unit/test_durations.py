from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.durations import (
    age_words,
    ago_words,
    clock_words,
    eta_words,
    lasts_words,
    moment_words,
    size_words,
)

SUMMER = datetime(2026, 7, 1, 5, 58, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, None),
        (-1, None),
        (0, "under 1 min"),
        (59.9, "under 1 min"),
        (60, "1 min"),
        (61, "2 min"),
        (540, "9 min"),
        (600, "10 min"),
        (601, "15 min"),
        (3600, "1 h"),
        (3601, "1 h 5 min"),
        (3 * 3600 + 1, "3 h 5 min"),
    ],
)
def test_what_is_left_is_rounded_up(seconds: float | None, words: str | None) -> None:
    assert eta_words(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "under 1 min"),
        (119, "1 min"),
        (14_100, "3 h 55 min"),
        (7200, "2 h"),
        (86_400, "1 day"),
        (2 * 86_400 + 3 * 3600, "2 days 3 h"),
        (41 * 86_400 + 3 * 3600, "41 days"),
    ],
)
def test_an_age_has_at_most_two_units(seconds: float, words: str) -> None:
    assert age_words(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (0.9, "0 s"), (59.9, "59 s"), (60, "1 min"), (14_100, "3 h 55 min")],
)
def test_what_was_just_now_is_told_to_the_second(seconds: float, words: str) -> None:
    assert ago_words(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (12_000_000_000, "12.0 GB"),
        (412_999_999_999, "412 GB"),
        (99_999_999_999, "99.9 GB"),
        (1_250_000_000_000, "1.2 TB"),
        (10**18, "1000 PB"),
    ],
)
def test_sizes_are_decimal_and_rounded_down(count: int, words: str) -> None:
    assert size_words(count) == words


@given(st.integers(0, 10**17))
def test_no_size_is_told_larger_than_it_is(count: int) -> None:
    number, unit = size_words(count).split(" ")
    power = ("B", "kB", "MB", "GB", "TB", "PB").index(unit)

    assert round(float(number) * 10) * 1000**power <= count * 10


def test_times_of_day_are_the_stations_own() -> None:
    london = ZoneInfo("Europe/London")

    assert clock_words(SUMMER, london) == "06:58:12"
    assert moment_words(SUMMER, london) == "2026-07-01 06:58:12 BST"


def test_room_for_ages_is_not_counted_in_days() -> None:
    assert lasts_words(12.5) == "about 12 days"
    assert lasts_words(0.5) == "about 12 h"
    assert lasts_words(366) == "more than a year"
