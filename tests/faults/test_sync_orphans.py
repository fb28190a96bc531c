"""No upload of ours waits at a store for parts that nobody will send."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dock_agent.errors import LeaseLost
from dock_agent.recording import PART_SIZE
from dock_agent.sync.destination import Progress
from support.memory_s3 import MemoryS3, Upload
from support.place_s3 import reached
from support.sending import item

PREFIX = "station-1/"
LARGE = 2 * PART_SIZE + 5


@pytest.mark.parametrize("after", range(1, 5))  # it was begun, and after each part
def test_a_beginning_that_comes_late_is_let_go_before_the_object_is_put_together(
    tmp_path: Path, after: int
) -> None:
    store, sent = MemoryS3(), item(tmp_path, LARGE)
    steps: list[Progress] = []

    def remember(progress: Progress) -> None:
        steps.append(progress)
        if len(steps) == after:
            store.uploads["late"] = Upload(PREFIX + sent.key, {})

    with reached(store, tmp_path) as station:
        done = station.send(sent, Progress(), remember)
        told = station.confirm(sent, done)

    assert told is not None
    assert len(steps) == 4
    assert store.uploads == {}


def test_what_another_object_needs_is_left_alone(tmp_path: Path) -> None:
    store, sent = MemoryS3(), item(tmp_path, LARGE)
    other = Upload(f"{PREFIX}{sent.key}.other", {})
    store.uploads["theirs"] = other

    with reached(store, tmp_path) as station:
        station.send(sent, Progress(), lambda _: None)

    assert store.uploads == {"theirs": other}


def test_an_upload_that_nobody_will_know_of_is_let_go_at_once(tmp_path: Path) -> None:
    store, sent = MemoryS3(), item(tmp_path, LARGE)

    with reached(store, tmp_path) as station, pytest.raises(LeaseLost):
        station.send(sent, Progress(), raising(LeaseLost("taken over")))

    assert len(store.made("POST", "uploads=")) == 1
    assert store.uploads == {}


def test_an_upload_that_is_known_is_kept_whatever_ends_the_sending(
    tmp_path: Path,
) -> None:
    store, sent = MemoryS3(), item(tmp_path, LARGE)
    kept: list[Progress] = []

    def remember(progress: Progress) -> None:
        if kept:
            raise LeaseLost("taken over")  # whoever did goes on with it
        kept.append(progress)

    with reached(store, tmp_path) as station, pytest.raises(LeaseLost):
        station.send(sent, Progress(), remember)

    assert len(store.uploads) == 1


def raising(error: Exception) -> Callable[[Progress], None]:
    def remember(progress: Progress) -> None:
        del progress
        raise error

    return remember
