"""The custody log in the vault: what the station knows outlives its database.

`custody/000/00000007.checkpoint` is the station's seventh checkpoint, as it was
signed, and `custody/000/00000007.jsonl` the lines that came in since the sixth.
Neither ever changes. A folder has a thousand of them. All of them, one after another,
are the log; nothing else of the database is needed to make it anew
(`dock-agent rebuild`).

Written by the agent, from what is committed: a line is here five minutes after it was
written at the latest, that of a seal within seconds.
"""

import logging
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dock_agent.custody import chain
from dock_agent.custody.chain import Head
from dock_agent.errors import CustodyError, NoRoom, VaultUnusable
from dock_agent.store import alarms, checkpoints, custody, timestamps
from dock_agent.store.checkpoints import Kept
from dock_agent.store.db import transaction
from dock_agent.store.timestamps import Stamp
from dock_agent.vault.bag import Sealer
from dock_agent.vault.disk import Disk, vault_errors
from dock_agent.vault.write import write_file

log = logging.getLogger(__name__)

STATION = "station"  # whose alarm it is, and not a destination's
FOLDER = "custody"
EACH = 1000  # checkpoints in a folder: years of them make no directory slow
THOUSAND = re.compile(r"[0-9]{3,5}")
NAME = re.compile(r"[0-9]{8}\.(?:jsonl|checkpoint)")


@dataclass(frozen=True, slots=True)
class Segment:
    """A checkpoint as the vault has it, and the lines that came in before it."""

    number: int
    note: str
    lines: tuple[str, ...]


def note_path(number: int) -> str:
    """Return where a checkpoint is, below the vault."""
    return f"{_folder(number)}/{number:08d}.checkpoint"


def lines_path(number: int) -> str:
    """Return where the lines are that came in before it, below the vault."""
    return f"{_folder(number)}/{number:08d}.jsonl"


def stamp_path(number: int) -> str:
    """Return where a checkpoint's time stamp is, if it has one, below the vault."""
    return f"{_folder(number)}/{number:08d}.tsr"


def stamp(disk: Disk, root: Path, number: int) -> bytes | None:
    """Return the time stamp that the vault has of a checkpoint, if it has one."""
    path = root / stamp_path(number)
    with vault_errors():
        return disk.read(path) if disk.exists(path) else None


def keep_up(conn: sqlite3.Connection, disk: Disk, root: Path) -> int:
    """Write what the vault has not yet; return how many checkpoints that is.

    One writer at a time: the agent that holds the vault. Raises `NoRoom`,
    `VaultUnusable`, and `CustodyError` where the vault has another log.
    """
    count = 0
    with vault_errors():
        last = _kept_up(conn, disk, root)
        number, size = (0, 0) if last is None else (last.number, last.size)
        for kept in checkpoints.oldest(conn, above=number):
            lines = custody.every(conn, size + 1, kept.size)
            disk.make_directory(root / _folder(kept.number))
            _put(disk, root / lines_path(kept.number), _text_of(lines))
            _put(disk, root / note_path(kept.number), kept.note.encode())
            size, count = kept.size, count + 1
        _keep_stamps(conn, disk, root)
    return count


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
            new = alarms.alarm(conn, STATION, str(error), at)
        if new:
            log.exception("the custody log is not what was signed")


def segments(disk: Disk, root: Path) -> Iterator[Segment]:
    """Yield what the vault has of the log, in order; nothing of it is checked yet.

    Raises `CustodyError` where a file is missing, is not text, or cannot be read.
    """
    for number in range(1, last(disk, root) + 1):
        yield segment(disk, root, number)


def segment(disk: Disk, root: Path, number: int) -> Segment:
    """Return one part of the log; raise as `segments`."""
    lines = chain.split(_text(disk, root / lines_path(number)))
    return Segment(number, _text(disk, root / note_path(number)), tuple(lines))


def last(disk: Disk, root: Path) -> int:
    """Return the number of the vault's last checkpoint; 0 without any.

    One that was just being written does not count: what came before it is whole.
    Raises `VaultUnusable`.
    """
    with vault_errors():
        folders = [n for n in disk.names(root / FOLDER) if THOUSAND.fullmatch(n)]
        for folder in sorted(folders, key=int, reverse=True):
            names = set(disk.names(root / FOLDER / folder))
            found = max((n for n in names if NAME.fullmatch(n)), default=None)
            if found is not None:
                number = int(found.partition(".")[0])
                return number - (f"{number:08d}.checkpoint" not in names)
    return 0


def check(conn: sqlite3.Connection, disk: Disk, root: Path) -> Head:
    """Read the log once, as the database and the vault have it; return its last line.

    Raises `CustodyError` where it does not hold together (`checkpoints.check`), and
    where one has what the other has not, or they differ: a database that is older
    than the vault, or was made anew, shows here.
    """
    there = last(disk, root)  # looked for first: the database is ahead of the vault
    number, unstamped = 0, 0

    def seen(kept: Kept, lines: Sequence[str]) -> None:
        nonlocal number, unstamped
        number = kept.number
        if number > there:
            return
        found = segment(disk, root, number)
        if (found.note, found.lines) != (kept.note, tuple(lines)):
            raise CustodyError(
                f"the vault and the database differ in checkpoint {number}"
            )
        ours, its = timestamps.token_of(conn, number), stamp(disk, root, number)
        if its is None:
            unstamped = number if ours is not None else unstamped
        elif its != ours or unstamped:  # the last ones may still have to be written
            raise CustodyError(
                "the vault and the database differ in the time stamp of checkpoint"
                f" {unstamped or number}"
            )

    head = checkpoints.check(conn, seen)
    if number < there:
        raise CustodyError(
            f"the vault has checkpoint {number + 1} of the log, and the database has"
            " not: it is older, or another one"
        )
    return head


def _folder(number: int) -> str:
    return f"{FOLDER}/{number // EACH:03d}"


def _kept_up(conn: sqlite3.Connection, disk: Disk, root: Path) -> Kept | None:
    """Return the last checkpoint that the vault has; it has to be ours."""
    for kept in checkpoints.newest(conn):
        note = root / note_path(kept.number)
        if disk.exists(note):
            _require(disk, note, kept.note.encode())
            return kept
    return None


def _keep_stamps(conn: sqlite3.Connection, disk: Disk, root: Path) -> None:
    missing = list[Stamp]()
    for one in timestamps.newest(conn):
        if disk.exists(root / stamp_path(one.number)):
            _require(disk, root / stamp_path(one.number), one.token)
            break
        missing.append(one)
    for one in reversed(missing):
        write_file(disk, root / stamp_path(one.number), one.token)


def _text_of(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


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
