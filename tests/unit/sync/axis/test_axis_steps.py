"""How far an object has got is remembered as it is, at every step."""

from dataclasses import replace
from pathlib import Path

import pytest

from dock_agent.errors import FixityError
from dock_agent.sync.axis.body import Handle, Stage, Steps, measured
from dock_agent.sync.axis.names import Spot
from dock_agent.sync.destination import Progress
from support.sending import Memory, file, item

MD5 = "d41d8cd98f00b204e9800998ecf8427e"
USUAL = Handle(Spot("usual", "a.mp4"), MD5, Stage.MEASURED)
APART = Handle(Spot("apart", "a.mp4"), MD5, Stage.MEASURED)


@pytest.mark.parametrize("stage", Stage)
def test_a_handle_is_read_again_as_it_was_written(stage: Stage) -> None:
    handle = Handle(Spot("container", "object.mp4"), MD5, stage)

    assert Handle.parse(str(handle)) == handle


@pytest.mark.parametrize("text", [None, "", "a", "a/b c", "a/b/c d taken", "a/b c d"])
def test_what_is_no_handle_of_ours_is_none(text: str | None) -> None:
    assert Handle.parse(text) is None


def test_what_is_remembered_last_is_where_it_stands() -> None:
    """It was to go apart, was tried as usual once more, and is to go apart again."""
    memory = Memory()
    steps = Steps(Progress(str(APART), 3), memory)

    steps.at(USUAL)
    steps.at(APART)

    assert memory.newest == Progress(str(APART), 3)


def test_nothing_is_remembered_twice() -> None:
    memory = Memory()
    steps = Steps(Progress(str(USUAL)), memory)

    steps.at(USUAL)
    steps.at(USUAL, 5)
    steps.at(USUAL, 5)

    assert memory.kept == [Progress(str(USUAL), sent=5)]


@pytest.mark.parametrize(
    ("known", "etag", "stage"),
    [
        (None, MD5, Stage.TAKEN),
        (USUAL, "", Stage.TAKEN),
        (USUAL, "0" * 32, Stage.TAKEN),
        (USUAL, MD5, Stage.ECHOED),  # its answer was lost
        (replace(USUAL, stage=Stage.ECHOED), "", Stage.ECHOED),
        (replace(APART, stage=Stage.ECHOED), "", Stage.TAKEN),
        (APART, MD5, Stage.TAKEN),
    ],
)
def test_an_echo_counts_only_for_the_place_that_it_was_given_for(
    known: Handle | None, etag: str, stage: Stage
) -> None:
    assert USUAL.found_again(known, etag) == replace(USUAL, stage=stage)


def test_our_file_is_measured_once_wherever_it_goes(tmp_path: Path) -> None:
    sent = item(tmp_path)
    steps = Steps(Progress(str(USUAL)), Memory())
    file(sent).unlink()

    begun = steps.begun(sent, APART.spot)

    assert begun == APART


def test_a_file_of_ours_that_changed_has_no_md5(tmp_path: Path) -> None:
    sent = item(tmp_path)
    file(sent).write_bytes(b"other")

    with pytest.raises(FixityError):
        measured(sent)
