"""What is done with the bytes of an object before they are sent."""

from pathlib import Path

import pytest

from dock_agent.sync.axis.body import measured
from dock_agent.sync.content import PIECE
from support.sending import Hearing, Interrupted, item


def test_whoever_measures_a_long_object_shows_that_it_lives(tmp_path: Path) -> None:
    sent, heard = item(tmp_path, 3 * PIECE + 1), Hearing()

    measured(heard.of(sent))

    assert heard.counts == [0] * 4


def test_whoever_measures_an_object_can_be_stopped(tmp_path: Path) -> None:
    sent = item(tmp_path, 3 * PIECE)

    with pytest.raises(Interrupted):
        measured(Hearing(most=0).of(sent))
