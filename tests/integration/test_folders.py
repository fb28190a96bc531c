"""Bays that are directories, on the real file system with real events."""

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.bays.detector import Seen, Sighting, Vanished
from dock_agent.bays.folders import FolderDetector
from dock_agent.errors import ConfigError
from dock_agent.recording import BayName

ONE = BayName("1")


class Watching:
    """A detector at work, and what it says."""

    def __init__(self, folder: Path) -> None:
        self.detector = FolderDetector({ONE: folder})
        self._said: queue.SimpleQueue[Seen] = queue.SimpleQueue()
        self.detector.start(self._said.put)

    def next(self) -> Seen:
        return self._said.get(timeout=10)

    def quiet(self) -> bool:
        return self._said.empty()


@pytest.fixture
def bay(tmp_path: Path) -> Path:
    (tmp_path / "bay").mkdir()
    return tmp_path / "bay"


@pytest.fixture
def watching(bay: Path) -> Iterator[Watching]:
    made = Watching(bay)
    yield made
    made.detector.stop()


def test_a_directory_that_appears_is_a_docked_camera(
    bay: Path, watching: Watching
) -> None:
    (bay / "KT-Z1:42").mkdir()

    seen = watching.next()

    assert isinstance(seen, Sighting)
    assert (seen.bay, seen.node) == (ONE, str(bay / "KT-Z1:42"))
    assert seen.facts["folder"] == "KT-Z1:42"


def test_a_card_moved_in_and_out_is_docked_and_pulled(
    bay: Path, watching: Watching, tmp_path: Path
) -> None:
    (tmp_path / "card").mkdir()
    (tmp_path / "card").rename(bay / "card")
    seen = watching.next()
    assert isinstance(seen, Sighting)

    (bay / "card").rename(tmp_path / "card")

    assert watching.next() == Vanished(ONE, seen.token)


def test_a_camera_that_was_there_before_us_is_seen_and_its_pull_too(bay: Path) -> None:
    (bay / "card").mkdir()
    watching = Watching(bay)
    seen = watching.next()
    assert isinstance(seen, Sighting)

    (bay / "card").rmdir()

    assert watching.next() == Vanished(ONE, seen.token)
    watching.detector.stop()


def test_a_card_that_is_being_built_aside_is_left_alone(
    bay: Path, watching: Watching
) -> None:
    (bay / ".card").mkdir()
    (bay / ".card/VIDEO").mkdir()
    (bay / "file").write_bytes(b"not a directory")

    (bay / ".card").rename(bay / "card")

    seen = watching.next()
    assert isinstance(seen, Sighting)
    assert seen.facts["folder"] == "card"
    assert watching.quiet()


def test_another_directory_of_the_same_name_is_another_contact(
    bay: Path, watching: Watching
) -> None:
    (bay / "card").mkdir()
    first = watching.next()
    (bay / "card").rmdir()
    assert isinstance(watching.next(), Vanished)
    (bay / "card").mkdir()

    second = watching.next()

    assert isinstance(first, Sighting)
    assert isinstance(second, Sighting)
    assert first.token != second.token


def test_a_bay_that_does_not_exist_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bay 1"):
        FolderDetector({ONE: tmp_path / "absent"})


def test_what_is_there_can_be_asked_for_at_any_time(bay: Path) -> None:
    (bay / "b").mkdir()
    (bay / "a").mkdir()

    present = FolderDetector({ONE: bay}).present()

    assert [s.facts["folder"] for s in present.sightings] == ["a", "b"]


def test_a_bay_that_cannot_be_looked_at_is_unknown_and_the_others_are_seen(
    bay: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    (other / "card").mkdir(parents=True)
    detector = FolderDetector({ONE: bay, BayName("2"): other})
    bay.rmdir()
    bay.write_bytes(b"no directory any more")

    present = detector.present()

    assert present.unknown == {ONE}
    assert [s.bay for s in present.sightings] == ["2"]
