"""Check what the station holds: bags, rows, and the custody log."""

import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from dock_agent.config import Config
from dock_agent.custody.signing import load
from dock_agent.errors import ConfigError, CustodyError
from dock_agent.recording import DockingId
from dock_agent.store import custody, dockings
from dock_agent.store.db import reading
from dock_agent.store.dockings import Docking
from dock_agent.vault.real import RealDisk
from dock_agent.vault.verify import Failure, Result, verify_bag, verify_rows


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

    Raises `ConfigError` for a docking that is not sealed or not known.
    """
    key = load(config.signing_path).public
    disk, whole = RealDisk(), Result()
    with reading(config.store_path) as conn:
        chosen = _chosen(conn, wanted)
        for number, docking in enumerate(chosen, 1):
            bag = config.vault_path / docking.bag
            for part in (
                verify_bag(disk, bag, docking.id, key),
                verify_rows(conn, disk, config.vault_path, docking),
            ):
                whole.checked += part.checked
                whole.ok += part.ok
                whole.failed += [
                    Failure(f"{docking.id}/{f.id}", f.reason) for f in part.failed
                ]
            show(number, len(chosen))
        told = _custody(conn)
    return Verified(
        checked=whole.checked, ok=whole.ok, failed=tuple(whole.failed), custody=told
    )


def _chosen(conn: sqlite3.Connection, wanted: Sequence[str]) -> list[Docking]:
    known = {docking.id: docking for docking in dockings.sealed(conn)}
    if not wanted:
        return list(known.values())
    unknown = [ident for ident in wanted if ident not in known]
    if unknown:
        raise ConfigError(f"no sealed docking is called {unknown[0]}")
    return [known[DockingId(ident)] for ident in wanted]


def _custody(conn: sqlite3.Connection) -> str:
    try:
        custody.check(conn)
    except CustodyError as error:
        return str(error)
    return "ok"
