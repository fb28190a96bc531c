"""Hold the disk of a station that was cut off against what it had said before.

A program of its own, in mounts of its own, so that nothing stays mounted. It reads
orders as JSON lines and answers each with a list of what is wrong. The recovery is
the station's, by the code of this checkout: what the agent runs when it starts, and
one docking more of each camera.
"""

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dock_agent.clock import SystemClock
from dock_agent.config import Config, parse
from dock_agent.errors import DockError
from dock_agent.importing import Wish, import_tree
from dock_agent.offload.recover import recover
from dock_agent.opened import opened
from dock_agent.recording import CameraId, Digest, FileState
from dock_agent.store import custody, dockings, files
from dock_agent.store.db import connect
from dock_agent.vault.layout import PART, quarantine_path
from dock_agent.verifying import verify
from dock_agent.watch import status
from hardware.cards import FIRST, SECTOR
from support.cards import digests

CONFIG = """\
[station]
id = "bench-1"
[vault]
path = "vault"
reserve_bytes = 1000000
[store]
path = "state/dock.sqlite"
[keys]
signing_file = "keys/station.pem"
[offload]
rest_s = 0
"""
# No flush of it has to reach this machine's own disk: nothing is cut here.
MOUNT_DISK = "loop,nosuid,nodev,noexec,noatime,barrier=0"
MOUNT_CARD = f"loop,offset={FIRST * SECTOR},nosuid,nodev,noexec,ro"
GONE = "had been read by others, and is gone"
Held = tuple[CameraId, bytes, Digest | None]  # a file: camera, path, digest
NAMED = {FileState.PROVEN, FileState.VERIFIED}


@dataclass(frozen=True, slots=True)
class Order:
    """A disk as it was left, and what was said before it was cut off.

    `cards` are images of cards by camera, `said` the digests of custody lines by
    their number, `green` the cameras of which a page said that they may go.
    """

    image: str
    cards: Mapping[str, str]
    said: Mapping[int, str] = field(default_factory=dict)
    green: tuple[str, ...] = ()


def main(folder: Path) -> None:
    """Judge until there are no more orders."""
    for line in sys.stdin:
        order = json.loads(line)
        order["said"] = {int(seq): sha256 for seq, sha256 in order["said"].items()}
        wrong = list(judge(folder, Order(**order)))
        sys.stdout.write(json.dumps(wrong) + "\n")
        sys.stdout.flush()


def judge(folder: Path, order: Order) -> Iterator[str]:
    """Look at the disk as it is, let the station recover, look again: what is wrong."""
    try:
        with mounted(order.image, folder / "data", MOUNT_DISK) as data:
            yield from _looked_at(parse(CONFIG, base=data), order, folder)
    except subprocess.SubprocessError as error:
        yield f"{error}"


def _looked_at(config: Config, order: Order, folder: Path) -> Iterator[str]:
    """Say what is wrong; an error is over before anything is unmounted."""
    try:
        yield from _as_left(config, order)
        yield from _recovered(config, order, folder)
    except (DockError, OSError, sqlite3.Error) as error:
        yield f"{type(error).__name__}: {error}"


@contextmanager
def mounted(image: str, where: Path, options: str) -> Iterator[Path]:
    """Mount an image for the length of the block."""
    where.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "ext4", "-o", options, image, where], check=True)
    try:
        yield where
    finally:
        subprocess.run(["umount", where], check=True)


# ---- before anything is mended


def _as_left(config: Config, order: Order) -> Iterator[str]:
    before = status.read(config.snapshot_path)
    with closing(connect(config.store_path)) as conn:
        for pragma in ("integrity_check", "foreign_key_check"):
            found = [tuple(row) for row in conn.execute(f"PRAGMA {pragma}")]
            if found not in ([], [("ok",)]):
                yield f"{pragma} says {found[0]}"
        custody.check(conn)
        kept = dict(conn.execute("SELECT seq, sha256 FROM custody").fetchall())
        for seq, sha256 in order.said.items():
            if kept.get(seq) != sha256:
                yield f"line {seq} of the custody log {GONE}"
        safe = {d.camera for d in dockings.sealed(conn) if d.complete}
        shown = () if before is None else before.bays
        green = {bay.camera for bay in shown if bay.colour == "green"}
        for camera in (green | {*order.green}) - safe:
            yield f"{camera} was green, and is not sealed"
        yield from _vault_as_left(conn, config)
        yield from _sent_as_left(conn, config)


