"""Make the database anew from the vault alone, once it is lost.

The log comes first: every line that the vault has, held against its links and its
checkpoints; the last of these has to be signed by a key that is trusted from
elsewhere, and vouches for all lines before it. What the log says was sealed is then
read again from the medium, file by file: only what is still what was signed counts as
verified. Nothing counts as confirmed: all of it is queued, and where a destination
has it already, it proves that again.

What came after the last checkpoint is lost: five minutes, at most. Where the vault saw
an order or an erase since (`vault/reached.py`), that is said, and nothing is erased
until a person says that every order is known again (`hold accept`).
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from dock_agent import encryption
from dock_agent.clock import SystemClock
from dock_agent.config import Config
from dock_agent.custody import chain, memory, merkle
from dock_agent.custody.chain import Event
from dock_agent.custody.checkpoint import of_lines, origin, read
from dock_agent.custody.signing import PublicKey, load
from dock_agent.custody.timestamp import authorities
from dock_agent.custody.timestamp import verify as stamped
from dock_agent.errors import ConfigError, CustodyError, NotAllowed, VaultUnusable
from dock_agent.opened import forget_derived
from dock_agent.rebuilt_rows import Rows
from dock_agent.recording import DestinationName
from dock_agent.store import (
    checkpoints,
    custody,
    destinations,
    restore,
    station,
    timestamps,
)
from dock_agent.store.checkpoints import Kept
from dock_agent.store.db import connect, require_one_file, transaction
from dock_agent.sync.backfill import backfill
from dock_agent.sync.place import place_of
from dock_agent.vault import journal, lock, reached
from dock_agent.vault.journal import Segment
from dock_agent.vault.layout import MARKER
from dock_agent.vault.real import RealDisk

MOST = 100  # failures that the custody log lists
BESIDE = ("-journal", "-shm", "-wal")  # what SQLite has beside a database


class DatabaseThere(NotAllowed):
    """There is a database already: none is made in its place."""

    hint = (
        "If it is damaged, stop the agent and move it away first, with what is called"
        " as it is and ends in -wal, -shm or -journal; keep all of them."
    )


class NoLog(CustodyError):
    """The vault has no custody log to begin from."""

    hint = "Is [vault] path the right one? The log is in its directory `custody`."


class Rebuilt(msgspec.Struct, frozen=True, kw_only=True):
    """What was restored, as `--json` prints it.

    `files` were read again and are what was signed; `failed` says of each thing that
    is not, or could not be read, what is wrong with it.
    """

    dockings: int
    files: int
    lines: int
    failed: tuple[str, ...]


def rebuild(
    config: Config, trusted: Sequence[Path], show: Callable[[int, int], None]
) -> Rebuilt:
    """Make the database of this configuration; there must be none.

    `trusted` are public keys besides the station's own, PEM. `show` hears how many
    dockings are done, of how many. Raises `DatabaseThere`, `ConfigError` without any
    key, `EncryptionMissing` where the log knows recipients that are not configured,
    `CustodyError` where it is not whole: no database is left then.
    """
    target, root = config.store_path, config.vault_path
    _require_gone(target)
    if not (root / MARKER).is_file():
        raise VaultUnusable(f"{root} is not a vault: its marker is missing")
    part = target.with_name(f"{target.name}.rebuilding")
    with lock.held(root):
        _remove(part)
        try:
            with closing(connect(part, create=True)) as conn:
                told = _Work(config, conn, _keys(config, trusted)).run(show)
                require_one_file(conn, part)
            forget_derived(config)
            _name(part, target)
        finally:
            _remove(part)
    return told


class _Work:
    """One rebuilding, into a database that has no name yet."""

    def __init__(
        self, config: Config, conn: sqlite3.Connection, keys: list[PublicKey]
    ) -> None:
        self._config, self._conn, self._trusted = config, conn, keys
        self._disk, self._root = RealDisk(), config.vault_path
        self._clock = SystemClock()

    def run(self, show: Callable[[int, int], None]) -> Rebuilt:
        known = memory.Memory()
        with transaction(self._conn):
            size = self._log(known)
        if not size:
            raise NoLog(f"nothing is in {self._root / journal.FOLDER}")
        rows = Rows(self._config, self._conn, self._clock, known)
        keys = self._trusted + rows.keys()
        self._signatures(keys)
        self._begin(keys, known)
        for number, ident in enumerate(sorted(known.dockings), 1):
            rows.restore(memory.recall(custody.lines(self._conn, ident)))
            show(number, len(known.dockings))
        told = reached.behind(self._disk, self._root, self._conn)
        if told is not None:
            rows.failed.append(f"{told}: orders to keep may be among what is lost")
        rows.failed += self._stamps()
        return self._end(rows, size)

    def _stamps(self) -> list[str]:
        """Return what is wrong with time stamps; they are kept as they are."""
        if self._config.timestamp is None:
            return []
        ca_file = self._config.resolve(self._config.timestamp.ca_file)
        try:
            roots = authorities(ca_file)
        except CustodyError as error:
            return [str(error)]
        return list(timestamps.wrong(self._conn, lambda t, n: stamped(t, n, roots)))

    def _log(self, known: memory.Memory) -> int:
        """Write the log as the vault has it, and listen; return how long it is.

        It is read once: each line follows the one before it, and each checkpoint is
        of the lines so far. Who signed that is asked when the keys are known.
        """
        growing, walk, at = merkle.Growing(), chain.Walk(), self._clock.now()
        for number in range(1, journal.last(self._disk, self._root) + 1):
            segment = self._segment(number, growing.size)
            for line in segment.lines:
                known.hear(walk.hear(line))
                growing.add(line.encode())
            restore.lines(self._conn, segment.lines)
            told = of_lines(segment.note)
            if (told.size, told.root) != (growing.size, growing.root()):
                raise CustodyError(
                    f"checkpoint {segment.number} in the vault is of other lines"
                )
            kept = Kept(segment.number, told.size, segment.note)
            checkpoints.keep(self._conn, kept, at)
            token = journal.stamp(self._disk, self._root, segment.number)
            if token is not None:
                timestamps.keep(self._conn, segment.number, token, at)
        return growing.size

    def _segment(self, number: int, known: int) -> Segment:
        """Return a part of the log; raise `CustodyError` that says what is lost."""
        try:
            return journal.segment(self._disk, self._root, number)
        except CustodyError as error:
            raise CustodyError(
                f"the log is whole up to line {known}; what came in between that and"
                f" checkpoint {number} cannot be read: {error}"
            ) from error

    def _signatures(self, keys: list[PublicKey]) -> None:
        """Require that each checkpoint was signed; the last by a trusted key."""
        last = checkpoints.last(self._conn)
        for kept in checkpoints.oldest(self._conn):
            name, known = kept.note.partition("\n")[0], keys
            if kept == last:
                name, known = origin(self._config.station.id), self._trusted
            read(kept.note, known, name)

    def _begin(self, keys: list[PublicKey], known: memory.Memory) -> None:
        vault = lock.identity(self._disk, self._root, self._clock, None)
        with transaction(self._conn) as conn:
            station.set_vault_id(conn, vault)
            for key in reversed(keys):  # the first, which is the station's own, last
                station.sign_with(conn, key)
            if known.encryption is not None:
                encryption.again(
                    conn, encryption.recipients(self._config), known.encryption
                )
            for table in self._config.destinations:
                name = DestinationName(table.name)
                place = place_of(self._config, table)()
                destinations.ensure(conn, name, table.kind, place)
                if name in known.markers:
                    restore.marker(conn, name, known.markers[name])

    def _end(self, rows: Rows, lines: int) -> Rebuilt:
        at = self._clock.now()
        for table in self._config.destinations:
            backfill(self._conn, self._root, DestinationName(table.name), at)
        facts = {
            "lines": lines,
            "dockings": rows.dockings,
            "files": rows.files,
            "failed": len(rows.failed),
            "such_as": rows.failed[:MOST],
        }
        with transaction(self._conn) as conn:
            rows.holds(conn)
            rows.terms(conn)
            custody.append(conn, Event("rebuilt", facts=facts), at)
        return Rebuilt(
            dockings=rows.dockings,
            files=rows.files,
            lines=lines,
            failed=tuple(rows.failed),
        )


def _keys(config: Config, trusted: Sequence[Path]) -> list[PublicKey]:
    """Return the keys that a person vouches for: the station's own first."""
    found = []
    if config.signing_path.exists():
        found.append(load(config.signing_path).public)
    for path in trusted:
        try:
            found.append(PublicKey.from_pem(path.read_bytes()))
        except (OSError, CustodyError) as error:
            raise ConfigError(f"{path}: {error}") from error
    if not found:
        raise ConfigError(
            f"the signing key {config.signing_path} is gone; name its public key,"
            " which is in every bag and every export, with --trust"
        )
    return found


def _require_gone(target: Path) -> None:
    """Refuse what is there of a database: SQLite would play its log into ours."""
    for ending in ("", *BESIDE):
        left = target.with_name(target.name + ending)
        if left.exists():
            raise DatabaseThere(f"{left} is there")


def _name(part: Path, target: Path) -> None:
    """Give the database its name; one that came meanwhile is left as it is."""
    try:
        target.hardlink_to(part)
    except FileExistsError as error:
        raise DatabaseThere(f"{target} is there") from error
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _remove(part: Path) -> None:
    for ending in ("", *BESIDE):
        part.with_name(part.name + ending).unlink(missing_ok=True)
