"""Seal a docking: write its bag's own files, sign them, and say so.

The order is the promise. Every file of the bag is written, flushed and named;
then, in one transaction, the docking becomes sealed, the custody log says so,
and the bag's own files join the queue. A crash before that leaves a docking
that is not sealed; sealing it again writes the bag's own files anew.

What an earlier docking holds already is not stored twice: `data/=held-sha256.txt`
names it with its digest and the way to it from here, as `sha256sum -c` reads.

`custody.jsonl` holds the docking's lines up to here. The line "sealed" comes
after it and carries the digest of what was signed, so it cannot be in the bag.
"""

import hashlib
import json
import posixpath
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dock_agent import __version__
from dock_agent.clock import Clock, Instant
from dock_agent.custody import manifest
from dock_agent.custody.manifest import About, Payload
from dock_agent.custody.signing import SigningKey
from dock_agent.errors import FixityError, StoreError
from dock_agent.recording import (
    DestinationName,
    Digest,
    DockingId,
    DockingState,
    FileState,
    TransferState,
)
from dock_agent.store import (
    checkpoints,
    custody,
    dockings,
    erasures,
    files,
    transfers,
)
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Change, Docking
from dock_agent.store.file import File, encrypted
from dock_agent.store.transfers import NewTransfer
from dock_agent.vault.disk import Disk, vault_errors
from dock_agent.vault.write import part_of, write_file

HELD = "=held-sha256.txt"  # no camera's file can have this stored name


@dataclass(frozen=True, slots=True)
class Sealer:
    """What sealing needs besides the database."""

    disk: Disk
    root: Path
    key: SigningKey
    clock: Clock
    station: str
    destinations: tuple[DestinationName, ...]

    def free(self) -> int:
        """Return how many bytes the vault has free; 0 if it cannot be asked."""
        try:
            return self.disk.free(self.root)
        except OSError:
            return 0


@dataclass(frozen=True, slots=True)
class Seal:
    """What a sealed docking holds, and what was signed."""

    tag_manifest: Digest
    complete: bool
    safe: int  # files verified or held
    files: int  # files that were listed


def seal(conn: sqlite3.Connection, sealer: Sealer, ident: DockingId) -> Seal:
    """Seal a docking with what is there; it is complete if nothing is missing.

    Safe to repeat: what is sealed stays as it is. Raises `FixityError` if the
    vault holds other files than the store says, `StoreError` while files still
    arrive, `NoRoom` or `VaultUnusable`.
    """
    docking = dockings.get(conn, ident)
    if docking.state is DockingState.SEALED:
        return _as_sealed(conn, ident)
    if docking.state in {DockingState.OPENED, DockingState.COPYING}:
        raise StoreError(f"docking {ident} is {docking.state}: too early to seal it")
    listed = files.of_docking(conn, ident)
    wanted = [file for file in listed if file.state is not FileState.SKIPPED]
    safe = [f for f in wanted if f.state in {FileState.VERIFIED, FileState.HELD}]
    complete = docking.state is DockingState.CHECKING and len(safe) == len(wanted)
    at = sealer.clock.now()
    _agree(sealer, docking, listed)
    held = _held(conn, docking, listed)
    tags = _tags(conn, sealer, docking, (listed, held, complete, at))
    signed = tags[manifest.TAG_MANIFEST]
    tags[manifest.SIGNATURE] = sealer.key.sign(signed)
    written = ({f"data/{HELD}": held} if held is not None else {}) | tags
    _write_all(sealer, docking, written)
    told = Seal(
        Digest(hashlib.sha256(signed).hexdigest()), complete, len(safe), len(wanted)
    )
    _say(conn, sealer, docking, (told, written, at))
    return told


def as_signed(conn: sqlite3.Connection, sealer: Sealer, ident: DockingId) -> bool:
    """Whether a docking is sealed, and its bag's own files are as they were signed.

    Of the payload nothing is read. Raises `VaultUnusable`.
    """
    docking = dockings.get(conn, ident)
    if docking.state is not DockingState.SEALED:
        return False
    bag = sealer.root / docking.bag
    with vault_errors():
        if not all(sealer.disk.exists(bag / name) for name in manifest.OWN):
            return False
        own = {name: sealer.disk.read(bag / name) for name in manifest.OWN}
    facts, signature = _facts(conn, ident), own.pop(manifest.SIGNATURE)
    signed = own.pop(manifest.TAG_MANIFEST)
    return (
        signed == manifest.tag_manifest(own).encode()
        and hashlib.sha256(signed).hexdigest() == facts["tagmanifest_sha256"]
        and signature.hex() == facts["signature"]
    )


def _facts(conn: sqlite3.Connection, ident: DockingId) -> Mapping[str, Any]:
    lines = map(json.loads, custody.lines(conn, ident))
    return next(line["facts"] for line in lines if line["kind"] == "sealed")


def _as_sealed(conn: sqlite3.Connection, ident: DockingId) -> Seal:
    facts = _facts(conn, ident)
    return Seal(
        facts["tagmanifest_sha256"], facts["complete"], facts["safe"], facts["files"]
    )


