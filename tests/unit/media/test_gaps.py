"""What is odd in a timeline, and what is not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.media.container import ContainerState
from dock_agent.media.gaps import Clip, Oddity, findings

NINE = datetime(2026, 3, 5, 9, tzinfo=UTC)


def clip(number: int, begin_s: float, length_s: float = 60, **more: object) -> Clip:
    begin, length = NINE + timedelta(seconds=begin_s), timedelta(seconds=length_s)
    facts = {"number": number, "begin": begin, "length": length} | more
    return Clip(f"CLIP{number:04d}", **facts)  # type: ignore[arg-type]


def since(apart: timedelta) -> datetime:
    return NINE + max(apart, timedelta(days=-999))


def what(*clips: Clip) -> list[Oddity]:
    return [finding.what for finding in findings(clips)]


@given(st.permutations([clip(n, 60 * n) for n in range(6)]))
def test_segments_that_follow_each_other_are_not_odd(clips: list[Clip]) -> None:
    assert findings(clips) == ()


@pytest.mark.parametrize(("apart", "odd"), [(1, []), (1.001, [Oddity.HOLE])])
def test_a_hole_is_told_from_a_second_on(apart: float, odd: list[Oddity]) -> None:
    assert what(clip(1, 0), clip(2, 60 + apart)) == odd


@pytest.mark.parametrize(("over", "odd"), [(1, []), (1.001, [Oddity.OVERLAP])])
def test_an_overlap_is_told_from_a_second_on(over: float, odd: list[Oddity]) -> None:
    assert what(clip(1, 0), clip(2, 60 - over)) == odd


def test_a_short_file_within_a_long_one_hides_no_hole() -> None:
    found = findings([clip(1, 0, 600), clip(2, 100, 10), clip(3, 660)])

    assert [(f.what, f.lasts) for f in found] == [
        (Oddity.OVERLAP, timedelta(seconds=10)),
        (Oddity.HOLE, timedelta(seconds=60)),
    ]


def test_the_night_is_no_hole() -> None:
    assert what(clip(1, 0), clip(2, 24 * 3600)) == []


def test_two_lenses_have_a_timeline_each() -> None:
    front = [clip(n, 60 * n, lens="A") for n in range(3)]
    back = [clip(n, 60 * n, lens="B") for n in range(3)]

    assert what(*front, *back) == []


def test_a_clock_that_was_set_back_is_told() -> None:
    found = findings([clip(1, 0), clip(2, 60), clip(3, -7200)])

    jump = next(f for f in found if f.what is Oddity.CLOCK_JUMP)
    assert jump.names == ("CLIP0002", "CLIP0003")
    assert jump.lasts == timedelta(seconds=7260)


def test_numbers_that_no_file_has_are_told_each_range_once() -> None:
    found = findings([clip(1, 0), clip(2, 60), clip(5, 120), clip(7, 180)])

    assert [f.numbers for f in found] == [(3, 4), (6, 6)]
    assert "numbers 3 to 4" in found[0].text
    assert "number 6" in found[1].text


def test_a_counter_that_began_again_skips_nothing() -> None:
    clips = [clip(n % 10_000, 60 * at) for at, n in enumerate(range(9997, 10_003))]

    assert what(*clips) == []


@pytest.mark.parametrize(
    ("state", "odd"),
    [
        (ContainerState.OK, []),
        (ContainerState.EMPTY, [Oddity.EMPTY]),
        (ContainerState.TRUNCATED, [Oddity.TRUNCATED]),
        (ContainerState.BROKEN, [Oddity.BROKEN]),
        (ContainerState.NOT_MP4, [Oddity.BROKEN]),
    ],
)
def test_a_file_that_is_not_whole_is_told(
    state: ContainerState, odd: list[Oddity]
) -> None:
    assert what(clip(1, 0, state=state)) == odd


def test_a_file_of_unknown_time_is_left_out_of_the_timeline() -> None:
    assert what(clip(1, 0), Clip("X", None, None), clip(2, 60)) == []


@given(
    st.lists(
        st.builds(
            Clip,
            name=st.text(max_size=3),
            begin=st.none() | st.timedeltas(max_value=timedelta(days=999)).map(since),
            length=st.none() | st.timedeltas(timedelta(), timedelta(days=9)),
            number=st.none() | st.integers(0, 9999),
        ),
        max_size=12,
    )
)
def test_any_timeline_can_be_told(clips: list[Clip]) -> None:
    for finding in findings(clips):
        assert finding.text
