"""What the station knows of a file, as a content destination is told of it."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dock_agent.recording import FileId, Priority, RecordingId
from dock_agent.store import inventory, recordings, transfers
from dock_agent.store.db import transaction
from dock_agent.store.inventory import Listing, NewFile
from dock_agent.store.recordings import NewRecording
from dock_agent.store.transfers import NewTransfer
from dock_agent.sync.destination import About
from dock_agent.sync.item import named
from support.books import CAMERA, DIGEST, MAIN, Books, ident

NS = 1_000_000_000
BEGIN = 1_772_698_530  # 2026-03-05T08:15:30Z


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    with closing(Books(tmp_path)) as made:
        yield made


def listed(books: Books, times: dict[str, int]) -> dict[str, FileId]:
    """Put one recording into the store, its files last written at those times (ns)."""
    docking, known = books.open(), RecordingId("R")
    found = NewRecording(known, "DCIM/0001", "2026-03-05T08:15:30.000000Z", "000123")
    new = [
        NewFile(name.encode(), name, 5000, at, recording=known)
        for name, at in times.items()
    ]
    with transaction(books.conn):
        recordings.add(books.conn, docking, CAMERA, [found])
        ids = inventory.add(books.conn, docking, Listing(new), books.at)
    return dict(zip(times, ids, strict=True))


def about(
    books: Books,
    file: FileId | None,
    priority: Priority = Priority.NORMAL,
) -> About:
    path = f"dockings/{ident(1)}/data/DCIM/0001.MP4"
    new = NewTransfer(ident(1), path, path, 5000, DIGEST, file, priority)
    with transaction(books.conn):
        transfers.add(books.conn, new, [MAIN], books.at)
    return named(books.conn, books.root, books.claimed()).about


def test_a_file_is_told_with_its_own_time_and_the_last_one_of_its_recording(
    books: Books,
) -> None:
    ids = listed(books, {"0001.MP4": (BEGIN + 60) * NS, "0001.JPG": (BEGIN + 90) * NS})

    told = about(books, ids["0001.MP4"])

    assert told.written == datetime.fromtimestamp(BEGIN + 60, UTC)
    assert told.stop == datetime.fromtimestamp(BEGIN + 90, UTC)


@pytest.mark.parametrize("priority", Priority)
def test_what_the_queue_has_as_marked_is_told_as_marked(
    books: Books, priority: Priority
) -> None:
    ids = listed(books, {"0001.MP4": BEGIN * NS})

    told = about(books, ids["0001.MP4"], priority)

    assert told.marked == (priority is Priority.MARKED)


@pytest.mark.parametrize(
    ("others", "video"),
    [
        (["0001.JPG"], False),
        (["0001.JPG", "0001.Mp4"], True),
        (["0001.JPG", "0001.mkv"], True),
        (["0001.JPG", "0001.mp4.txt"], False),
    ],
)
def test_a_recording_of_snapshots_is_told_from_one_with_a_video(
    books: Books, others: list[str], *, video: bool
) -> None:
    ids = listed(books, dict.fromkeys(others, BEGIN * NS))

    assert about(books, ids["0001.JPG"]).video is video


def test_the_bags_own_files_have_no_times_and_no_mark(books: Books) -> None:
    listed(books, {"0001.MP4": BEGIN * NS})

    told = about(books, None)

    assert (told.written, told.stop, told.marked) == (None, None, False)
