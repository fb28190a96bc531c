"""Which files an export is of: ids, as `recordings` prints them, to copies."""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from dock_agent.errors import ConfigError
from dock_agent.recording import DockingId, DockingState, FileId, FileState, RecordingId
from dock_agent.store import dockings, files, recordings
from dock_agent.store.file import File

SAFE = {FileState.VERIFIED, FileState.HELD}


class NoSuchEvidence(ConfigError):
    """No recording, no file that is safe and no sealed docking has this id."""

    hint = "`dock-agent recordings --json` names all of them."


@dataclass(frozen=True, slots=True)
class Copy:
    """A file to export: whose it is, and where its bytes are below the vault.

    `holder` is the docking whose bag has them: an earlier one's, for a file that is
    held. `size` is the camera's; an encrypted copy is longer.
    """

    file: File
    holder: DockingId
    path: PurePosixPath


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is exported of one docking. `left_out`: entries that were never safe."""

    docking: DockingId
    copies: tuple[Copy, ...]
    whole: bool
    left_out: int


def chosen(conn: sqlite3.Connection, ids: Sequence[str]) -> list[Chosen]:
    """Return what the ids of recordings, files and dockings name, by docking.

    Raises `NoSuchEvidence` for an id of nothing, of a docking that is not sealed, or
    of a file that was never safe.
    """
    wanted: dict[DockingId, set[FileId] | None] = {}
    for ident in ids:
        docking, some = _named(conn, ident)
        if dockings.state(conn, docking) is not DockingState.SEALED:
            raise NoSuchEvidence(f"{ident}: docking {docking} is not sealed")
        before = wanted.setdefault(docking, set())
        wanted[docking] = None if some is None or before is None else before | some
    return [_of(conn, docking, some) for docking, some in sorted(wanted.items())]


def _named(
    conn: sqlite3.Connection, ident: str
) -> tuple[DockingId, set[FileId] | None]:
    """Return the docking an id is of, and its files; None is all of them."""
    if dockings.state(conn, DockingId(ident)) is not None:
        return DockingId(ident), None
    found = (
        [f for f in [files.find(conn, FileId(int(ident)))] if f is not None]
        if ident.isascii() and ident.isdigit() and len(ident) <= 18  # noqa: PLR2004  digits of 64 bits
        else [files.get(conn, f) for f in recordings.files(conn, RecordingId(ident))]
    )
    if not found:
        raise NoSuchEvidence(f"nothing has the id {ident}")
    for file in found:
        if file.state not in SAFE and ident == str(file.id):
            raise NoSuchEvidence(f"file {ident} is {file.state}")
    return found[0].docking, {file.id for file in found}


def _of(
    conn: sqlite3.Connection, docking: DockingId, some: set[FileId] | None
) -> Chosen:
    listed = files.of_docking(conn, docking)
    wanted = [file for file in listed if some is None or file.id in some]
    safe = [file for file in wanted if file.state in SAFE]
    if not safe:
        raise NoSuchEvidence(f"docking {docking} has no file that is safe")
    known = sum(file.state in SAFE for file in listed)
    copies = tuple(_copy(conn, file) for file in safe)
    return Chosen(docking, copies, len(safe) == known, len(wanted) - len(safe))


def _copy(conn: sqlite3.Connection, file: File) -> Copy:
    kept = file if file.held_by is None else files.get(conn, file.held_by)
    if kept.state is not FileState.VERIFIED:
        raise NoSuchEvidence(f"file {file.id}: what holds it is {kept.state}")
    bag = dockings.get(conn, kept.docking).bag
    return Copy(file, kept.docking, bag / "data" / kept.stored)
