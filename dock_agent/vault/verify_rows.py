"""Check a sealed docking against what the store remembers of it."""

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from dock_agent.custody import chain, manifest
from dock_agent.errors import CustodyError
from dock_agent.recording import Digest, FileState
from dock_agent.store import custody, dockings, files
from dock_agent.store.dockings import Docking
from dock_agent.store.file import File
from dock_agent.vault.disk import Disk
from dock_agent.vault.verify import HELD_LIST, Result

COPIED = {FileState.VERIFIED, FileState.EXPIRED}


def expired(conn: sqlite3.Connection, docking: Docking) -> set[str]:
    """Return the stored names of a docking's copies that went after their time.

    Only those of which the custody log says so: a row alone is no reason.
    """
    lines = map(json.loads, custody.lines(conn, docking.id))
    told = {
        line["facts"]["file"] for line in lines if line["kind"] == "expire intended"
    }
    rows = files.of_docking(conn, docking.id)
    return {f.stored for f in rows if f.state is FileState.EXPIRED} & told


def verify_rows(
    conn: sqlite3.Connection,
    disk: Disk,
    root: Path,
    docking: Docking,
    seen: dict[Path, Digest | None] | None = None,
) -> Result:
    """Check a bag against what the store remembers of the docking.

    What an earlier docking holds for it is read, too; `seen` keeps what was read,
    for the next docking that rests on it.
    """
    result, bag = Result(), root / docking.bag
    held = _Held(conn, disk, root, {} if seen is None else seen)
    try:
        signed = disk.read(bag / manifest.TAG_MANIFEST)
        listed = manifest.parse(disk.read(bag / manifest.MANIFEST).decode())
        told = chain.split(disk.read(bag / "custody.jsonl").decode())
    except (OSError, ValueError, CustodyError) as error:
        result.fail(docking.id, f"cannot be read: {error}")
        return result
    rows = files.of_docking(conn, docking.id)
    for file in rows:
        _row(file, listed.pop(f"data/{file.stored}", None), result)
        if file.state is FileState.HELD:
            held.check(file, result)
    for name in sorted(listed.keys() - {HELD_LIST}):
        result.fail(name, "the store does not know it")
    _log(custody.lines(conn, docking.id), told, signed, result)
    return result


def _row(file: File, told: Digest | None, result: Result) -> None:
    known = file.copy_sha256 if file.state in COPIED else None
    if told != known:
        result.fail(
            str(file.id), f"{file.stored}: the manifest says {told}, not {known}"
        )


@dataclass(frozen=True, slots=True)
class _Held:
    """What earlier dockings hold, read from the medium once each."""

    conn: sqlite3.Connection
    disk: Disk
    root: Path
    seen: dict[Path, Digest | None]

    def check(self, file: File, result: Result) -> None:
        """Read the copy that `file` rests on, and compare."""
        if file.held_by is None:
            result.fail(str(file.id), f"{file.stored}: nothing says what holds it")
            return
        other = files.get(self.conn, file.held_by)
        if other.state not in COPIED or other.sha256 != file.sha256:
            result.fail(str(file.id), f"{file.stored}: what holds it is {other.state}")
            return
        if other.state is FileState.EXPIRED:
            return
        bag = dockings.get(self.conn, other.docking).bag
        path = self.root / bag / "data" / other.stored
        result.checked += 1
        if self._digest(path) == other.copy_sha256:
            result.ok += 1
        else:
            told = f"its copy in docking {other.docking} is not what it was"
            result.fail(str(file.id), f"{file.stored}: {told}")

    def _digest(self, path: Path) -> Digest | None:
        if path not in self.seen:
            try:
                self.seen[path] = self.disk.reread(path).digest
            except OSError:
                self.seen[path] = None
        return self.seen[path]


def _log(known: list[str], told: list[str], signed: bytes, result: Result) -> None:
    """The bag has the log up to its seal; the next line "sealed" tells of that.

    Between the two may stand what a destination confirmed while it was sealed.
    """
    later = map(json.loads, known[len(told) :])
    after = next((line for line in later if line["kind"] == "sealed"), None)
    if known[: len(told)] != told or after is None:
        result.fail("custody.jsonl", "is not what the station's log says")
        return
    digest = hashlib.sha256(signed).hexdigest()
    if after["facts"].get("tagmanifest_sha256") != digest:
        result.fail(manifest.TAG_MANIFEST, "is not the one that was sealed")
