"""Whose word the begin of a recording is."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.media.start import StartSource, Told, by_camera, start

NINE = datetime(2026, 3, 5, 9, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
END = NINE + MINUTE


@pytest.mark.parametrize(
    ("told", "source"),
    [
        (Told(END, NINE, NINE, END, MINUTE), StartSource.SATELLITE),
        (Told(END, None, NINE, END, MINUTE), StartSource.NAME),
        (Told(END, None, None, END, MINUTE), StartSource.CONTAINER),
        (Told(END, None, None, None, MINUTE), StartSource.FILE),
    ],
)
def test_the_surest_word_there_is_decides(told: Told, source: StartSource) -> None:
    found = start(told)

    assert (found.at, found.source, found.apart) == (NINE, source, timedelta())


def test_what_the_others_are_off_by_is_kept() -> None:
    late = NINE + timedelta(minutes=3)

    found = start(Told(END, NINE, late, END, MINUTE))

    assert found.apart == timedelta(minutes=3)


def test_a_header_that_tells_the_begin_is_understood_where_the_name_says_so() -> None:
    told = Told(END + timedelta(hours=1), None, NINE, NINE, MINUTE)

    assert start(told).apart == timedelta(hours=1)


def test_a_timeline_goes_by_the_camera_s_clock_alone() -> None:
    wrong = NINE - timedelta(days=400)

    found = by_camera(Told(wrong + MINUTE, NINE, wrong, None, MINUTE))

    assert (found.at, found.source) == (wrong, StartSource.NAME)
    assert found.apart == timedelta()


@given(
    st.datetimes(timezones=st.just(UTC)),
    st.none() | st.datetimes(timezones=st.just(UTC)),
    st.timedeltas(timedelta(), timedelta(days=99999)),
)
def test_any_times_have_an_answer(
    modified: datetime, written: datetime | None, lasts: timedelta
) -> None:
    told = Told(modified, written=written, lasts=lasts)

    assert start(told).apart >= timedelta()