def _agree(sealer: Sealer, docking: Docking, listed: Sequence[File]) -> None:
    """Sign for what is there: no file less, and none that nobody proved."""
    data = sealer.root / docking.bag / "data"
    proved = {f.stored for f in listed if f.state is FileState.VERIFIED}
    with vault_errors():
        there = {str(path.relative_to(data)) for path in sealer.disk.listing(data)}
        sealer.disk.make_directory(sealer.root)  # or the whole vault is gone: raises
    ours = {HELD, part_of(Path(HELD)).name}  # of a seal that did not end
    for name in sorted(proved ^ (there - ours)):
        what = "is missing" if name in proved else "was never proved"
        raise FixityError(f"docking {docking.id}: {name} {what}; it is not sealed")


def _tags(
    conn: sqlite3.Connection,
    sealer: Sealer,
    docking: Docking,
    facts: tuple[Sequence[File], bytes | None, bool, Instant],
) -> dict[str, bytes]:
    listed, held, complete, at = facts
    payload = [
        Payload(file.stored, file.copy_size, file.copy_sha256)
        for file in listed
        if file.state is FileState.VERIFIED and file.copy_sha256 is not None
    ]
    if held is not None:
        digest = Digest(hashlib.sha256(held).hexdigest())
        payload.append(Payload(HELD, len(held), digest))
    about = About(
        docking=docking.id,
        station=sealer.station,
        camera=docking.camera,
        bay=docking.bay,
        opened_at=docking.opened_at or at.utc,
        sealed_at=at.utc,
        complete=complete,
        key=sealer.key.id,
        agent=f"dock-agent {__version__}",
    )
    custody_lines = "".join(line + "\n" for line in custody.lines(conn, docking.id))
    tags = {
        "bagit.txt": manifest.BAGIT.encode(),
        "bag-info.txt": manifest.bag_info(about, payload).encode(),
        manifest.MANIFEST: manifest.manifest(payload).encode(),
        "inventory.jsonl": manifest.inventory(
            [inventory_line(conn, file) for file in listed]
        ).encode(),
        "custody.jsonl": custody_lines.encode(),
        "station-key.pem": sealer.key.public.pem(),
    }
    tags[manifest.TAG_MANIFEST] = manifest.tag_manifest(tags).encode()
    return tags


def _held(
    conn: sqlite3.Connection, docking: Docking, listed: Sequence[File]
) -> bytes | None:
    """Return the list of what earlier dockings hold; None if it is not needed."""
    held = [file for file in listed if file.state is FileState.HELD]
    copied = any(file.state is FileState.VERIFIED for file in listed)
    if copied and not held:
        return None
    lines = []
    for file in held:
        if file.held_by is None:
            continue
        other = files.get(conn, file.held_by)
        bag = dockings.get(conn, other.docking).bag
        way = posixpath.relpath(bag / "data" / other.stored, docking.bag)
        lines.append(f"{other.copy_sha256}  {way}\n")
    return "".join(lines).encode()


def inventory_line(conn: sqlite3.Connection, file: File) -> dict[str, object]:
    """Return what inventory.jsonl says of one entry of the camera."""
    earlier: dict[str, object] | None = None
    if file.held_by is not None:
        other = files.get(conn, file.held_by)
        earlier = {"docking": other.docking, "file": other.stored}
        earlier |= encrypted(other)
    return {
        "raw_name": files.raw(file.path),
        "name": files.shown(file.path),
        "file": file.stored,
        "size": file.size,
        "mtime_ns": file.mtime_ns,
        "state": file.state.value,
        "sha256": file.sha256,
        "method": file.method,
        "read_from_medium": file.counted,
        "held_by": earlier,
        "reason": file.reason,
    } | encrypted(file)


def _write_all(sealer: Sealer, docking: Docking, tags: Mapping[str, bytes]) -> None:
    bag = sealer.root / docking.bag
    with vault_errors():
        sealer.disk.make_directory(bag / "data")
        for name in (*manifest.OWN, f"data/{HELD}"):
            for left in (bag / name, part_of(bag / name)):  # by an unfinished seal
                if sealer.disk.exists(left):
                    sealer.disk.unlink(left)
        for name, content in tags.items():
            write_file(sealer.disk, bag / name, content)


def _say(
    conn: sqlite3.Connection,
    sealer: Sealer,
    docking: Docking,
    facts: tuple[Seal, Mapping[str, bytes], Instant],
) -> None:
    told, tags, at = facts
    change = Change(
        docking.state,
        DockingState.SEALED,
        reason=docking.reason,
        complete=told.complete,
        facts={
            "tagmanifest_sha256": told.tag_manifest,
            "signature": tags[manifest.SIGNATURE].hex(),
            "key": sealer.key.id,
            "files": told.files,
            "safe": told.safe,
        },
    )
    with transaction(conn):
        for name, content in tags.items():
            new = _transfer(docking, docking.bag / name, content)
            transfers.add(conn, new, sealer.destinations, at)
        for destination in sealer.destinations:  # known since it was docked, perhaps
            transfers.add_files(conn, docking.id, destination, at)
        dockings.set_state(conn, docking.id, change, at)
        if told.complete:  # it lists all that its camera still has
            erasures.resolve(conn, docking.id, at)
        checkpoints.make(conn, sealer.station, sealer.key, at)


def _transfer(docking: Docking, path: PurePosixPath, content: bytes) -> NewTransfer:
    last = path.name == manifest.SIGNATURE
    return NewTransfer(
        docking=docking.id,
        path=str(path),
        key=str(path),
        size=len(content),
        sha256=Digest(hashlib.sha256(content).hexdigest()),
        state=TransferState.BLOCKED if last else TransferState.QUEUED,
    )
