"""What the officer marked is bookmarked where that is supported."""

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dock_agent.errors import Busy, DockError, Full, NotTaken
from dock_agent.recording import DockingId
from dock_agent.sync.axis import names
from dock_agent.sync.destination import Object, Progress
from support.axis_boxes import Blob, Can
from support.axis_docking import bookmarks, docking, faulty, spot, there
from support.axis_server import AxisServer, Reply, Request, axis_server
from support.place_axis import ANYBODY, axis
from support.places import about
from support.sending import Memory, item, sent_whole

NEXT = DockingId("01KAVXG0000000000000000002")


@pytest.fixture
def server() -> Iterator[AxisServer]:
    with axis_server() as made:
        yield made
        assert made.refused == []


@pytest.fixture
def sent(tmp_path: Path) -> Object:
    return item(tmp_path, what=replace(about(), marked=True))


def mark(sent: Object) -> names.Spot:
    """Return where the bookmark of an object's recording goes."""
    found = names.bookmark(sent.about, ANYBODY)
    assert found is not None
    return found


def test_a_marked_recording_has_a_bookmark_at_its_begin_before_its_footage(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    with closing(axis(server.write(tmp_path))) as destination:
        assert sent_whole(destination, sent) is not None

    where = mark(sent)
    blob = server.boxes[where.container].blobs[where.name]
    assert blob.data == b""
    assert blob.told == {"starttime": "2026-03-05T08:15:30Z"}
    puts = [request.path for request in server.asked if request.method == "PUT"]
    assert puts.index(f"{where.container}/{where.name}") < puts.index(path(sent))


def test_all_files_of_a_marked_recording_have_one_bookmark_and_others_none(
    server: AxisServer, tmp_path: Path
) -> None:
    both = docking(tmp_path)

    with closing(axis(server.write(tmp_path))) as destination:
        both.send(destination)

    where = mark(both.objects[0])
    assert bookmarks(server) == [f"{where.container}/{where.name}"]
    assert server.count("PUT", where.name) == 1


def test_where_bookmarks_are_not_supported_the_footage_itself_says_that_it_is_marked(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    file = server.write(tmp_path, FullStoreAndReadSupport=False)
    server.supports(Store={"StoreUserIDKey": True, "StoreBookmarks": False})

    with closing(axis(file)) as destination:
        assert sent_whole(destination, sent) is not None

    assert bookmarks(server) == []
    where = spot(sent)
    told = server.boxes[where.container].blobs[where.name].told
    assert told["dock-marked"] == "True"


@pytest.mark.parametrize("status", [400, 403, 413])
def test_footage_does_not_wait_for_a_bookmark_that_is_refused(
    server: AxisServer,
    tmp_path: Path,
    sent: Object,
    status: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refused(request: Request) -> Reply | None:
        return Reply(status) if writes_mark(request) else None

    with (
        faulty(server, refused),
        caplog.at_level(logging.WARNING),
        closing(axis(server.write(tmp_path))) as destination,
    ):
        assert sent_whole(destination, sent) is not None

    assert bookmarks(server) == []
    assert "bookmark refused" in caplog.text


@pytest.mark.parametrize(
    ("status", "error"), [(500, NotTaken), (503, Busy), (507, Full)]
)
def test_a_bookmark_that_is_not_taken_now_is_sent_again_before_its_footage(
    server: AxisServer,
    tmp_path: Path,
    sent: Object,
    status: int,
    error: type[DockError],
) -> None:
    def not_now(request: Request) -> Reply | None:
        return Reply(status) if writes_mark(request) else None

    memory = Memory()
    with closing(axis(server.write(tmp_path))) as destination:
        with faulty(server, not_now), pytest.raises(error):
            destination.send(sent, Progress(), memory)
        assert there(server, sent) is None
        done = destination.send(sent, memory.newest, memory)
        assert destination.confirm(sent, done, sent=True) is not None

    assert len(bookmarks(server)) == 1


@pytest.mark.parametrize("can", [Can.ALL, Can.ALL ^ Can.HEAD ^ Can.GET])
def test_a_bookmark_that_is_there_is_left_as_it_is(
    tmp_path: Path, sent: Object, can: Can
) -> None:
    theirs = Blob(b"Knife.", {"starttime": "2026-03-05T08:15:30Z", "tags": "a:b"})

    with axis_server(can=can) as place:
        connection, where = place.write(tmp_path), mark(sent)
        with closing(axis(connection)) as destination:
            other = item(tmp_path, what=about("data/DCIM/0001.NMEA"))
            destination.send(other, Progress(), Memory())  # which makes the container
            place.boxes[where.container].blobs[where.name] = theirs

            destination.send(sent, Progress(), Memory())

        assert place.boxes[where.container].blobs[where.name] is theirs
        assert there(place, sent) is not None


def test_a_marked_file_that_comes_late_bookmarks_no_container_but_its_own(
    server: AxisServer, tmp_path: Path
) -> None:
    """Its recording's container is complete by then, and the docking's has no begin."""
    (tmp_path / "first").mkdir()
    (tmp_path / "later").mkdir()
    first, later = docking(tmp_path / "first"), docking(tmp_path / "later", 2, NEXT)

    with closing(axis(server.write(tmp_path))) as destination:
        first.send(destination)
        later.send(destination)

    assert len(bookmarks(server)) == 1
    late = names.late(later.objects[0].about)
    told = server.boxes[late.container].blobs[late.name].told
    assert told["dock-marked"] == "True"


def writes_mark(request: Request) -> bool:
    return request.method == "PUT" and "/bookmark_" in request.path


def path(sent: Object) -> str:
    return f"{spot(sent).container}/{spot(sent).name}"
