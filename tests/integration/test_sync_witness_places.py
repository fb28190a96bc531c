"""Checkpoints at real servers: SeaweedFS by S3 and by tus, and the official tus one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dock_agent.custody.chain import Event
from dock_agent.custody.signing import SigningKey
from dock_agent.recording import DestinationName
from dock_agent.store import alarms, checkpoints, custody, destinations, station
from dock_agent.store.db import transaction
from dock_agent.sync.lane import Lane
from dock_agent.sync.witness import Witnessing
from dock_agent.vault import journal
from dock_agent.vault.real import RealDisk
from support import place_s3, place_tus
from support.books import Books
from support.places import Place
from support.seaweed import Seaweed, seaweed
from support.tus_server import TusServer, tus_server

KEY = SigningKey.from_seed(bytes(32))
THERE = DestinationName("there")


@pytest.fixture(scope="module")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with seaweed(tmp_path_factory.mktemp("weed")) as store:
        yield store


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TusServer]:
    with tus_server(tmp_path_factory.mktemp("tus")) as server:
        yield server


@dataclass
class Station:
    """A log, a vault that has it, and a destination."""

    books: Books
    vault: Path
    place: Place

    def say(self) -> None:
        """Write a line, sign the log, and have the vault keep it."""
        with transaction(self.books.conn):
            custody.append(self.books.conn, Event("said"), self.books.at)
            checkpoints.make(self.books.conn, "harbour-1", KEY, self.books.at)
        journal.keep_up(self.books.conn, RealDisk(), self.vault)

    def send(self) -> int:
        lane = Lane(self.place.destination)
        witnessing = Witnessing(self.vault, self.books.clock)
        return witnessing.send(self.books.conn, THERE, lane)

    def there(self) -> dict[str, bytes | None]:
        listed = self.place.keys()
        keys = [key for key in listed if key.startswith("checkpoints/")]
        return {key: self.place.found(key) for key in keys}

    def signed(self) -> dict[str, bytes | None]:
        return {
            key_of(kept.number): kept.note.encode()
            for kept in checkpoints.oldest(self.books.conn)
        }

    def alarms(self) -> list[str]:
        return [str(one) for one in alarms.every(self.books.conn)]


def key_of(number: int) -> str:
    return f"checkpoints/harbour-1/{number:08d}"


@contextmanager
def opened(kind: str, root: Path, server: Any) -> Iterator[Station]:
    folder, vault = root / "place", root / "vault"
    folder.mkdir()
    vault.mkdir()
    places: dict[str, Callable[..., AbstractContextManager[Place]]] = {
        "s3": place_s3.place,
        "tus by path": place_tus.weed_place,
        "tus": place_tus.place,
    }
    books = Books(root)
    with transaction(books.conn):
        station.sign_with(books.conn, KEY.public)
        destinations.ensure(books.conn, THERE, kind.split(maxsplit=1)[0])
    with places[kind](folder, server) as made:
        yield Station(books, vault, made)
    books.close()


@pytest.fixture(params=["s3", "tus by path"])
def shared(
    request: pytest.FixtureRequest, weed: Seaweed, tmp_path: Path
) -> Iterator[Station]:
    """A place whose names are the keys: two may want the same."""
    with opened(request.param, tmp_path, weed) as made:
        yield made


@pytest.fixture
def collection(official: TusServer, tmp_path: Path) -> Iterator[Station]:
    """A place that makes the names of uploads itself."""
    with opened("tus", tmp_path, official) as made:
        yield made


def has_each_checkpoint(here: Station) -> None:
    here.say()
    here.say()
    first = here.send()
    here.say()

    assert (first, here.send(), here.send()) == (2, 1, 0)
    assert here.there() == here.signed()
    assert here.alarms() == []


def test_the_place_has_every_checkpoint_as_it_was_signed(shared: Station) -> None:
    has_each_checkpoint(shared)


def test_a_server_that_names_uploads_has_every_checkpoint_too(
    collection: Station,
) -> None:
    has_each_checkpoint(collection)


def test_a_number_that_is_taken_is_an_alarm_and_nothing_is_replaced(
    shared: Station,
) -> None:
    assert shared.place.put is not None
    shared.say()
    shared.send()
    shared.place.put(key_of(2), b"another log's\n")
    shared.say()
    shared.say()

    assert (shared.send(), shared.send()) == (0, 0)

    assert shared.alarms() == [f"there: {key_of(2)} is there already, and is not ours"]
    assert shared.there()[key_of(2)] == b"another log's\n"
    assert key_of(3) not in shared.there()


def test_a_checkpoint_that_arrived_and_was_forgotten_is_no_alarm(
    shared: Station,
) -> None:
    """The station lost power before it noted that the place has it."""
    shared.say()
    shared.say()
    shared.send()
    with transaction(shared.books.conn):
        shared.books.conn.execute("DELETE FROM witness")

    assert shared.send() == 2

    assert shared.alarms() == []
    assert shared.there() == shared.signed()
