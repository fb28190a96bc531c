"""What is known of each copy that may expire one day: plain facts."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from dock_agent.clock import Instant, unstamp
from dock_agent.custody.manifest import SIGNATURE
from dock_agent.recording import (
    DestinationName,
    DockingId,
    DockingState,
    FileId,
    Proof,
)
from dock_agent.store import files, holds
from dock_agent.store.file import File
from dock_agent.store.transfers import Transfer, transfer

LOOKED_BACK = 1000  # lines of the log that vouch for the clock


@dataclass(frozen=True, slots=True)
class Listing:
    """One docking that listed the bytes. Times are None where they are not known.

    `trusted`: the line that tells of its seal was written by a synchronised clock.
    """

    docking: DockingId
    category: str | None
    classified_at: datetime | None
    state: DockingState
    complete: bool | None
    sealed_at: datetime | None
    trusted: bool
    start: datetime | None
    quarantined: bool


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file whose copy is in the vault, who listed it, and who has proved it.

    `bag` is below the vault. `whole` are destinations that have confirmed every
    object of its docking.
    """

    file: File
    bag: PurePosixPath
    on_hold: bool
    listings: tuple[Listing, ...]
    proofs: Mapping[DestinationName, Proof]
    whole: frozenset[DestinationName]


def classified(conn: sqlite3.Connection) -> list[FileId]:
    """Return the verified files of recordings that are in a category, oldest first."""
    rows = conn.execute(
        "SELECT file.id FROM category CROSS JOIN file"
        " ON file.recording = category.recording"
        " WHERE file.state = 'verified' ORDER BY file.id"
    )
    return [FileId(row["id"]) for row in rows]


def of_file(conn: sqlite3.Connection, ident: FileId) -> KeptFile:
    """Return what is known of one file; raise `StoreError` if there is none."""
    file = files.get(conn, ident)
    row = conn.execute(
        "SELECT bag FROM docking WHERE id = ?", (file.docking,)
    ).fetchone()
    confirmed = _confirmed(conn, file)
    whole = [name for name in confirmed if _whole(conn, file.docking, name)]
    return KeptFile(
        file=file,
        bag=PurePosixPath(row["bag"]),
        on_hold=holds.keeps(conn, ident) or _rests_on_hold(conn, ident),
        listings=tuple(_listings(conn, file)),
        proofs=confirmed,
        whole=frozenset(whole),
    )


def transfers(conn: sqlite3.Connection, ident: FileId) -> list[Transfer]:
    """Return what was sent of a file to each destination of the configuration."""
    rows = conn.execute(
        "SELECT transfer.* FROM transfer JOIN destination ON name = destination"
        " WHERE file = ? AND configured = 1 ORDER BY destination",
        (ident,),
    )
    return [transfer(row) for row in rows]


def readings(conn: sqlite3.Connection) -> list[Instant]:
    """Return what the clocks were when the last lines of the log were written."""
    rows = conn.execute(
        "SELECT line FROM custody ORDER BY seq DESC LIMIT ?", (LOOKED_BACK,)
    )
    return [_instant(json.loads(row["line"])) for row in rows]


def _instant(line: Mapping[str, object]) -> Instant:
    return Instant(
        unstamp(str(line["at"])),
        int(str(line["monotonic_ns"])),
        str(line["boot"]),
        trusted=line["clock_trusted"] is True,
    )


def _rests_on_hold(conn: sqlite3.Connection, ident: FileId) -> bool:
    row = conn.execute(
        "SELECT EXISTS (SELECT 1 FROM file JOIN hold ON hold.docking = file.docking"
        " WHERE file.held_by = ?) AS kept",
        (ident,),
    ).fetchone()
    return bool(row["kept"])


def _listings(conn: sqlite3.Connection, file: File) -> Iterator[Listing]:
    rows = conn.execute(
        "SELECT docking.id, docking.state, docking.complete, recording.start,"
        " category.name, category.set_at, (SELECT line FROM custody"
        "  WHERE docking = docking.id AND json_extract(line, '$.kind') = 'sealed'"
        "  ORDER BY docking_seq DESC LIMIT 1) AS sealed,"
        " EXISTS (SELECT 1 FROM file AS bad WHERE bad.docking = docking.id"
        "  AND bad.state = 'quarantined') AS quarantined"
        " FROM file JOIN docking ON docking.id = file.docking"
        " LEFT JOIN recording ON recording.id = file.recording"
        " LEFT JOIN category ON category.recording = recording.id"
        " WHERE file.id = :id OR file.held_by = :id ORDER BY file.id",
        {"id": file.id},
    )
    for row in rows:
        sealed = None if row["sealed"] is None else _instant(json.loads(row["sealed"]))
        yield Listing(
            docking=DockingId(row["id"]),
            category=row["name"],
            classified_at=_moment(row["set_at"]),
            state=DockingState(row["state"]),
            complete=None if row["complete"] is None else bool(row["complete"]),
            sealed_at=None if sealed is None else sealed.utc,
            trusted=sealed is not None and sealed.trusted,
            start=_moment(row["start"]),
            quarantined=bool(row["quarantined"]),
        )


def _moment(text: str | None) -> datetime | None:
    return None if text is None else unstamp(text)


def _confirmed(conn: sqlite3.Connection, file: File) -> dict[DestinationName, Proof]:
    rows = conn.execute(
        "SELECT destination, proof FROM transfer JOIN destination"
        " ON name = destination WHERE file = ? AND state = 'confirmed'"
        " AND sha256 = ? AND proof IS NOT NULL AND transfer.failure IS NULL"
        " AND configured = 1",
        (file.id, file.copy_sha256),
    )
    return {DestinationName(row["destination"]): Proof(row["proof"]) for row in rows}


def _whole(conn: sqlite3.Connection, docking: DockingId, name: DestinationName) -> bool:
    """Whether its seal is confirmed there, and nothing of it is anything else."""
    row = conn.execute(
        "SELECT min(state = 'confirmed' AND failure IS NULL) AS all_of_it,"
        " max(file IS NULL AND path LIKE '%/' || ?) AS seal FROM transfer"
        " WHERE docking = ? AND destination = ?",
        (SIGNATURE, docking, name),
    ).fetchone()
    return bool(row["all_of_it"]) and bool(row["seal"])
