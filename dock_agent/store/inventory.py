"""The inventory of a docking: everything its camera listed, before the first copy."""

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dock_agent.clock import Instant
from dock_agent.custody.chain import Event, canonical
from dock_agent.recording import DockingId, FileId, FileState, RecordingId
from dock_agent.store import custody
from dock_agent.store.db import writer
from dock_agent.store.files import raw


@dataclass(frozen=True, slots=True)
class NewFile:
    """One line of an inventory. `path` is raw, `stored` is below `data/`."""

    path: bytes
    stored: str
    size: int
    mtime_ns: int
    state: FileState = FileState.LISTED
    reason: str | None = None
    recording: RecordingId | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """An inventory and what is known of where it was taken."""

    files: Sequence[NewFile]
    facts: Mapping[str, Any] = field(default_factory=dict)


@writer
def add(
    conn: sqlite3.Connection, docking: DockingId, listing: Listing, at: Instant
) -> list[FileId]:
    """Write every line of the inventory, and one custody event for the whole."""
    first = conn.execute("SELECT coalesce(max(id), 0) + 1 FROM file").fetchone()[0]
    conn.executemany(
        "INSERT INTO file (id, docking, recording, path, stored, size, mtime_ns,"
        " state, reason) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                number,
                docking,
                file.recording,
                file.path,
                file.stored,
                file.size,
                file.mtime_ns,
                file.state,
                file.reason,
            )
            for number, file in enumerate(listing.files, first)
        ),
    )
    custody.append(conn, Event("listed", docking, _summary(listing)), at)
    return [FileId(first + count) for count in range(len(listing.files))]


def _summary(listing: Listing) -> dict[str, Any]:
    whole = hashlib.sha256()
    for file in listing.files:
        line = [raw(file.path), file.size, file.mtime_ns, file.state.value]
        whole.update(canonical(line).encode() + b"\n")
    wanted = [file for file in listing.files if file.state is FileState.LISTED]
    return {
        "files": len(wanted),
        "bytes": sum(file.size for file in wanted),
        "skipped": _count(listing, FileState.SKIPPED),
        "missed": _count(listing, FileState.MISSED),
        "inventory_sha256": whole.hexdigest(),
        **listing.facts,
    }


def _count(listing: Listing, state: FileState) -> int:
    return sum(file.state is state for file in listing.files)
