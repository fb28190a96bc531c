"""Which key the station signs with: one at a time, never exchanged in silence."""

import os
import sqlite3
from pathlib import Path

from dock_agent.clock import Clock
from dock_agent.config import Config
from dock_agent.custody.chain import Event
from dock_agent.custody.signing import PublicKey, SigningKey, load, load_or_make
from dock_agent.errors import ConfigError
from dock_agent.store import custody, station
from dock_agent.store.db import transaction


class KeyChanged(ConfigError):
    """The signing key is not the one this station signs with."""

    hint = "Put the right key back, or begin a new one with `dock-agent keys new`."


def signing_key(config: Config, conn: sqlite3.Connection) -> SigningKey:
    """Return the key to sign with; make it at the first start.

    Raises `KeyChanged` where another key, or none, stands in its place.
    """
    path, known = config.signing_path, station.signs_with(conn)
    if known is None:
        return load_or_make(path)
    if not path.exists():
        raise KeyChanged(f"the signing key {path} is gone; it was {known}")
    key = load(path)
    if key.id != known:
        raise KeyChanged(f"the signing key {path} is {key.id}, not {known}")
    return key


def begin_new(config: Config, conn: sqlite3.Connection, clock: Clock) -> PublicKey:
    """Sign with another key from now on, and say so in the custody log.

    The key in the file is taken if it is new; one that was used until now is
    kept beside it, and a fresh one made. Raises `ConfigError`.
    """
    path, known = config.signing_path, station.signs_with(conn)
    if path.exists() and load(path).id == known:
        _keep(path, known)
    key = load_or_make(path).public
    facts = {"key": key.id, "before": known, "public": key.pem().decode()}
    with transaction(conn):
        station.sign_with(conn, key)
        custody.append(conn, Event("key changed", facts=facts), clock.now())
    return key


def _keep(path: Path, ident: str) -> None:
    kept = path.with_name(f"{path.name}.{ident}")
    try:
        if not (kept.exists() and kept.read_bytes() == path.read_bytes()):
            kept.hardlink_to(path)
        path.unlink()
        directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise ConfigError(f"signing key {path}: {error.strerror}") from error
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
