"""What a content destination rejects goes where it keeps such things, if it does."""

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dock_agent.errors import Barred, Refused, Unreachable
from dock_agent.recording import Proof
from dock_agent.sync.axis import metadata, names
from dock_agent.sync.axis.account import Rejected
from dock_agent.sync.destination import Object, Progress
from support import axis_rules
from support.axis_boxes import Blob, Box, Can
from support.axis_docking import (
    complete,
    containers,
    docking,
    faulty,
    own,
    rejects,
    spot,
    there,
)
from support.axis_server import AxisServer, Fault, Reply, Request, axis_server
from support.place_axis import axis
from support.places import about
from support.sending import Memory, file, item, sent_whole

WHY = b"a user id does not exist"
MOST_REQUESTS = 100


@pytest.fixture
def server() -> Iterator[AxisServer]:
    with axis_server() as made:
        yield made
        assert made.refused == []


@pytest.fixture
def sent(tmp_path: Path) -> Object:
    return item(tmp_path, 5000)


def never(part: str, status: int = 400, why: bytes = WHY) -> Fault:
    """Return a fault: what is put below such a path can never be stored."""

    def fault(request: Request) -> Reply | None:
        mine = request.method == "PUT" and request.path.startswith(part)
        return Reply(status, body=why) if mine else None

    return fault


def apart(server: AxisServer, sent: Object) -> Blob:
    """Return what the one container of rejected content has of an object."""
    (container,) = rejects(server)
    return server.boxes[container].blobs[spot(sent).name]


