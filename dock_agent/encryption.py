"""Turn encryption to recipients on, by the configuration; and off, by an order only."""

import sqlite3
from pathlib import Path

from dock_agent.clock import Clock, ulid
from dock_agent.config import Config
from dock_agent.custody.memory import TurnedOn
from dock_agent.custody.recipients import PROFILES, NoOrder, order, parse, signer
from dock_agent.errors import ConfigError
from dock_agent.store import encryption
from dock_agent.store.db import transaction
from dock_agent.store.encryption import Encryption, EncryptionMissing


def recipients(config: Config) -> tuple[bytes, ...]:
    """Return the public files of those to whom this station encrypts; none: to nobody.

    Raises `ConfigError` for a file that is none, or not of the profile.
    """
    if config.encryption is None:
        return ()
    kind = PROFILES[config.encryption.profile]
    found: dict[str, bytes] = {}
    for name in config.encryption.recipients:
        path = config.resolve(name)
        try:
            pem = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"recipient {path}: {error.strerror}") from error
        one = parse(pem)
        if one.kind != kind:
            raise ConfigError(
                f"recipient {path} is {one.kind}; profile"
                f" `{config.encryption.profile}` wants {kind}"
            )
        if one.id in found:
            raise ConfigError(f"recipient {path} is named twice")
        found[one.id] = pem
    return tuple(found.values())


def begin(
    conn: sqlite3.Connection, given: tuple[bytes, ...], clock: Clock
) -> tuple[bytes, ...]:
    """Turn it on where it is configured and was not; return what was given.

    Raises `EncryptionMissing` where it is on, and the configuration lacks it or one
    of those it was turned on for.
    """
    encryption.require_recipients(conn, given)
    if given and encryption.get(conn) is None:
        told = Encryption(ulid(clock), tuple(pem.decode("ascii") for pem in given))
        with transaction(conn):
            encryption.turn_on(conn, told, clock.now())
    return given


def again(conn: sqlite3.Connection, given: tuple[bytes, ...], told: TurnedOn) -> None:
    """Have a rebuilt database remember that it is on, by what the log says of it.

    The log has the recipients' ids alone: raises `EncryptionMissing` unless all of
    them are given.
    """
    known = {parse(pem).id: pem.decode("ascii") for pem in given}
    missing = sorted(told.recipients - known.keys())
    if missing:
        raise EncryptionMissing(f"not encrypted to {', '.join(missing)}")
    pems = tuple(pem for ident, pem in known.items() if ident in told.recipients)
    encryption.remember(conn, Encryption(told.since, pems))


def to_sign(config: Config, conn: sqlite3.Connection) -> bytes:
    """Return the text of an order that ends it. Raises `NoOrder` where it is off."""
    known = encryption.get(conn)
    if known is None:
        raise NoOrder("this station does not encrypt")
    return order(config.station.id, known.since)


def end(config: Config, conn: sqlite3.Connection, file: Path, clock: Clock) -> str:
    """Turn it off by a signed order; return whose. Raises `NoOrder`, `ConfigError`."""
    try:
        told = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"order {file}: {error.strerror}") from error
    with transaction(conn):
        expected, known = to_sign(config, conn), encryption.get(conn)
        pems = () if known is None else known.recipients
        by = signer(told, expected, [parse(pem.encode()) for pem in pems])
        encryption.turn_off(conn, told.decode("ascii"), f"recipient {by}", clock.now())
    return by
