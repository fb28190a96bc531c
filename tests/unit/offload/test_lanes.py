"""Several pieces at a time, handed back in order; nothing begun is forgotten."""

import threading
from collections.abc import Callable, Iterator

import pytest

from dock_agent.errors import NoRoom, VaultUnusable
from dock_agent.offload.lanes import Lanes

PATIENCE = 10.0  # seconds


def unheard() -> None:
    """Do nothing meanwhile."""


@pytest.fixture(params=[1, 2, 3])
def lanes(request: pytest.FixtureRequest) -> Iterator[Lanes]:
    made = Lanes(request.param, unheard)
    yield made
    made.close()


def saying(word: str) -> Callable[[], str]:
    return lambda: word


def test_answers_come_in_the_order_of_the_pieces(lanes: Lanes) -> None:
    assert list(lanes.each(map(saying, "abcdefgh"))) == list("abcdefgh")


def test_no_pieces_give_no_answers(lanes: Lanes) -> None:
    assert list(lanes.each(())) == []


def test_a_piece_that_ends_early_waits_for_those_before_it() -> None:
    lanes, second = Lanes(2, unheard), threading.Event()

    def slow() -> str:
        assert second.wait(PATIENCE)
        return "first"

    def quick() -> str:
        second.set()
        return "second"

    assert list(lanes.each([slow, quick])) == ["first", "second"]
    lanes.close()


def test_with_one_lane_a_piece_begins_only_when_the_last_was_taken() -> None:
    lanes, order = Lanes(1, unheard), list[str]()

    def pieces() -> Iterator[Callable[[], str]]:
        for word in "abc":
            order.append(f"draw {word}")
            yield saying(word)

    for word in lanes.each(pieces()):
        order.append(f"take {word}")

    expected = [f"{what} {word}" for word in "abc" for what in ("draw", "take")]
    assert order == expected
    lanes.close()


def test_what_was_begun_when_a_piece_fails_is_still_handed_over() -> None:
    lanes, begun, taken = Lanes(2, unheard), list[int](), list[int]()

    def piece(number: int) -> Callable[[], int]:
        def work() -> int:
            begun.append(number)
            if number == 1:
                raise VaultUnusable("piece 1")
            return number

        return work

    with pytest.raises(VaultUnusable, match="piece 1"):
        taken.extend(lanes.each(map(piece, range(100))))

    assert taken == [number for number in sorted(begun) if number != 1]
    assert len(begun) < 10
    lanes.close()


def test_a_piece_that_cannot_be_drawn_ends_it_after_what_was_begun(
    lanes: Lanes,
) -> None:
    taken: list[str] = []

    def pieces() -> Iterator[Callable[[], str]]:
        yield saying("a")
        raise NoRoom("for b")

    with pytest.raises(NoRoom, match="for b"):
        taken.extend(lanes.each(pieces()))

    assert taken == ["a"]


def test_the_first_of_two_failures_is_the_one_that_is_told() -> None:
    lanes = Lanes(2, unheard)

    def failing(number: int) -> Callable[[], None]:
        def work() -> None:
            raise VaultUnusable(f"piece {number}")

        return work

    with pytest.raises(VaultUnusable, match="piece 0"):
        list(lanes.each(map(failing, range(3))))
    lanes.close()


def test_who_waits_does_something_else_meanwhile() -> None:
    looked = threading.Event()
    lanes = Lanes(1, looked.set)

    assert list(lanes.each([lambda: looked.wait(PATIENCE)])) == [True]
    lanes.close()


class Died(BaseException):
    """The process was killed."""


def test_a_death_is_no_answer(lanes: Lanes) -> None:
    def die() -> None:
        raise Died

    with pytest.raises(Died):
        list(lanes.each([die]))
