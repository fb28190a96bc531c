"""Check what the station holds: bags, rows, and the custody log."""

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from dock_agent.config import Config
from dock_agent.custody.manifest import KEY_LABEL, labels
from dock_agent.custody.signing import PublicKey, load
from dock_agent.custody.timestamp import authorities
from dock_agent.custody.timestamp import verify as stamped
from dock_agent.errors import CustodyError, NoSuchDocking
from dock_agent.recording import Digest, DockingId
from dock_agent.store import dockings, station, timestamps
from dock_agent.store.db import reading, require_whole
from dock_agent.store.dockings import Docking
from dock_agent.vault import journal
from dock_agent.vault.real import RealDisk
from dock_agent.vault.verify import Failure, Result, verify_bag
from dock_agent.vault.verify_rows import expired, verify_rows


class Verified(msgspec.Struct, frozen=True, kw_only=True):
    """What was found, as `--json` prints it."""

    checked: int
    ok: int
    failed: tuple[Failure, ...]
    custody: str


def verify(
    config: Config, wanted: Sequence[str], show: Callable[[int, int], None]
) -> Verified:
    """Check the dockings named (all of them if none is), and the custody log.

    `show` hears how many dockings are done, of how many.

    Raises `NoSuchDocking` for one that is not sealed or not known, and
    `StoreDamaged` where the database could keep some from being seen.
    """
    disk, whole, seen = RealDisk(), Result(), dict[Path, Digest | None]()
    with reading(config.store_path) as conn:
        require_whole(conn)
        chosen, keys = _chosen(conn, wanted), _Keys(conn, config)
        for number, docking in enumerate(chosen, 1):
            bag = config.vault_path / docking.bag
            for part in (
                verify_bag(disk, bag, docking.id, keys.of(bag), expired(conn, docking)),
                verify_rows(conn, disk, config.vault_path, docking, seen),
            ):
                whole.checked += part.checked
                whole.ok += part.ok
                whole.failed += [
                    Failure(f"{docking.id}/{f.id}", f.reason) for f in part.failed
                ]
            show(number, len(chosen))
        if not wanted:
            whole.failed += _unknown(conn, config.vault_path)
        told = _custody(conn, config)
    return Verified(
        checked=whole.checked, ok=whole.ok, failed=tuple(whole.failed), custody=told
    )


class _Keys:
    """The keys that dockings were signed with; of each bag, the one it names."""

    def __init__(self, conn: sqlite3.Connection, config: Config) -> None:
        self._known = station.keys(conn)
        now = self._known.get(station.signs_with(conn) or "")
        self._now = load(config.signing_path).public if now is None else now

    def of(self, bag: Path) -> PublicKey:
        """Return it, or the present one: then the check says what is wrong."""
        try:
            info = labels((bag / "bag-info.txt").read_text("utf-8"))
        except (OSError, ValueError):
            info = {}
        return self._known.get(info.get(KEY_LABEL, ""), self._now)


def _chosen(conn: sqlite3.Connection, wanted: Sequence[str]) -> list[Docking]:
    known = {docking.id: docking for docking in dockings.sealed(conn)}
    if not wanted:
        return list(known.values())
    unknown = [ident for ident in wanted if ident not in known]
    if unknown:
        raise NoSuchDocking(f"no sealed docking is called {unknown[0]}")
    return [known[DockingId(ident)] for ident in wanted]


def _unknown(conn: sqlite3.Connection, root: Path) -> list[Failure]:
    """Return the bags that no docking of the database has: nobody sends or shows them.

    The vault is listed first: a docking has its row before it has its bag.
    """
    there = (bag.relative_to(root) for bag in root.glob("dockings/*/*/*/*/*"))
    raw = sorted(map(os.fsencode, there))
    named = [name.decode("utf-8", "backslashreplace") for name in raw]
    return [
        Failure(bag, "is in the vault, and the database does not know it")
        for bag in named
        if dockings.state(conn, DockingId(bag.rpartition("/")[2])) is None
    ]


def _custody(conn: sqlite3.Connection, config: Config) -> str:
    try:
        journal.check(conn, RealDisk(), config.vault_path)
        if config.timestamp is not None:
            roots = authorities(config.resolve(config.timestamp.ca_file))
            timestamps.check(conn, lambda token, note: stamped(token, note, roots))
    except CustodyError as error:
        return str(error)
    return "ok"
