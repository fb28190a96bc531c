"""Tus servers for the suite: the official one, and SeaweedFS' by path.

The judge of the first reads its directory; that of the second asks the filer.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx

from dock_agent.clock import Clock, SystemClock
from dock_agent.sync.transport.client import Transport
from dock_agent.sync.tus.client import Addressing, Client, Site, TokenFile, check
from dock_agent.sync.tus.destination import MARKER, Tus
from dock_agent.sync.tus.receipt import Receipts
from support.places import Place, Recipe
from support.seaweed import Seaweed, seaweed
from support.tus_server import TusServer, tus_server

server = tus_server
FILER = 3  # among SeaweedFS' ports


def tus(
    site: Site,
    token_file: Path | None = None,
    receipts: Receipts | None = None,
    clock: Clock | None = None,
) -> Tus:
    """Return our own client of a tus server."""
    token = None if token_file is None else TokenFile(token_file)
    client = Client(Transport(check=check), site, token)
    return Tus(client, clock or SystemClock(), receipts)


def prefix_of(folder: Path) -> str:
    """Return a prefix for one test on a server that is shared."""
    return f"{folder.parent.name}-{folder.name}/"


@contextmanager
def place(folder: Path, server: TusServer) -> Iterator[Place]:
    """Yield the official server: it names the uploads, so that none collide."""
    site = Site(server.endpoint, prefix_of(folder))

    def keys() -> list[str]:
        mine = [name for name in server.names() if name.startswith(site.prefix)]
        return sorted({name.removeprefix(site.prefix) for name in mine})

    with closing(tus(site)) as made:
        yield Place(
            destination=made,
            found=lambda key: server.found(site.prefix + key),
            put=None,
            keys=keys,
            again=lambda: tus(site),
            resumes=True,
        )


def filer(store: Seaweed) -> str:
    """Return the base URL of SeaweedFS' filer."""
    return f"http://127.0.0.1:{store.ports[FILER]}"


def by_path(store: Seaweed, prefix: str) -> Site:
    """Return SeaweedFS' tus endpoint, where a key is in the URL."""
    return Site(f"{filer(store)}/.tus", prefix, Addressing.PATH, filer(store))


@contextmanager
def weed_place(folder: Path, store: Seaweed) -> Iterator[Place]:
    """Yield SeaweedFS' tus endpoint."""
    prefix = prefix_of(folder)
    site = by_path(store, prefix)

    def url(key: str) -> str:
        return f"{filer(store)}/{quote(prefix + key)}"

    def found(key: str) -> bytes | None:
        answer = httpx.get(url(key), trust_env=False)
        return answer.content if answer.is_success else None

    def put(key: str, data: bytes) -> None:
        headers = {"content-type": "application/octet-stream"}
        httpx.put(
            url(key), content=data, headers=headers, trust_env=False
        ).raise_for_status()

    with closing(tus(site)) as made:
        yield Place(
            destination=made,
            found=found,
            put=put,
            keys=lambda: sorted({*_listed(filer(store), prefix)} - {MARKER}),
            again=lambda: tus(site),
            resumes=True,
        )


def _listed(base: str, folder: str) -> Iterator[str]:
    """Yield the path of each file below a folder of the filer, within the folder."""
    answer = httpx.get(
        f"{base}/{quote(folder)}",
        params={"limit": "10000"},
        headers={"accept": "application/json"},
        trust_env=False,
    )
    entries = answer.json()["Entries"] if answer.is_success else None
    directory = 1 << 31  # Go's os.ModeDir
    for entry in entries or ():
        name = entry["FullPath"].rpartition("/")[2]
        if entry["Mode"] & directory:
            yield from (f"{name}/{each}" for each in _listed(base, f"{folder}{name}/"))
        else:
            yield name


VARIANTS = {"tus-path": Recipe(weed_place, seaweed)}