def _vault_as_left(conn: sqlite3.Connection, config: Config) -> Iterator[str]:
    """Every name has its proof, and every proof that was told of has its name."""
    for docking in (*dockings.sealed(conn), *dockings.unfinished(conn)):
        rows = {f.stored: f for f in files.of_docking(conn, docking.id)}
        there = _named(config.vault_path / docking.bag / "data")
        for name, sha256 in there.items():
            row = rows.get(name)
            if row is None or row.state not in NAMED or row.sha256 != sha256:
                yield f"{name} has its name, and is not what was proved"
        for name, row in rows.items():
            if row.state is FileState.VERIFIED and there.get(name) != row.sha256:
                yield f"{name} is called verified, and is not there"


def _sent_as_left(conn: sqlite3.Connection, config: Config) -> Iterator[str]:
    """What is called confirmed is whole at the destination."""
    nas = config.resolve("nas")
    there = _named(nas) if nas.is_dir() else {}
    query = "SELECT key, sha256, state FROM transfer"
    known = {row["key"]: row for row in conn.execute(query)}
    for key, row in known.items():
        if row["state"] == "confirmed" and there.get(key) != row["sha256"]:
            yield f"{key} is called confirmed, and is not there"


def _named(folder: Path) -> dict[str, str]:
    """Return the digest of every file below that has its own name."""
    if not folder.is_dir():
        return {}
    found = {os.fsdecode(name): sha256 for name, sha256 in digests(folder).items()}
    return {
        name: sha256
        for name, sha256 in found.items()
        if PART not in name and not name.startswith("=")
    }


# ---- after the station has been started again


def _recovered(config: Config, order: Order, folder: Path) -> Iterator[str]:
    with opened(config, SystemClock()) as held:
        again = recover(held.conn, held.sealer)
        if again != type(again)():
            yield f"a second recovery found more: {again}"
    wanted: Counter[Held] = Counter()
    for number, (camera, card) in enumerate(order.cards.items()):
        with mounted(card, folder / f"card{number}", MOUNT_CARD) as tree:
            told = import_tree(config, Wish(tree, camera, "1"), lambda *_: None)
            wanted.update(
                (CameraId(camera), name, Digest(sha256))
                for name, sha256 in digests(tree).items()
            )
        if told.error is not None or not told.summary.complete:
            yield f"{camera} docked again is not whole: {told.error}"
    yield from _converged(config, wanted)


def _converged(config: Config, wanted: Counter[Held]) -> Iterator[str]:
    """The vault holds each file of each card once, and can prove it."""
    with closing(connect(config.store_path)) as conn:
        for docking in dockings.unfinished(conn):
            yield f"{docking.id} is still {docking.state}"
        sealed = dockings.sealed(conn)
        held = Counter(
            (docking.camera, file.path, file.sha256)
            for docking in sealed
            for file in files.of_docking(conn, docking.id)
            if file.state is FileState.VERIFIED
        )
    for docking in sealed:
        if (config.vault_path / quarantine_path(docking.id)).exists():
            yield f"something of {docking.id} was set aside"
    for camera, name, sha256 in (held - wanted) + (wanted - held):
        yield f"{camera}: {name!r} ({sha256}) is there twice, or not at all"
    told = verify(config, (), lambda *_: None)
    yield from (f"{failure.id}: {failure.reason}" for failure in told.failed)
    if told.custody != "ok":
        yield told.custody


if __name__ == "__main__":
    main(Path(sys.argv[1]))
