"""The custody log in the vault: what the station knows outlives its database.

`custody/00000007.checkpoint` is the station's seventh checkpoint, as it was signed,
and `custody/00000007.jsonl` the lines that came in since the sixth. Neither ever
changes. All of them, one after another, are the log; nothing else of the database is
needed to make it anew (`dock-agent rebuild`).

Written by the agent, from what is committed: a line is here a minute after it was
written at the latest, that of a seal within seconds.
"""

import logging
import re
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dock_agent.custody import chain
from dock_agent.errors import CustodyError, NoRoom, VaultUnusable
from dock_agent.store import checkpoints, custody
from dock_agent.store.checkpoints import Kept
from dock_agent.store.db import transaction
from dock_agent.vault.bag import Sealer
from dock_agent.vault.disk import Disk, vault_errors
from dock_agent.vault.write import write_file

log = logging.getLogger(__name__)

STATION = "station"  # whose alarm it is, and not a destination's
FOLDER = "custody"
NAME = re.compile(r"[0-9]{8,}\.(?:jsonl|checkpoint)")


@dataclass(frozen=True, slots=True)
class Segment:
    """A checkpoint as the vault has it, and the lines that came in before it."""

    number: int
    note: str
    lines: tuple[str, ...]


def note_path(number: int) -> str:
    """Return where a checkpoint is, below the vault."""
    return f"{FOLDER}/{number:08d}.checkpoint"


def lines_path(number: int) -> str:
    """Return where the lines are that came in before it, below the vault."""
    return f"{FOLDER}/{number:08d}.jsonl"


def keep_up(conn: sqlite3.Connection, disk: Disk, root: Path) -> int:
    """Write what the vault has not yet; return how many checkpoints that is.

    One writer at a time: the agent that holds the vault. Raises `NoRoom`,
    `VaultUnusable`, and `CustodyError` where the vault has another log.
    """
    missing = list[Kept]()
    with vault_errors():
        for kept in checkpoints.newest(conn):
            note = root / note_path(kept.number)
            if disk.exists(note):
                _require(disk, note, kept.note.encode())
                break
            missing.append(kept)
        if missing:
            disk.make_directory(root / FOLDER)
        for kept in reversed(missing):
            text = _lines(conn, kept).encode()
            _put(disk, root / lines_path(kept.number), text)
            _put(disk, root / note_path(kept.number), kept.note.encode())
    return len(missing)


def tend(conn: sqlite3.Connection, sealer: Sealer, *, sign: bool) -> None:
    """Bring the vault up to date; with `sign`, first sign what is new in the log.

    Where the log is not the one that was signed, an alarm is raised, and nothing is
    written. A vault without room is brought up to date later. Raises what the store
    raises.
    """
    at = sealer.clock.now()
    try:
        if sign:
            with transaction(conn):
                checkpoints.make(conn, sealer.station, sealer.key, at)
        keep_up(conn, sealer.disk, sealer.root)
    except (NoRoom, VaultUnusable) as error:
        log.info("the custody log is not in the vault yet: %s", error)
    except CustodyError as error:
        with transaction(conn):
            new = checkpoints.alarm(conn, STATION, str(error), at)
        if new:
            log.exception("the custody log is not what was signed")


def segments(disk: Disk, root: Path) -> Iterator[Segment]:
    """Yield what the vault has of the log, in order; nothing of it is checked yet.

    Raises `CustodyError` where a file is missing, is not text, or cannot be read.
    """
    with vault_errors():
        names = [path.name for path in disk.listing(root / FOLDER)]
    numbers = {int(name.partition(".")[0]) for name in names if NAME.fullmatch(name)}
    for number in range(1, max(numbers, default=0) + 1):
        lines = chain.split(_text(disk, root / lines_path(number)))
        if number == max(numbers) and f"{number:08d}.checkpoint" not in names:
            return  # it was being written: what came before it is whole
        yield Segment(number, _text(disk, root / note_path(number)), tuple(lines))


def check(conn: sqlite3.Connection, disk: Disk, root: Path) -> None:
    """Hold the vault's log against the database's; both were signed.

    Raises `CustodyError` where one has what the other has not, or it differs: a
    database that is older than the vault, or was made anew, shows here.
    """
    known = {kept.number: kept for kept in checkpoints.newest(conn)}
    for segment in segments(disk, root):
        kept = known.get(segment.number)
        if kept is None:
            raise CustodyError(
                f"the vault has checkpoint {segment.number} of the log, and the"
                " database has not: it is older, or another one"
            )
        lines = _lines(conn, kept)
        told = "".join(f"{line}\n" for line in segment.lines)
        if (segment.note, told) != (kept.note, lines):
            raise CustodyError(
                f"the vault and the database differ in checkpoint {segment.number}"
            )


def _lines(conn: sqlite3.Connection, kept: Kept) -> str:
    before = next(checkpoints.newest(conn, below=kept.number), None)
    first = 1 if before is None else before.size + 1
    return "".join(f"{line}\n" for line in custody.every(conn, first, kept.size))


def _put(disk: Disk, path: Path, content: bytes) -> None:
    """Write a file that may be there already, by an agent that ended midway."""
    if disk.exists(path):
        _require(disk, path, content)
    else:
        write_file(disk, path, content)


def _require(disk: Disk, path: Path, content: bytes) -> None:
    if disk.read(path) != content:
        raise CustodyError(f"{path.name} in the vault is not of this log")


def _text(disk: Disk, path: Path) -> str:
    try:
        return disk.read(path).decode()
    except OSError as error:
        raise CustodyError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise CustodyError(f"{path}: is not text") from error
