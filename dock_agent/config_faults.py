"""What each table of the configuration allows and the whole does not."""

import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:  # config reads this module
    from dock_agent.config import Config, Destination

UNIX = "unix:"
ADDRESS = re.compile(rf"{UNIX}.+|.+:[0-9]{{1,5}}")
LAST_PORT = 65_535
NEEDED = {
    "s3": ("endpoint", "bucket", "credentials_file"),
    "tus": ("endpoint",),
    "axis": ("connection_file",),
    "directory": ("path",),
}


def faults(config: "Config") -> Iterator[str]:
    """Yield a sentence for each fault."""
    yield from _zone(config)
    yield from _twice("bay", [bay.name for bay in config.bays])
    yield from _twice("destination", [d.name for d in config.destinations])
    for bay in config.bays:
        if (bay.port is None) == (bay.folder is None):
            yield f"bay `{bay.name}` needs a port or a folder"
    yield from _erase(config)
    yield from _categories(config)
    for destination in config.destinations:
        for fault in _destination(destination):
            yield f"destination `{destination.name}` {fault}"
    if config.timestamp is not None:  # what it says is signed, however it came
        for fault in _url(config.timestamp.url, insecure=True):
            yield f"[timestamp] {fault}"
    yield from _listen(config.web.listen)


def _erase(config: "Config") -> Iterator[str]:
    wish = config.release.erase
    if wish == "never":
        return
    if config.vault.cached == "accept":
        yield (
            f'erase = "{wish}" rests on copies read back from the medium,'
            ' and `[vault] cached = "accept"` may have none'
        )
    if wish == "after_confirmed" and not config.destinations:
        yield f'erase = "{wish}" needs a destination that confirms'


def _categories(config: "Config") -> Iterator[str]:
    yield from _twice("category", [category.name for category in config.categories])
    for category in config.categories:
        if (category.keep_days is None) == (category.keep is None):
            yield f'category `{category.name}` needs `keep_days` or keep = "forever"'
        if (category.name, category.keep) == ("unclassified", None):
            yield "category `unclassified` is what nobody classified: it is kept"
    if config.retention.expire and not config.destinations:
        yield "[retention] expire needs a destination that has the copies"


def _zone(config: "Config") -> Iterator[str]:
    try:
        ZoneInfo(config.station.timezone)
    except (ZoneInfoNotFoundError, ValueError):
        yield f"no time zone is called `{config.station.timezone}`"


def _twice(what: str, names: list[str]) -> Iterator[str]:
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{what} `{name}` is there twice"


def _listen(listen: str) -> Iterator[str]:
    _, _, port = listen.rpartition(":")
    known = ADDRESS.fullmatch(listen) is not None
    if not known or (not listen.startswith(UNIX) and int(port) > LAST_PORT):
        yield (
            f"[web] listen = {listen!r}: say address:port with a port up to"
            f" {LAST_PORT}, or unix:/path/of/socket"
        )


def _destination(table: "Destination") -> Iterator[str]:
    for key in NEEDED[table.kind]:
        if getattr(table, key) is None:
            yield f"is {table.kind} and needs `{key}`"
    if (table.kind, table.addressing, table.read_endpoint) == ("tus", "path", None):
        yield "is tus by path and needs `read_endpoint`, to see what is there already"
    if (table.cached, table.proof) == ("accept", "read-back"):
        yield "accepts copies from memory, and wants them read back: choose one"
    if {".", ".."} & set(table.prefix.split("/")):
        yield f"has a prefix that leads elsewhere: {table.prefix!r}"
    for url in (table.endpoint, table.read_endpoint):
        if url is not None:
            yield from _url(url, insecure=table.insecure)


def _url(url: str, *, insecure: bool) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        host, password = parts.hostname or "", parts.password or parts.username
    except ValueError as error:
        yield f"has no usable URL: {error}"
        return
    if password:
        yield "has a password in its URL: secrets are files, name one"
    if parts.scheme not in {"http", "https"} or not host:
        yield f"has no usable URL: {url!r}"
    if parts.scheme == "http" and not insecure and not _is_loopback(host):
        yield "would be spoken to in plain http: use https, or set `insecure = true`"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
