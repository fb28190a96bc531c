"""An Axis content destination for the suite, judged by what its server holds.

What an object is called there follows from what it is, not from its key: so that keys
can be told apart here, each is given as the path of a file.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from dock_agent.clock import SystemClock
from dock_agent.config import Config, Destination, Station, Store, Vault
from dock_agent.sync.axis import names
from dock_agent.sync.axis.destination import Axis, open_axis
from dock_agent.sync.destination import (
    About,
    Confirmation,
    Look,
    Object,
    Progress,
    Remember,
)
from dock_agent.sync.wrappers import Through
from support.axis_boxes import Blob, Box, Can
from support.axis_server import AxisServer, axis_server
from support.places import Place, Recipe, about
from support.s3_program import SECRET
from support.swift import Swift, swift

STATION, ANYBODY = "harbour-1", "unassigned"
OURS = {names.USERS, names.DEVICES, names.SYSTEM, names.CHECK, names.MARKERS}
BESIDE = "about_"


def axis(connection: Path, *, user_id: str = ANYBODY, insecure: bool = False) -> Axis:
    """Return our own client of the place that a connection file names."""
    whole = Config(
        station=Station(id=STATION), vault=Vault(path="v"), store=Store(path="s")
    )
    table = Destination(
        name="main",
        kind="axis",
        connection_file=str(connection),
        user_id=user_id,
        insecure=insecure,
    )
    return open_axis(whole, table, SystemClock())


@dataclass
class _Keys:
    """Which key each object has that the suite asked about."""

    known: dict[names.Spot, str] = field(default_factory=dict)

    def about(self, key: str) -> About:
        what = replace(about(), file=f"data/{key}")
        self.known[names.spot(what, ANYBODY)] = key
        return what

    def spot(self, key: str) -> names.Spot:
        return names.spot(self.about(key), ANYBODY)


class _ByKey(Through):
    """The destination, told that each key is a file of its own."""

    def __init__(self, inner: Axis, keys: _Keys) -> None:
        super().__init__(inner)
        self._keys = keys

    def _told(self, item: Object) -> Object:
        return replace(item, about=self._keys.about(item.key))

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        return super().send(self._told(item), done, remember)

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        return super().confirm(self._told(item), done, sent=sent)

    def look(self, item: Object, done: Progress) -> Look | None:
        return super().look(self._told(item), done)


@contextmanager
def place(folder: Path, *, can: Can = Can.ALL, full: bool = True) -> Iterator[Place]:
    """Yield a server that gives back what it has."""
    with axis_server(can=can) as server:
        file = server.write(folder, FullStoreAndReadSupport=full)
        keys = _Keys()

        def again() -> _ByKey:
            return _ByKey(axis(file), keys)

        def put(key: str, data: bytes) -> None:
            spot = keys.spot(key)
            box = server.boxes.setdefault(spot.container, Box())
            box.blobs[spot.name] = Blob(data)

        with closing(again()) as made:
            yield Place(
                destination=made,
                found=partial(_found, server, keys.spot),
                put=put,
                keys=lambda: sorted(_listed(server, keys)),
                again=again,
                resumes=False,
            )
        assert server.refused == []


def _found(
    server: AxisServer, spot: Callable[[str], names.Spot], key: str
) -> bytes | None:
    where = spot(key)
    box = server.boxes.get(where.container, Box())
    return box.blobs[where.name].data if where.name in box.blobs else None


def _listed(server: AxisServer, keys: _Keys) -> Iterator[str]:
    return _named({name: box.blobs for name, box in server.boxes.items()}, keys)


def _named(boxes: Mapping[str, Iterable[str]], keys: _Keys) -> Iterator[str]:
    """Yield the key of each object; one that nobody asked about has its own name."""
    for container, names_there in boxes.items():
        for name in names_there if container not in OURS else ():
            if not name.startswith(BESIDE):
                spot = names.Spot(container, name)
                yield keys.known.get(spot, f"{container}/{name}")


@contextmanager
def swift_place(folder: Path, server: Swift) -> Iterator[Place]:
    """Yield an account of a real Swift, curl its judge; it is emptied first."""
    curl, keys = server.curl, _Keys()
    curl.clear()
    file = connection_file(server, folder)

    def again() -> _ByKey:
        return _ByKey(axis(file), keys)

    def put(key: str, data: bytes) -> None:
        spot = keys.spot(key)
        curl.put(spot.container)
        curl.put(spot.container, spot.name, data=data)

    def found(key: str) -> bytes | None:
        spot = keys.spot(key)
        return curl.get(spot.container, spot.name)

    def listed() -> list[str]:
        boxes = {name: curl.listed(name) for name in curl.listed()}
        return sorted(_named(boxes, keys))

    with closing(again()) as made:
        yield Place(made, found, put, listed, again, resumes=False)


def connection_file(server: Swift, folder: Path, **other: object) -> Path:
    """Write the connection file of an account of Swift; `other` changes keys."""
    told = {
        "ConnectionFileVersion": "1.0",
        "SiteName": "Harbour",
        "ApplicationName": "Swift",
        "ApplicationVersion": "2",
        "AuthenticationTokenURI": [server.auth],
        "BlobAPIKey": SECRET,
        "BlobAPIUserName": server.curl.user,
        "FullStoreAndReadSupport": True,
    }
    path = folder / "connection.json"
    path.write_text(json.dumps(told | other), "utf-8")
    return path


VARIANTS = {
    # As little as can confirm anything: HEAD is not in the API, nor a digest.
    "axis-get": Recipe(partial(place, can=Can.GET, full=False)),
}
SLOW = {"axis-swift": Recipe(swift_place, swift)}
