"""A bag's own file, written again from what the database knows, or from the bag.

Whether it is the one that was sealed is for its digest to say: whoever asks compares.
"""

import json
import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from dock_agent.custody import manifest
from dock_agent.custody.manifest import Payload
from dock_agent.store import custody, files, scrubs, station
from dock_agent.store.scrubs import Item
from dock_agent.vault.bag import HELD, inventory_line

Maker = Callable[[sqlite3.Connection, Item], bytes | None]


def remade(conn: sqlite3.Connection, item: Item) -> bytes | None:
    """Return what the file most likely held; None where nothing tells."""
    make = MAKERS.get(item.name)
    if item.file is not None or make is None:
        return None
    return make(conn, item)


def _sealed(conn: sqlite3.Connection, item: Item) -> tuple[list[str], dict[str, Any]]:
    """Return a docking's lines up to its seal, and what that says."""
    lines = custody.lines(conn, item.docking)
    for number, line in enumerate(lines):
        told = json.loads(line)
        if told["kind"] == "sealed":
            return lines[:number], told["facts"]
    return [], {}


def _signature(conn: sqlite3.Connection, item: Item) -> bytes:

    return bytes.fromhex(_sealed(conn, item)[1]["signature"])


def _key(conn: sqlite3.Connection, item: Item) -> bytes | None:

    key = station.keys(conn).get(_sealed(conn, item)[1]["key"])
    return None if key is None else key.pem()


def _log(conn: sqlite3.Connection, item: Item) -> bytes:

    return "".join(f"{line}\n" for line in _sealed(conn, item)[0]).encode()


def _inventory(conn: sqlite3.Connection, item: Item) -> bytes:

    listed = files.of_docking(conn, item.docking)
    return manifest.inventory([inventory_line(conn, file) for file in listed]).encode()


def _manifest(conn: sqlite3.Connection, item: Item) -> bytes:

    listed = scrubs.of_docking(conn, item.docking)
    payload = [
        Payload(one.name.removeprefix("data/"), one.size, one.sha256)
        for one in listed
        if one.file is not None or one.name == f"data/{HELD}"
    ]
    return manifest.manifest(payload).encode()


def _tag_manifest(conn: sqlite3.Connection, item: Item) -> bytes:
    """List the digests that the others had: what they are now does not count."""
    listed = scrubs.of_docking(conn, item.docking)
    digests = {one.name: one.sha256 for one in listed if one.name in manifest.TAGS}
    return "".join(f"{digests[name]}  {name}\n" for name in sorted(digests)).encode()


def _bagit(conn: sqlite3.Connection, item: Item) -> bytes:
    del conn, item
    return manifest.BAGIT.encode()


MAKERS: Mapping[str, Maker] = {
    "bagit.txt": _bagit,
    "custody.jsonl": _log,
    "inventory.jsonl": _inventory,
    manifest.MANIFEST: _manifest,
    manifest.SIGNATURE: _signature,
    manifest.TAG_MANIFEST: _tag_manifest,
    "station-key.pem": _key,
}