def test_rejected_footage_is_kept_apart_whole_and_proved(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    where = spot(sent)

    with (
        faulty(server, never(path(sent))),
        closing(axis(server.write(tmp_path))) as destination,
    ):
        told = sent_whole(destination, sent)

    assert told is not None
    assert (told.proof, told.digest) == (Proof.READ_BACK, sent.digest)
    assert told.apart == f"the place rejected it: {rejects(server)[0]}"
    blob = apart(server, sent)
    assert blob.data == file(sent).read_bytes()
    assert blob.told["rejectedcontentoriginalcontainer"] == where.container
    assert blob.told["containertype"] == "mp4"
    headers = {f"x-object-meta-{key}": value for key, value in blob.told.items()}
    assert metadata.told_digest(headers) == sent.digest
    assert metadata.told_path(headers) == sent.about.file
    assert there(server, sent) is None


def test_its_container_tells_what_is_known_where_it_was_meant_for_and_why(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    where = spot(sent)

    with (
        faulty(server, never(path(sent))),
        closing(axis(server.write(tmp_path))) as destination,
    ):
        destination.send(sent, Progress(), Memory())

    (container,) = rejects(server)
    usual, told = server.boxes[where.container].told, server.boxes[container].told
    found = axis_rules.REJECTED.fullmatch(container)
    assert found is not None
    assert told == {
        **{key: value for key, value in usual.items() if key != "status"},
        "containername": container,
        "rejectedcontentoriginalcontainer": where.container,
        "rejectedcontenttime": found[1],
        "rejectedcontentreason": WHY.decode(),
    }


def test_a_reason_that_is_too_long_for_a_header_is_told_beside_it(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    with (
        faulty(server, never(path(sent), why=b"no " * 20)),
        closing(axis(server.write(tmp_path))) as destination,
    ):
        assert sent_whole(destination, sent) is not None

    (container,) = rejects(server)
    assert "rejectedcontentreason" not in server.boxes[container].told
    assert b"no%20no%20no" in server.boxes[container].blobs[names.DESCRIPTION].data


def test_the_rest_of_its_docking_is_sent_and_completed_as_ever(
    server: AxisServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = docking(tmp_path)
    lost = whole.objects[0]

    with (
        faulty(server, never(path(lost))),
        caplog.at_level(logging.WARNING),
        closing(axis(server.write(tmp_path))) as destination,
    ):
        whole.send(destination)

    assert complete(server) == containers(whole)
    assert apart(server, lost).data == file(lost).read_bytes()
    assert all(there(server, e) is not None for e in whole.objects if e is not lost)
    assert [r for r in caplog.messages if "object rejected" in r and lost.key in r]


@pytest.mark.parametrize("heads", [Can.HEAD, Can.NOTHING])
@pytest.mark.parametrize("part", ["container", "user", "camera"])
def test_a_recording_that_is_rejected_as_a_whole_is_kept_apart_as_a_whole(
    tmp_path: Path, heads: Can, part: str
) -> None:
    whole = docking(tmp_path, recordings=1)
    where = spot(whole.objects[0]).container
    parts = {"container": where, "user": "Users/", "camera": "Devices/"}

    with axis_server(can=Can.GET | heads) as server:
        connection = server.write(tmp_path)
        with (
            faulty(server, never(parts[part])),
            closing(axis(connection)) as destination,
        ):
            whole.send(destination)

        kept = {
            blob.data
            for name in rejects(server)
            for blob in server.boxes[name].blobs.values()
        }
        assert {file(e).read_bytes() for e in whole.objects[:2]} <= kept
        assert complete(server) == {own()}
        assert server.refused == []


@pytest.mark.parametrize("status", [400, 413])
def test_where_nothing_is_kept_apart_a_person_must_look(
    server: AxisServer, tmp_path: Path, sent: Object, status: int
) -> None:
    connection = server.write(tmp_path, FullStoreAndReadSupport=False)
    server.supports(Store={"StoreRejectedContent": False, "StoreBookmarks": True})

    with (
        faulty(server, never(path(sent), status)),
        closing(axis(connection)) as destination,
        pytest.raises(Refused, match=WHY.decode()),
    ):
        destination.send(sent, Progress(), Memory())

    assert rejects(server) == []


def test_what_is_too_large_is_not_kept_apart_either(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    with (
        faulty(server, never(path(sent), 413)),
        closing(axis(server.write(tmp_path))) as destination,
        pytest.raises(Refused, match="so large"),
    ):
        destination.send(sent, Progress(), Memory())

    assert rejects(server) == []


def test_an_object_of_that_name_that_is_another_is_never_kept_apart(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    """It is there already, or in a container that is complete: no rejection."""
    where = spot(sent)
    with closing(axis(server.write(tmp_path))) as destination:
        destination.probe()
        server.boxes[where.container] = Box(blobs={where.name: Blob(b"theirs")})

        with pytest.raises(Refused, match="already called"):
            destination.send(sent, Progress(), Memory())

    assert rejects(server) == []


def test_the_bags_own_files_are_no_content_and_a_person_must_look(
    server: AxisServer, tmp_path: Path
) -> None:
    tag = item(tmp_path, what=about("manifest-sha256.txt"))

    with (
        faulty(server, never(path(tag))),
        closing(axis(server.write(tmp_path))) as destination,
        pytest.raises(Rejected),
    ):
        destination.send(tag, Progress(), Memory())

    assert rejects(server) == []


def test_a_place_that_will_not_have_our_own_containers_has_rejected_no_footage(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    with (
        faulty(server, never("Dock_")),
        closing(axis(server.write(tmp_path))) as destination,
    ):
        with pytest.raises(Refused, match="takes no container of a station's own"):
            destination.send(sent, Progress(), Memory())
        with pytest.raises(Refused, match="Dock_Check"):
            destination.check()

    assert rejects(server) == []


def test_a_place_that_rejects_rejected_content_too_is_for_a_person(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    def all_of_it(request: Request) -> Reply | None:
        mine = request.method == "PUT" and request.path.endswith(spot(sent).name)
        return Reply(400, body=WHY) if mine else None

    with (
        faulty(server, all_of_it),
        closing(axis(server.write(tmp_path))) as destination,
        pytest.raises(Refused, match="RejectedContent"),
    ):
        destination.send(sent, Progress(), Memory())


def test_wherever_the_process_dies_it_is_kept_apart_once(tmp_path: Path) -> None:
    for survived in range(MOST_REQUESTS):
        with axis_server() as server:
            finished = _dies_after(survived, server, tmp_path / str(survived))
            assert server.refused == []
        if finished:
            break

    assert survived > 10


def _dies_after(survived: int, server: AxisServer, folder: Path) -> bool:
    """Send a rejected clip, end after so many requests; send it again, as remembered.

    Returns whether the first process had come to the end by itself.
    """
    folder.mkdir()
    sent, memory, connection = item(folder, 5000), Memory(), server.write(folder)
    asked: list[Request] = []

    def dead(request: Request) -> Reply | None:
        asked.append(request)
        return Reply(401) if len(asked) > survived else None

    finished = False
    with faulty(server, never(path(sent))):
        with closing(axis(connection)) as first:
            server.faults.insert(0, dead)
            try:
                first.send(sent, Progress(), memory)
                finished = True
            except Barred:
                pass
            server.faults.remove(dead)
        with closing(axis(connection)) as second:
            done = second.send(sent, memory.newest, memory)
            assert second.confirm(sent, done) is not None
            assert second.look(sent, done) is not None
    assert apart(server, sent).data == file(sent).read_bytes()
    return finished


def test_an_answer_that_was_lost_does_not_mean_that_it_is_kept_apart_twice(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    memory, connection = Memory(), server.write(tmp_path)

    def theirs(request: Request) -> bool:
        return request.method == "PUT" and (
            request.path.startswith("Rejected") and "/" in request.path
        )

    with faulty(server, never(path(sent))):
        server.lose = theirs
        with closing(axis(connection)) as first, pytest.raises(Unreachable):
            first.send(sent, Progress(), memory)
        server.lose = lambda _: False

        with closing(axis(connection)) as later:
            done = later.send(sent, memory.newest, memory)
            assert later.confirm(sent, done, sent=True) is not None

    assert sum(theirs(request) for request in server.asked) == 1
    assert apart(server, sent).data == file(sent).read_bytes()


def test_what_was_rejected_before_it_could_be_kept_apart_may_be_taken_after_all(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    memory, connection = Memory(), server.write(tmp_path)

    def out(request: Request) -> Reply | None:
        return Reply(507) if request.path.startswith("Rejected") else None

    with (
        faulty(server, never(path(sent))),
        faulty(server, out),
        closing(axis(connection)) as first,
        pytest.raises(Unreachable),
    ):
        first.send(sent, Progress(), memory)

    with closing(axis(connection)) as later:
        done = later.send(sent, memory.newest, memory)
        assert later.confirm(sent, done, sent=True) is not None

    assert there(server, sent) == file(sent).read_bytes()
    assert rejects(server) == []


def test_rejected_footage_that_is_kept_damaged_is_never_confirmed(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    server.damages = lambda path, data: data[:-1] if "Rejected" in path else data

    with (
        faulty(server, never(path(sent))),
        closing(axis(server.write(tmp_path))) as destination,
    ):
        assert sent_whole(destination, sent) is None


def test_each_of_two_recordings_has_a_container_of_its_own(
    server: AxisServer, tmp_path: Path
) -> None:
    one = item(tmp_path, 5000)
    other = replace(one.about, file="data/DCIM/0002.MP4", recording="DCIM/0002")
    two = replace(one, about=other)

    with (
        faulty(server, never(spot(one).container + "/")),
        closing(axis(server.write(tmp_path))) as destination,
    ):
        assert sent_whole(destination, one) is not None
        assert sent_whole(destination, two) is not None

    assert [len(server.boxes[name].blobs) for name in rejects(server)] == [1, 1]


def path(sent: Object) -> str:
    return f"{spot(sent).container}/{spot(sent).name}"
