"""Dockings and files in the store: each change with its event, and nothing else."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dock_agent.custody.chain import canonical
from dock_agent.errors import StoreError
from dock_agent.recording import (
    CameraId,
    Digest,
    DockingState,
    FileId,
    FileState,
    ReadBack,
    RecordingId,
)
from dock_agent.store import cameras, dockings, files, inventory, recordings
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Change
from dock_agent.store.file import FileProof
from dock_agent.store.files import Tally
from dock_agent.store.inventory import Listing, NewFile
from dock_agent.store.recordings import NewRecording
from support.books import CAMERA, DIGEST, Books, ident

OTHER = CameraId("KT-Z1:KTZ1A00042")


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    yield made
    made.close()


def test_a_docking_is_what_was_opened_and_the_log_says_who_and_where(
    books: Books,
) -> None:
    docking = dockings.get(books.conn, books.open())

    assert docking.state is DockingState.OPENED
    assert docking.camera == CAMERA
    assert docking.opened_at == books.at.utc
    assert docking.ended_at is None
    assert books.facts(docking.id, "docked") == [
        {"camera": CAMERA, "bay": "1", "identity": {}}
    ]


def test_a_camera_is_known_by_its_model_and_serial_since_its_first_visit(
    books: Books,
) -> None:
    books.open(1)
    with transaction(books.conn):
        cameras.seen(books.conn, CAMERA, books.at)

    (row,) = books.conn.execute("SELECT * FROM camera")

    assert (row["id"], row["model"], row["serial"]) == (CAMERA, "KT-Z3", "KTZ3A00017")


def test_a_docking_that_moved_meanwhile_is_not_moved_again(books: Books) -> None:
    docking = books.open()
    books.move(docking, DockingState.COPYING)
    stale = Change(DockingState.OPENED, DockingState.INTERRUPTED, reason="late")

    with pytest.raises(StoreError, match="no longer opened"), transaction(books.conn):
        dockings.set_state(books.conn, docking, stale, books.at)

    assert dockings.get(books.conn, docking).state is DockingState.COPYING
    assert books.told(docking) == ["docked", "copying"]


def test_a_docking_that_ended_says_when_and_why(books: Books) -> None:
    docking = books.open()

    books.move(docking, DockingState.INTERRUPTED, reason="pulled")

    found = dockings.get(books.conn, docking)
    assert (found.ended_at, found.reason) == (books.at.utc, "pulled")
    assert books.facts(docking, "interrupted") == [{"reason": "pulled"}]


def test_what_is_not_sealed_is_unfinished_oldest_first(books: Books) -> None:
    for number, camera in ((3, CAMERA), (1, CAMERA), (2, OTHER)):
        books.open(number, camera)
    books.move(ident(3), DockingState.COPYING)
    books.move(ident(1), DockingState.INTERRUPTED)
    books.open(4)
    for state in (DockingState.COPYING, DockingState.CHECKING, DockingState.SEALED):
        books.move(ident(4), state)

    every = [docking.id for docking in dockings.unfinished(books.conn)]
    ours = [docking.id for docking in dockings.unfinished(books.conn, CAMERA)]

    assert every == [ident(1), ident(2), ident(3)]
    assert ours == [ident(1), ident(3)]
    assert [docking.id for docking in dockings.sealed(books.conn)] == [ident(4)]


def test_an_inventory_is_one_event_that_commits_to_every_name(books: Books) -> None:
    docking = books.open()
    new = [
        NewFile(b"a\xff.MP4", "a=FF.MP4", 10, 7),
        NewFile(b"link", "link", 0, 0, FileState.SKIPPED, "a symbolic link"),
    ]

    with transaction(books.conn):
        ids = inventory.add(
            books.conn, docking, Listing(new, {"file_system": "vfat"}), books.at
        )

    (facts,) = books.facts(docking, "listed")
    text = canonical(["Yf8uTVA0", 10, 7, "listed"]) + "\n"
    text += canonical(["bGluaw==", 0, 0, "skipped"]) + "\n"
    assert facts == {
        "files": 1,
        "bytes": 10,
        "skipped": 1,
        "missed": 0,
        "file_system": "vfat",
        "inventory_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }
    assert [files.get(books.conn, one).path for one in ids] == [b"a\xff.MP4", b"link"]


def test_the_same_name_is_listed_once_in_a_docking(books: Books) -> None:
    docking = books.open()

    with pytest.raises(StoreError, match="UNIQUE"):
        books.inventory(docking, ["a.MP4", "a.MP4"])

    assert files.of_docking(books.conn, docking) == []
    assert books.told(docking) == ["docked"]


def test_a_proof_alone_is_no_event_and_no_verified_file(books: Books) -> None:
    docking = books.open()
    (file,) = books.inventory(docking, ["a.MP4"])

    books.prove(file)

    found = files.get(books.conn, file)
    assert (found.state, found.sha256) == (FileState.PROVEN, DIGEST)
    assert files.parts(books.conn, file) == (DIGEST,)
    assert books.told(docking) == ["docked", "listed"]


def test_a_verified_file_says_how_it_was_read_back(books: Books) -> None:
    docking = books.open()

    books.verified(docking)

    assert books.facts(docking, "verified") == [
        {
            "file": "a.MP4",
            "raw_name": "YS5NUDQ=",
            "size": 5000,
            "sha256": DIGEST,
            "method": "direct",
            "read_from_medium": 5000,
        }
    ]


def test_a_file_that_was_never_proved_cannot_be_verified(books: Books) -> None:
    docking = books.open()
    (file,) = books.inventory(docking, ["a.MP4"])

    with pytest.raises(StoreError, match="no longer proven"):
        books.name(file)

    assert files.get(books.conn, file).state is FileState.LISTED
    assert books.told(docking) == ["docked", "listed"]


def test_one_bad_name_in_a_batch_keeps_the_whole_batch_back(books: Books) -> None:
    docking = books.open()
    good, bad = books.inventory(docking, ["a.MP4", "b.MP4"])
    books.prove(good)

    with pytest.raises(StoreError), transaction(books.conn):
        files.named(books.conn, [good, bad], books.at)

    assert files.get(books.conn, good).state is FileState.PROVEN
    assert "verified" not in books.told(docking)


def test_a_copy_is_held_only_by_this_camera_under_this_name_size_and_time(
    books: Books,
) -> None:
    docking = books.open()
    file = books.verified(docking)
    assert files.held(books.conn, CAMERA, b"a.MP4", 5000, 7) is None  # not sealed yet
    books.sealed(docking)

    found = files.held(books.conn, CAMERA, b"a.MP4", 5000, 7)

    assert found is not None
    assert found.id == file
    for wrong in (
        (OTHER, b"a.MP4", 5000, 7),
        (CAMERA, b"A.MP4", 5000, 7),
        (CAMERA, b"a.MP4", 5001, 7),
        (CAMERA, b"a.MP4", 5000, 8),
    ):
        assert files.held(books.conn, *wrong) is None


def test_the_newest_verified_copy_holds_and_a_doubted_one_never(books: Books) -> None:
    first = books.verified(books.open(1))
    second = books.verified(books.open(2))
    with transaction(books.conn):
        files.quarantined(books.conn, second, "differs", books.at)
    for number in (1, 2):
        books.sealed(ident(number))

    found = files.held(books.conn, CAMERA, b"a.MP4", 5000, 7)

    assert found is not None
    assert found.id == first


def test_a_match_names_the_docking_that_holds_the_bytes(books: Books) -> None:
    earlier = books.verified(books.open(1))
    (again,) = books.inventory(books.open(2), ["a.MP4"])

    with transaction(books.conn):
        files.matched(books.conn, {again: earlier}, books.at)

    found = files.get(books.conn, again)
    assert (found.state, found.held_by) == (FileState.HELD, earlier)
    assert found.sha256 == DIGEST
    assert books.facts(ident(2), "held")[0]["held_by"] == ident(1)


@pytest.mark.parametrize("wrong", ["listed", "quarantined", "size"])
def test_a_copy_that_is_not_a_verified_one_of_this_length_holds_nothing(
    books: Books, wrong: str
) -> None:
    docking = books.open(1)
    if wrong == "listed":
        (earlier,) = books.inventory(docking, ["a.MP4"])
    else:
        earlier = books.verified(docking)
    if wrong == "quarantined":
        with transaction(books.conn):
            files.quarantined(books.conn, earlier, "differs", books.at)
    (again,) = books.inventory(
        books.open(2), ["a.MP4"], size=1 if wrong == "size" else 5000
    )

    with pytest.raises(StoreError, match="vouches"), transaction(books.conn):
        files.matched(books.conn, {again: earlier}, books.at)

    assert files.get(books.conn, again).state is FileState.LISTED


LEAVING: dict[str, Callable[[Books, FileId], None]] = {
    "missed": lambda b, f: files.missed(b.conn, f, "changed meanwhile", b.at),
    "quarantined": lambda b, f: files.quarantined(b.conn, f, "differs", b.at),
}


@pytest.mark.parametrize("how", LEAVING)
def test_a_file_that_is_not_safe_says_why(books: Books, how: str) -> None:
    docking = books.open()
    (file,) = books.inventory(docking, ["a.MP4"])

    with transaction(books.conn):
        LEAVING[how](books, file)

    found = files.get(books.conn, file)
    assert found.state == how
    assert books.facts(docking, how)[0]["reason"] == found.reason


@pytest.mark.parametrize("how", LEAVING)
def test_what_is_settled_is_not_settled_twice(books: Books, how: str) -> None:
    docking = books.open()
    (file,) = books.inventory(docking, ["a.MP4"])
    with transaction(books.conn):
        LEAVING[how](books, file)
    told = books.told(docking)

    with pytest.raises(StoreError, match="no longer"), transaction(books.conn):
        LEAVING[how](books, file)

    assert books.told(docking) == told


def test_a_verified_file_is_never_called_missed(books: Books) -> None:
    docking = books.open()
    file = books.verified(docking)

    with pytest.raises(StoreError, match="no longer"), transaction(books.conn):
        files.missed(books.conn, file, "late", books.at)

    assert files.get(books.conn, file).state is FileState.VERIFIED


def test_files_are_counted_by_what_became_of_them(books: Books) -> None:
    docking = books.open()
    listed = books.inventory(docking, ["a", "b", "c"])
    books.prove(listed[0])
    books.name(listed[0])

    assert files.counts(books.conn, docking) == {
        FileState.VERIFIED: Tally(1, 5000),
        FileState.LISTED: Tally(2, 10_000),
    }


def test_a_new_proof_replaces_the_parts_of_an_old_one(books: Books) -> None:
    docking = books.open()
    (file,) = books.inventory(docking, ["a.MP4"])
    books.prove(file)
    books.conn.execute("UPDATE file SET state = 'listed'")
    parts = (Digest("1" * 64), Digest("2" * 64))

    with transaction(books.conn):
        proof = FileProof(file, DIGEST, parts, ReadBack.DIRECT, 5000)
        files.proved(books.conn, [proof])

    assert files.parts(books.conn, file) == parts


def test_a_recording_belongs_to_a_docking_that_is_there(books: Books) -> None:
    new = NewRecording(RecordingId("R"), "DCIM/0001", "2026-03-05T08:00:00.000000Z")

    with pytest.raises(StoreError, match="FOREIGN KEY"), transaction(books.conn):
        recordings.add(books.conn, ident(9), CAMERA, [new])

    assert books.conn.execute("SELECT count(*) FROM recording").fetchone()[0] == 0


def test_what_is_not_there_is_said_so(books: Books) -> None:
    with pytest.raises(StoreError, match="no docking"):
        dockings.get(books.conn, ident(9))
    with pytest.raises(StoreError, match="no file"):
        files.get(books.conn, FileId(9))


def test_names_for_people_escape_what_is_no_text() -> None:
    assert files.shown(b"a\xff.MP4") == "a\\xff.MP4"
    assert files.shown("é.MP4".encode()) == "é.MP4"
