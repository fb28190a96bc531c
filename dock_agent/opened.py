"""Open the vault and the store for one process alone, and recover what was undone.

Shared by the agent and by `import`, which needs them without the bays.
"""

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from dock_agent import encryption
from dock_agent.clock import Clock
from dock_agent.config import Config
from dock_agent.custody.chain import Event
from dock_agent.errors import StoreError, StoreOutOfReach
from dock_agent.keys import signing_key
from dock_agent.offload.recover import recover
from dock_agent.recording import DestinationName
from dock_agent.store import configured, custody, destinations, station
from dock_agent.store.db import connect, transaction
from dock_agent.sync.place import place_of
from dock_agent.vault import journal, lock, reached
from dock_agent.vault.bag import Sealer
from dock_agent.vault.probe import require_medium
from dock_agent.vault.real import RealDisk

log = logging.getLogger(__name__)


class StoreLost(StoreError):
    """The station's database is gone, and its vault has a custody log."""

    hint = (
        "`dock-agent rebuild` makes it anew. Where that cannot be, move `custody` out"
        " of the vault and keep it: then the agent begins another one."
    )


@dataclass(frozen=True, slots=True)
class Opened:
    """The vault and the store, held by this process alone."""

    config: Config
    conn: sqlite3.Connection
    sealer: Sealer
    recipients: tuple[bytes, ...] = ()  # to whom everything is encrypted

    def connect(self) -> sqlite3.Connection:
        """Open the store once more, for another thread."""
        return connect(self.config.store_path)


@contextmanager
def opened(config: Config, clock: Clock) -> Iterator[Opened]:
    """Open and hold the vault and the store, and recover what was left undone.

    Raises `VaultUnusable`, `AlreadyRunning`, `EncryptionMissing`, `StoreLost`, and
    what the store raises.
    """
    disk, root = RealDisk(), config.vault_path
    _parent_of_store(config)
    if root.is_dir() and not config.store_path.exists():
        _make_store(config)
    with closing(connect(config.store_path, create=True)) as conn:
        known = station.vault_id(conn)
        if known is None:
            lock.make(disk, root)
        with lock.held(root):
            found = lock.identity(disk, root, clock, known)
            if config.vault.cached == "refuse":
                require_medium(disk, root)
            key = signing_key(config, conn)
            to = encryption.begin(conn, encryption.recipients(config), clock)
            names = tuple(DestinationName(d.name) for d in config.destinations)
            within = RealDisk(within=root)
            sealer = Sealer(within, root, key, clock, config.station.id, names)
            started = Event("started", facts={"station": config.station.id})
            with transaction(conn):
                station.set_vault_id(conn, found)
                station.sign_with(conn, key.public)
                for destination in config.destinations:
                    name = DestinationName(destination.name)
                    place = place_of(config, destination)()
                    destinations.ensure(conn, name, destination.kind, place)
                configured.tell(conn, names, clock.now())
                custody.append(conn, started, clock.now())
            reached.note(within, root, conn)
            summary = recover(conn, sealer)
            log.info("recovery done %s", summary)
            journal.tend(conn, sealer, sign=True)
            yield Opened(config, conn, sealer, to)
            journal.tend(conn, sealer, sign=True)


def forget_derived(config: Config) -> None:
    """Remove what was derived: it is called by numbers that a new database gives anew.

    It can be made again. Raises `StoreOutOfReach`.
    """
    folder = config.derived_path
    try:
        if folder.exists():
            shutil.rmtree(folder)
    except OSError as error:
        raise StoreOutOfReach(f"{folder} cannot be removed: {error}") from error


def _make_store(config: Config) -> None:
    """Make the database of a vault that is there, unless it had one."""
    path, root = config.store_path, config.vault_path
    with lock.held(root):  # whoever has it may be making the database anew
        if (root / journal.FOLDER).is_dir():
            raise StoreLost(f"{path} is gone, and {root} has a custody log")
        forget_derived(config)
        connect(path, create=True).close()


def _parent_of_store(config: Config) -> None:
    folder = config.store_path.parent
    if not folder.is_dir():
        raise StoreError(f"there is no directory {folder} for the database")
