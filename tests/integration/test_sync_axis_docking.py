"""The containers of a docking: Complete when it is, and not a moment before."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dock_agent.errors import Barred, NotTaken, Refused
from dock_agent.recording import DockingId
from dock_agent.sync.axis import names
from dock_agent.sync.destination import Progress
from support.axis_boxes import Box, Can
from support.axis_docking import (
    bookmarks,
    complete,
    containers,
    docking,
    faulty,
    own,
    spot,
    there,
)
from support.axis_server import AxisServer, Reply, Request, axis_server
from support.place_axis import axis
from support.sending import Memory, file

MOST_REQUESTS = 400
NEXT = DockingId("01KAVXG0000000000000000002")


@pytest.fixture
def server() -> Iterator[AxisServer]:
    with axis_server() as made:
        yield made
        assert made.refused == []


def test_a_docking_is_complete_once_its_signature_is_there(
    server: AxisServer, tmp_path: Path
) -> None:
    sent = docking(tmp_path)

    with closing(axis(server.write(tmp_path))) as destination:
        for each in sent.objects[:-1]:
            sent.send_one(destination, each)
        before = complete(server)
        sent.send_one(destination, sent.seal)

    assert before == set()
    assert complete(server) == containers(sent)
    assert all(there(server, e) == file(e).read_bytes() for e in sent.objects)


def test_a_container_is_transferring_from_when_it_is_made(
    server: AxisServer, tmp_path: Path
) -> None:
    sent = docking(tmp_path)

    with closing(axis(server.write(tmp_path))) as destination:
        sent.send_one(destination, sent.objects[0])

    states = {
        box.told.get("status") for name, box in server.boxes.items() if "_" in name
    }
    assert states == {"Transferring"}


def test_a_signature_that_is_not_proved_completes_nothing(
    server: AxisServer, tmp_path: Path
) -> None:
    sent = docking(tmp_path)
    server.damages = lambda path, data: data[:-1] if path.endswith(".sig") else data

    with (
        closing(axis(server.write(tmp_path))) as destination,
        pytest.raises(NotTaken, match="nothing is complete"),
    ):
        sent.send(destination)

    assert complete(server) == set()


def test_wherever_the_process_dies_the_next_one_completes_all_of_it(
    tmp_path: Path,
) -> None:
    for survived in range(MOST_REQUESTS):
        with axis_server() as server:
            finished = _dies_after(survived, server, tmp_path / str(survived))
            assert server.refused == []
        if finished:
            break

    assert survived > 30


def _dies_after(survived: int, server: AxisServer, folder: Path) -> bool:
    """Send a docking, end after so many requests, and send the rest anew.

    Returns whether the first process had come to the end by itself.
    """
    folder.mkdir()
    sent, connection = docking(folder, recordings=1), server.write(folder)
    asked: list[Request] = []

    def dead(request: Request) -> Reply | None:
        asked.append(request)
        return Reply(401) if len(asked) > survived else None

    finished = False
    with closing(axis(connection)) as first, faulty(server, dead):
        try:
            sent.send(first)
            finished = True
        except Barred:
            assert not complete(server) or there(server, sent.seal) is not None
    if survived % 2:
        sent.progress.clear()  # as from another database
    with closing(axis(connection)) as second:
        sent.send(second)
    assert complete(server) == containers(sent)
    assert len(bookmarks(server)) == 1
    assert all(there(server, e) == file(e).read_bytes() for e in sent.objects)
    return finished


def test_nothing_is_written_again_to_what_is_complete(
    server: AxisServer, tmp_path: Path
) -> None:
    sent, connection = docking(tmp_path), server.write(tmp_path)
    with closing(axis(connection)) as destination:
        sent.send(destination)
    writes = server.count("PUT") + server.count("POST")

    with closing(axis(connection)) as later:
        sent.send(later)

    assert server.count("PUT") + server.count("POST") == writes


def test_what_is_lost_from_a_complete_container_is_for_a_person(
    server: AxisServer, tmp_path: Path
) -> None:
    sent, connection = docking(tmp_path), server.write(tmp_path)
    with closing(axis(connection)) as destination:
        sent.send(destination)
    lost = sent.objects[0]
    del server.boxes[spot(lost).container].blobs[spot(lost).name]

    with closing(axis(connection)) as later:
        assert later.confirm(lost, sent.progress[lost.key]) is None
        with pytest.raises(Refused, match="complete there"):
            later.send(lost, Progress(), Memory())


def test_what_a_later_docking_brings_of_a_recording_goes_to_its_own_container(
    server: AxisServer, tmp_path: Path
) -> None:
    connection = server.write(tmp_path)
    (tmp_path / "first").mkdir()
    (tmp_path / "later").mkdir()
    first, later = docking(tmp_path / "first"), docking(tmp_path / "later", 2, NEXT)
    with closing(axis(connection)) as destination:
        first.send(destination)

        later.send(destination)

        clip = later.objects[0]
        assert destination.confirm(clip, Progress()) is not None
        seen = destination.look(clip, Progress())
    assert seen is not None
    assert complete(server) == containers(first) | {own(NEXT)}
    late = names.late(clip.about)
    blob = server.boxes[late.container].blobs[late.name]
    assert blob.data == file(clip).read_bytes()
    told = "".join(blob.told[f"dock-belongs-to-{n}"] for n in (1, 2))
    assert told == spot(clip).container


def test_a_container_of_that_name_that_somebody_else_made_is_left_alone(
    server: AxisServer, tmp_path: Path
) -> None:
    sent, connection = docking(tmp_path), server.write(tmp_path)
    theirs = spot(sent.objects[0]).container
    with closing(axis(connection)) as destination:
        destination.probe()
        server.boxes[theirs] = Box({"status": "Transferring"})

        sent.send(destination)

    assert server.boxes[theirs].told == {"status": "Transferring"}
    assert complete(server) == (containers(sent) | {own()}) - {theirs}


def test_many_recordings_sent_by_many_threads_are_all_completed(
    server: AxisServer, tmp_path: Path
) -> None:
    sent, connection = docking(tmp_path, recordings=70), server.write(tmp_path)

    with closing(axis(connection)) as destination, ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda e: sent.send_one(destination, e), sent.objects[:-1]))
    with closing(axis(connection)) as later:
        sent.send_one(later, sent.seal)

    assert containers(sent) <= complete(server)
    pages = complete(server) - containers(sent)
    assert 1 <= len(pages) <= 3
    assert all(name.startswith(f"{own()}_") for name in pages)


def test_a_place_that_does_not_say_what_it_holds_is_completed_by_memory(
    tmp_path: Path,
) -> None:
    sent = docking(tmp_path)
    with axis_server(can=Can.GET) as server:
        file = server.write(tmp_path, FullStoreAndReadSupport=False)
        with closing(axis(file)) as destination:
            sent.send(destination)

        assert complete(server) == containers(sent)
        assert server.refused == []


def test_where_neither_the_place_nor_this_process_knows_nothing_is_complete(
    tmp_path: Path,
) -> None:
    sent = docking(tmp_path)
    with axis_server(can=Can.GET) as server:
        file = server.write(tmp_path, FullStoreAndReadSupport=False)
        with closing(axis(file)) as destination:
            sent.send_one(destination, sent.objects[0])

        with closing(axis(file)) as later, pytest.raises(NotTaken, match="not say"):
            sent.send(later)

        assert complete(server) == set()


def test_a_container_that_is_gone_is_made_again(
    server: AxisServer, tmp_path: Path
) -> None:
    sent = docking(tmp_path, recordings=1)
    with closing(axis(server.write(tmp_path))) as destination:
        sent.send_one(destination, sent.objects[0])
        del server.boxes[spot(sent.objects[0]).container]

        with pytest.raises(NotTaken, match="container is gone"):
            sent.send_one(destination, sent.objects[1])
        sent.send_one(destination, sent.objects[1])

    assert there(server, sent.objects[1]) is not None


@pytest.mark.parametrize("can", [Can.ALL, Can.GET])
def test_a_docking_whose_own_container_is_gone_is_not_complete(
    tmp_path: Path, can: Can
) -> None:
    sent = docking(tmp_path)

    with axis_server(can=can) as place:

        def gone(request: Request) -> Reply | None:
            last = request.method == "POST" and request.path == own()
            return Reply(404) if last and there(place, sent.seal) else None

        with (
            faulty(place, gone),
            closing(axis(place.write(tmp_path))) as destination,
            pytest.raises(Barred),
        ):
            sent.send(destination)

        assert own() not in complete(place)


def test_a_docking_without_a_recording_is_completed(
    server: AxisServer, tmp_path: Path
) -> None:
    sent = docking(tmp_path, recordings=0)

    with closing(axis(server.write(tmp_path))) as destination:
        sent.send(destination)

    assert complete(server) == {own()}


def test_recordings_of_two_officers_in_one_second_are_two_containers(
    server: AxisServer, tmp_path: Path
) -> None:
    sent = docking(tmp_path, recordings=1)
    other = replace(sent.objects[0].about, officer="000777", file="data/DCIM/9.MP4")
    second = replace(sent.objects[0], key="second", about=other)
    sent.objects.insert(1, second)

    with closing(axis(server.write(tmp_path))) as destination:
        sent.send(destination)

    assert len(complete(server)) == 3
