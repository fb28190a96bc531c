"""Where a destination is, as one string: another place, another string.

It stands in the database and in the custody log: no secret is in it.
"""

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dock_agent.config import Config
from dock_agent.config_tables import Destination
from dock_agent.errors import Barred

if TYPE_CHECKING:
    from dock_agent.sync.axis.connection import ConnectionFile

Where = Callable[[], str | None]
"""Returns where a destination is now; None if that cannot be told."""


def place_of(config: Config, table: Destination) -> Where:
    """Return what tells where it is, so that a name cannot change its place."""
    if table.kind == "axis":
        from dock_agent.sync.axis.connection import ConnectionFile

        path = config.resolve(table.connection_file or "")
        file = ConnectionFile(path, insecure=table.insecure)
        return lambda: _account(file)
    place = _address(config, table)
    return lambda: place


def _address(config: Config, table: Destination) -> str:
    if table.kind == "directory":
        return str(config.resolve(table.path or ""))
    if table.kind == "tus":
        ways = (table.endpoint, table.addressing, table.read_endpoint)
        return f"{ways} {table.prefix}"
    return f"{table.endpoint}/{table.bucket}/{table.prefix}"


def _account(file: "ConnectionFile") -> str | None:
    """Return the address of an Axis account, and a digest that tells it from others.

    Its name comes with its key, and an address may be signed: neither is shown.
    """
    try:
        told = file.get()
    except Barred:
        return None  # whoever sends says what is wrong with it
    uris = sorted(told.uris)
    whole = hashlib.sha256("\n".join((told.user, *uris)).encode()).hexdigest()
    first = urlsplit(uris[0])
    return f"{first.scheme}://{first.netloc}{first.path} {whole[:16]}"
