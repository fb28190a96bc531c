"""Bytes that come are told of: each once, together where they come at once."""

from collections.abc import Iterator

import pytest

from dock_agent.errors import Unreachable
from dock_agent.sync.transport.wire import LATE, LEAST, MOST, SOON, told
from support.sending import Hearing, Interrupted

RECORD = bytes(16 << 10)  # what TLS brings at a time
QUICK = 500  # pieces at once: enough that MOST bytes of them are told together


class Watch:
    """A clock that stands still until it is moved on."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_small_pieces_that_come_at_once_are_told_of_together() -> None:
    hearing = Hearing()

    came = list(told([RECORD] * 1000, hearing, Watch()))

    assert came == [RECORD] * 1000
    assert hearing.total == 1000 * len(RECORD)
    assert hearing.counts[0] == len(RECORD)
    assert max(hearing.counts) == MOST
    assert len(hearing.counts) < 40


def test_pieces_that_take_their_time_are_told_of_one_by_one() -> None:
    hearing, watch = Hearing(), Watch()

    def slow() -> Iterator[bytes]:
        yield from [RECORD] * QUICK
        for _ in range(10):
            watch.seconds += 2 * SOON
            yield RECORD

    assert len(list(told(slow(), hearing, watch))) == QUICK + 10
    assert hearing.counts[-9:] == [len(RECORD)] * 9  # with the first went the others


def test_the_first_pieces_are_told_of_though_the_rest_has_not_come() -> None:
    hearing = Hearing()

    pieces = told([RECORD] * 2, hearing, Watch())

    assert next(pieces) == RECORD
    assert hearing.counts == [len(RECORD)]


def test_fewer_are_told_of_together_where_whoever_hears_takes_long() -> None:
    watch, counts = Watch(), []

    def braked(count: int) -> None:
        counts.append(count)
        watch.seconds += 2 * LATE if MOST in counts else 0

    list(told([RECORD] * 1000, braked, watch))

    assert sum(counts) == 1000 * len(RECORD)
    assert max(counts) == MOST
    assert counts[-2] == LEAST


def test_what_came_before_a_cut_is_told_of() -> None:
    hearing = Hearing()

    def cut() -> Iterator[bytes]:
        yield from [RECORD] * QUICK
        raise Unreachable("a reset")

    with pytest.raises(Unreachable):
        list(told(cut(), hearing, Watch()))
    assert hearing.total == QUICK * len(RECORD)
    assert LEAST < hearing.counts[-1] < MOST  # it was not told of before


def test_whoever_hears_ends_it_and_is_not_told_again() -> None:
    hearing = Hearing(most=len(RECORD))

    with pytest.raises(Interrupted):
        list(told([RECORD] * 1000, hearing, Watch()))
    assert hearing.counts == [len(RECORD)]


def test_of_nothing_nothing_is_told() -> None:
    hearing = Hearing()

    assert list(told([], hearing, Watch())) == []
    assert hearing.counts == []
