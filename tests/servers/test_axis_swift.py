"""The Axis protocol against OpenStack Swift itself; curl judges what is there."""

from contextlib import closing
from pathlib import Path

import pytest

from dock_agent.errors import Barred, Unreachable
from dock_agent.recording import PART_SIZE
from dock_agent.sync.axis import metadata, names
from dock_agent.sync.destination import Progress
from support.axis_docking import Docking, containers, docking, own, spot
from support.place_axis import axis, connection_file
from support.sending import Memory, file, item
from support.swift import Swift

COMPLETE = f"x-container-meta-{metadata.STATUS}".lower()


@pytest.fixture(autouse=True)
def account(server: Swift) -> None:
    """Begin each test with nothing there."""
    server.curl.clear()


def complete(server: Swift) -> set[str]:
    """Return the containers that are complete, as curl finds them."""
    return {
        name
        for name in server.curl.listed()
        if server.curl.told(name).get(COMPLETE) == metadata.COMPLETE
    }


def arrived(server: Swift, sent: Docking) -> bool:
    """Whether curl finds every object's bytes under its name."""
    places = [(spot(each), each) for each in sent.objects]
    return all(
        server.curl.get(where.container, where.name) == file(each).read_bytes()
        for where, each in places
    )


def test_a_docking_is_complete_there_once_its_signature_is(
    server: Swift, tmp_path: Path
) -> None:
    sent = docking(tmp_path)

    with closing(axis(connection_file(server, tmp_path))) as destination:
        destination.probe()
        for each in sent.objects[:-1]:
            sent.send_one(destination, each)
        before = complete(server)
        sent.send_one(destination, sent.seal)

    assert before == set()
    assert complete(server) == containers(sent) == containers(sent) | {own()}
    assert arrived(server, sent)


def test_what_is_told_of_an_object_is_there_with_it(
    server: Swift, tmp_path: Path
) -> None:
    sent = docking(tmp_path, recordings=1)
    with closing(axis(connection_file(server, tmp_path))) as destination:
        sent.send(destination)

    for each in sent.objects:
        told = server.curl.told(spot(each).container, spot(each).name)
        assert metadata.told_digest(told) == each.digest
        assert metadata.told_path(told) == each.about.file


def test_a_docking_that_was_cut_short_is_completed_by_the_next_process(
    server: Swift, tmp_path: Path
) -> None:
    sent, connection = docking(tmp_path), connection_file(server, tmp_path)
    with closing(axis(connection)) as first:
        for each in sent.objects[:2]:
            sent.send_one(first, each)
    sent.progress.clear()  # as from another database

    with closing(axis(connection)) as second:
        sent.send(second)

    assert complete(server) == containers(sent)
    assert arrived(server, sent)


def test_a_check_finds_out_what_swift_does(server: Swift, tmp_path: Path) -> None:
    with closing(axis(connection_file(server, tmp_path))) as destination:
        said = destination.check()
        found = destination.capabilities

    assert said == "writable; every object is read back; it expects video as mkv"
    assert (found.objects, found.conditional) == (True, True)
    assert set(server.curl.listed()) <= {names.CHECK}


def test_a_wrong_key_bars_the_place(server: Swift, tmp_path: Path) -> None:
    wrong = connection_file(server, tmp_path, BlobAPIKey="wrong")

    with closing(axis(wrong)) as destination:
        for ask in (destination.probe, destination.check, destination.marker):
            with pytest.raises(Barred, match="401"):
                ask()


def test_a_token_that_swift_forgot_is_asked_for_again(
    server: Swift, tmp_path: Path
) -> None:
    sent = docking(tmp_path, recordings=1)
    with closing(axis(connection_file(server, tmp_path))) as destination:
        sent.send_one(destination, sent.objects[0])
        server.forget_tokens()

        sent.send(destination)

    assert complete(server) == containers(sent)
    assert arrived(server, sent)


def test_a_swift_that_loses_its_power_confirms_nothing_and_goes_on_afterwards(
    server: Swift, tmp_path: Path
) -> None:
    sent = item(tmp_path, PART_SIZE + 5)
    with closing(axis(connection_file(server, tmp_path))) as destination:
        destination.probe()
        server.kill()
        with pytest.raises(Unreachable):
            destination.send(sent, Progress(), Memory())
        server.start()

        done = destination.send(sent, Progress(), Memory())
        told = destination.confirm(sent, done, sent=True)

    assert told is not None
    where = spot(sent)
    assert server.curl.get(where.container, where.name) == file(sent).read_bytes()
