"""What the pages read: the right facts, found through indexes."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent.clock import stamp
from dock_agent.errors import StoreError
from dock_agent.recording import (
    CameraId,
    DockingId,
    DockingState,
    FileId,
    FileState,
    RecordingId,
    TransferId,
    TransferState,
)
from dock_agent.store import (
    backlog,
    configured,
    files,
    inventory,
    orders,
    recordings,
    views,
)
from dock_agent.store.configured import Withdrawal
from dock_agent.store.db import transaction
from dock_agent.store.files import Tally
from dock_agent.store.inventory import Listing, NewFile
from dock_agent.store.orders import Which
from dock_agent.store.recordings import NewRecording
from dock_agent.store.views import Search
from support.books import CAMERA, MAIN, NAS, Books, ident

OTHER = CameraId("KT-Z1:KTZ1A00042")


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    yield made
    made.close()


def record(
    books: Books, docking: DockingId, number: int, camera: CameraId = CAMERA
) -> FileId:
    """Write a recording of one listed file, which began `number` minutes in."""
    ident = RecordingId(f"01JR{number:022d}")
    start = stamp(books.at.utc + timedelta(minutes=number))
    name, officer = f"DCIM/{number:04}", f"officer_{number}"
    new = NewFile(f"{name}.MP4".encode(), f"{name}.MP4", 5000, 7, recording=ident)
    with transaction(books.conn):
        about = NewRecording(ident, name, start, officer)
        recordings.add(books.conn, docking, camera, [about])
        (file,) = inventory.add(books.conn, docking, Listing([new]), books.at)
    return file


def names(found: list[views.RecordingLine]) -> list[str]:
    return [line.name for line in found]


def seal(books: Books, docking: DockingId, *, complete: bool) -> None:
    books.move(docking, DockingState.COPYING)
    books.move(docking, DockingState.CHECKING)
    books.move(docking, DockingState.SEALED, complete=complete)


def plans(books: Books, look: Callable[[], object]) -> list[str]:
    """Return how SQLite finds what a view reads."""
    heard: list[str] = []
    books.conn.set_trace_callback(heard.append)
    look()
    books.conn.set_trace_callback(None)
    return [
        row["detail"]
        for statement in heard
        for row in books.conn.execute(f"EXPLAIN QUERY PLAN {statement}")
    ]


def test_recordings_come_newest_first_and_page_by_page(books: Books) -> None:
    docking = books.open()
    for number in (3, 1, 4, 5, 2):
        record(books, docking, number)

    first = views.recordings(books.conn, Search(limit=2))
    after = (first[-1].start, first[-1].id)
    second = views.recordings(books.conn, Search(limit=2, after=after))

    assert names(first) == ["DCIM/0005", "DCIM/0004"]
    assert names(second) == ["DCIM/0003", "DCIM/0002"]


def test_recordings_of_the_same_moment_are_all_shown_once(books: Books) -> None:
    docking = books.open()
    for number in range(5):
        record(books, docking, number)
    books.conn.execute("UPDATE recording SET start = '2026-03-05T08:00:00.000000Z'")
    seen: list[str] = []
    after = None

    while found := views.recordings(books.conn, Search(limit=2, after=after)):
        seen += names(found)
        after = (found[-1].start, found[-1].id)

    assert sorted(seen) == sorted(set(seen))
    assert len(seen) == 5


def test_recordings_are_found_by_camera_name_and_officer(books: Books) -> None:
    for number, camera in ((1, CAMERA), (2, OTHER)):
        record(books, books.open(number, camera), number, camera)

    def found(search: Search) -> list[str]:
        return names(views.recordings(books.conn, search))

    assert found(Search(camera=OTHER)) == ["DCIM/0002"]
    assert found(Search(text="dcim/0001")) == ["DCIM/0001"]
    assert found(Search(text="officer_2")) == ["DCIM/0002"]
    assert found(Search(text="officer_2", camera=CAMERA)) == []


@pytest.mark.parametrize("text", ["%", "officer%", "\\", "x_1", "'; DROP TABLE file"])
def test_what_is_searched_for_is_no_pattern(books: Books, text: str) -> None:
    record(books, books.open(), 1)

    assert views.recordings(books.conn, Search(text=text)) == []


def test_a_recording_that_an_earlier_docking_holds_is_shown_there_once(
    books: Books,
) -> None:
    first = record(books, books.open(1), 1)
    books.prove(first)
    books.name(first, to=[MAIN, NAS])
    books.confirm(books.claimed(MAIN))
    again = record(books, books.open(2), 2)
    with transaction(books.conn):
        files.matched(books.conn, {again: first}, books.at)

    (line,) = views.recordings(books.conn, Search())

    assert line.docking == ident(1)
    assert line.files[0].destinations == {"main": "confirmed", "nas": "queued"}
    assert views.file(books.conn, again).destinations == line.files[0].destinations


def test_one_recording_is_shown_with_its_files(books: Books) -> None:
    file = record(books, books.open(), 1)

    found = views.recording(books.conn, RecordingId(f"01JR{1:022d}"))

    assert [one.id for one in found.files] == [file]
    assert found.files[0].state is FileState.LISTED
    assert found.files[0].destinations == {}


def test_what_is_not_there_is_said_so(books: Books) -> None:
    for look in (
        lambda: views.recording(books.conn, RecordingId("none")),
        lambda: views.file(books.conn, FileId(9)),
        lambda: views.custody_of_file(books.conn, FileId(9)),
    ):
        with pytest.raises(StoreError, match=r"no (recording|file)"):
            look()


def test_a_file_s_log_is_its_docking_s_and_its_own_and_nobody_else_s(
    books: Books,
) -> None:
    docking = books.open()
    (file, twin) = books.inventory(docking, ["0001.MP4", "x/data/0001.MP4"])
    for one in (file, twin):
        books.prove(one)
        books.name(one)
    for _ in range(2):
        books.confirm(books.claimed())
    books.move(docking, DockingState.COPYING)

    lines = views.custody_of_file(books.conn, file)

    kinds = [line.partition('"kind":"')[2].partition('"')[0] for line in lines]
    assert kinds == ["docked", "listed", "verified", "confirmed", "copying"]
    assert not any("x/data" in line for line in lines)


def test_what_a_person_says_of_another_file_is_not_in_a_file_s_log(
    books: Books,
) -> None:
    docking = books.open()
    (file, twin) = books.inventory(docking, ["0001.MP4", "0002.MP4"])
    for one in (file, twin):
        books.prove(one)
        books.name(one)
    with transaction(books.conn):
        orders.hold_back(books.conn, Which(ids=[TransferId(2)]), books.at)
        configured.tell(books.conn, [], books.at)
        order = Withdrawal(MAIN, "A. Chief", "scrapped", although_nowhere_else=True)
        configured.withdraw(books.conn, order, books.at)

    kinds = [
        [json.loads(line)["kind"] for line in views.custody_of_file(books.conn, one)]
        for one in (file, twin)
    ]

    assert kinds[0] == ["docked", "listed", "verified", "withdrawn"]
    assert kinds[1] == ["docked", "listed", "verified", "order", "withdrawn"]


def test_a_file_s_log_tells_of_its_docking_s_seal(books: Books) -> None:
    docking = books.open()
    (file,) = books.inventory(docking, ["0001.MP4"])
    books.prove(file)
    books.name(file)
    books.move(docking, DockingState.COPYING)
    books.move(docking, DockingState.CHECKING)
    books.move(docking, DockingState.SEALED, complete=True, facts={"key": "ab12"})

    lines = views.custody_of_file(books.conn, file)

    assert '"kind":"sealed"' in lines[-1]
    assert '"key":"ab12"' in lines[-1]


def test_a_camera_is_owed_until_its_next_docking_is_whole(books: Books) -> None:
    books.open(1)
    books.verified(ident(1), "a")
    books.inventory(ident(1), ["b", "c"])
    books.move(ident(1), DockingState.INTERRUPTED, reason="pulled")
    (owed,) = views.owed(books.conn)
    assert (owed.camera, owed.done, owed.total) == (CAMERA, 1, 3)
    assert owed.reason == "pulled"

    books.open(2)
    assert views.owed(books.conn) == []
    seal(books, ident(2), complete=False)
    assert [line.camera for line in views.owed(books.conn)] == [CAMERA]
    seal(books, books.open(3), complete=True)

    assert views.owed(books.conn) == []


def test_dockings_come_newest_first_with_what_is_safe_of_each(books: Books) -> None:
    for number in (1, 2, 3):
        books.open(number)
    books.verified(ident(2))
    books.inventory(ident(2), ["lost"])

    first = views.dockings(books.conn, limit=2)
    rest = views.dockings(books.conn, before=first[-1].id)

    assert [line.id for line in first] == [ident(3), ident(2)]
    assert [(line.files, line.size) for line in first] == [(0, 0), (1, 5000)]
    assert [line.id for line in rest] == [ident(1)]


def test_the_rate_of_intake_needs_a_day_of_history(books: Books) -> None:
    begin = books.at.utc
    books.verified(books.open())

    def rate(after: timedelta) -> float:
        return files.daily_bytes(books.conn, begin, begin + after)

    assert rate(timedelta(hours=23)) == 0.0
    assert rate(timedelta(days=2)) == 2500.0
    later = begin + timedelta(days=30)
    assert files.daily_bytes(books.conn, later, later) == 0.0


def test_what_was_taken_in_is_what_is_verified(books: Books) -> None:
    books.verified(books.open())
    books.inventory(ident(1), ["b"])

    assert files.taken_in(books.conn) == Tally(1, 5000)


VIEWS: dict[str, Callable[[Books], object]] = {
    "queue": lambda b: backlog.queue(b.conn, b.at.utc),
    "waiting": lambda b: backlog.waiting(b.conn),
    "by destination": lambda b: backlog.by_destination(b.conn),
    "moving": lambda b: backlog.moving(b.conn),
    "listed": lambda b: backlog.listed(b.conn, [TransferState.QUEUED], 5),
    "confirmed": lambda b: backlog.confirmed(b.conn),
    "owed": lambda b: views.owed(b.conn),
    "rate": lambda b: files.daily_bytes(b.conn, b.at.utc, b.at.utc),
    "dockings": lambda b: views.dockings(b.conn, before=ident(2)),
    "recordings": lambda b: views.recordings(
        b.conn, Search(after=("2026", RecordingId("x")))
    ),
    "of a camera": lambda b: views.recordings(b.conn, Search(camera=CAMERA)),
    "file": lambda b: views.file(b.conn, FileId(1)),
    "custody": lambda b: views.custody_of_file(b.conn, FileId(1)),
}
WALKED = {"b", "backlog", "camera", "d", "json_each", "recording"}  # few, or to a limit


@pytest.mark.parametrize("name", VIEWS)
def test_a_view_finds_what_it_shows_through_indexes(books: Books, name: str) -> None:
    file = record(books, books.open(), 1)
    books.prove(file)
    books.name(file)
    books.move(ident(1), DockingState.INTERRUPTED)

    found = plans(books, lambda: VIEWS[name](books))

    assert found
    assert {one.split()[1] for one in found if one.startswith("SCAN")} <= WALKED


def test_a_further_page_of_recordings_begins_where_the_last_one_ended(
    books: Books,
) -> None:
    record(books, books.open(), 1)
    after = ("2026", RecordingId("x"))

    everyone = plans(books, lambda: views.recordings(books.conn, Search(after=after)))
    one = plans(
        books,
        lambda: views.recordings(books.conn, Search(after=after, camera=CAMERA)),
    )

    assert "recording_start ((start,id)<(?,?))" in everyone[0]
    assert "recording_camera (camera=? AND (start,id)<(?,?))" in one[0]
