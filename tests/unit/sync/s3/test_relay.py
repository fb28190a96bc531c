"""One part is sent while the one before is answered; the caller hears of all of it."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from dock_agent.errors import Busy, Unreachable
from dock_agent.sync.content import Moved
from dock_agent.sync.s3.layout import Piece
from dock_agent.sync.s3.relay import Relay
from dock_agent.sync.transport.client import Answer

PIECES = [Piece(number, 0, 100) for number in range(1, 6)]
GOOD = Answer(200, {})
PATIENCE = 10.0  # seconds until a test is given up


@dataclass
class Line:
    """Meets `Put`; keeps what came to pass, and in which thread the caller heard it."""

    said: list[str] = field(default_factory=list)
    heard_in: set[int] = field(default_factory=set)
    fails: dict[int, Exception] = field(default_factory=dict)
    held: dict[int, threading.Event] = field(default_factory=dict)
    vanishes: int = 0
    went: int = 0  # bytes
    on_the_line: int = 0
    most_on_the_line: int = 0

    def put(self, piece: Piece, moved: Moved, taken: Callable[[], None]) -> Answer:
        self.on_the_line += 1
        self.most_on_the_line = max(self.most_on_the_line, self.on_the_line)
        for _ in range(4):
            moved(25)
            self.went += 25
        self.on_the_line -= 1
        taken()
        if piece.number in self.held:
            assert self.held[piece.number].wait(PATIENCE)
        if piece.number in self.fails:
            raise self.fails.pop(piece.number)
        return GOOD

    def moved(self, count: int) -> None:
        self.heard_in.add(threading.get_ident())
        self.said.append(f"moved {count}")

    def taken(self, piece: Piece) -> None:
        self.heard_in.add(threading.get_ident())
        self.said.append(f"taken {piece.number}")
        for number, answered in self.held.items():
            if number < piece.number:
                answered.set()

    def took(self, piece: Piece, answer: Answer) -> bool:
        assert answer is GOOD
        self.heard_in.add(threading.get_ident())
        self.said.append(f"took {piece.number}")
        return piece.number != self.vanishes

    def relay(self, most: int = 2) -> Relay:
        return Relay(self.put, self.moved, self.taken, self.took, most)

    def at(self, what: str) -> int:
        return self.said.index(what)


def test_a_part_is_sent_while_the_one_before_waits_for_its_answer() -> None:
    line = Line(held={number: threading.Event() for number in (1, 2, 3, 4)})

    went_on = line.relay().send(PIECES)

    assert went_on
    for number in (1, 2, 3, 4):
        assert line.at(f"taken {number + 1}") < line.at(f"took {number}")
    assert line.at("took 1") < line.at("taken 3")  # and no third one


def test_never_are_two_bodies_on_the_line_and_every_byte_is_heard_once() -> None:
    line = Line()

    line.relay().send(PIECES)

    assert line.most_on_the_line == 1
    assert line.said.count("moved 25") == 4 * len(PIECES)


def test_the_caller_hears_of_everything_in_its_own_thread() -> None:
    line = Line()

    line.relay().send(PIECES)

    assert line.heard_in == {threading.get_ident()}


def test_one_at_a_time_is_answered_before_the_next_begins() -> None:
    line = Line()

    line.relay(most=1).send(PIECES[:3])

    order = [each for each in line.said if not each.startswith("moved")]
    assert order == ["taken 1", "took 1", "taken 2", "took 2", "taken 3", "took 3"]


def test_after_a_cut_the_other_part_may_get_through() -> None:
    line = Line(fails={1: Unreachable("cut")}, held={1: threading.Event()})

    with pytest.raises(Unreachable, match="cut"):
        line.relay().send(PIECES[:2])

    assert "took 2" in line.said
    assert "took 1" not in line.said


def test_after_a_cut_no_other_part_is_begun() -> None:
    line = Line(fails={1: Unreachable("cut")})

    with pytest.raises(Unreachable, match="cut"):
        line.relay(most=1).send(PIECES)

    assert "taken 2" not in line.said


def test_a_no_of_the_store_ends_the_part_that_is_sent_just_then() -> None:
    line = Line(fails={1: Busy("later")})

    with pytest.raises(Busy):
        line.relay().send(PIECES)

    assert "took 1" not in line.said
    assert "taken 3" not in line.said


def test_an_upload_that_vanished_ends_it() -> None:
    line = Line(vanishes=2)

    assert not line.relay().send(PIECES)
    assert "taken 5" not in line.said


@pytest.mark.parametrize("ended", [Unreachable("too slow"), KeyboardInterrupt()])
def test_whoever_hears_of_the_bytes_ends_it_whatever_it_raises(
    ended: BaseException,
) -> None:
    line = Line()
    heard: list[int] = []

    def moved(count: int) -> None:
        heard.append(count)
        if len(heard) == 6:  # in the second part
            raise ended

    relay = Relay(line.put, moved, line.taken, line.took)
    with pytest.raises(type(ended)):
        relay.send(PIECES)

    assert len(heard) == 6
    assert line.went == 5 * 25


def test_what_is_raised_over_an_answer_ends_the_part_that_is_sent_just_then() -> None:
    line = Line()

    def took(piece: Piece, answer: Answer) -> bool:
        raise Busy(f"{piece.number} {answer.status}")

    with pytest.raises(Busy, match="1 200"):
        Relay(line.put, line.moved, line.taken, took).send(PIECES)

    assert "taken 3" not in line.said
