"""Look at everything a station stands on, without changing any of it."""

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec

from dock_agent.bays.rules import INSTALLED, rules
from dock_agent.clock import SystemClock
from dock_agent.config import Config
from dock_agent.custody.timestamp import authorities
from dock_agent.custody.timestamp import verify as stamped
from dock_agent.durations import size_words
from dock_agent.errors import ConfigError, DockError, StoreError
from dock_agent.recording import DestinationName, ReadBack
from dock_agent.store import timestamps
from dock_agent.store.db import reading, require_whole
from dock_agent.sync.open import open_destination
from dock_agent.vault import journal, reached
from dock_agent.vault.probe import how_read_back
from dock_agent.vault.real import RealDisk

LATE = timedelta(days=1)  # without a time stamp, beyond the interval
WRITE_RULES = (
    "write it as root with `dock-agent bays udev`, then `udevadm control --reload`,"
    " and dock the cameras again"
)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    what: str
    ok: bool
    detail: str


def examine(config: Config, installed: Path = Path(INSTALLED)) -> list[Finding]:
    """Return what was found; a finding that is not ok says what to do.

    `installed` is where udev has the rules of this station.
    """
    looks: list[tuple[str, Callable[[Config], str]]] = [
        ("vault", _vault),
        ("database", _database),
        ("clock", _clock),
        *([("time authority", _timestamps)] if config.timestamp else []),
        *([("udev rules", _rules(installed))] if config.ports() else []),
        *((f"bay {bay.name}", _bay(bay.name)) for bay in config.bays),
        *((f"destination {d.name}", _destination(d.name)) for d in config.destinations),
    ]
    return list(_found(config, looks))


def _found(
    config: Config, looks: list[tuple[str, Callable[[Config], str]]]
) -> Iterator[Finding]:
    for what, look in looks:
        try:
            yield Finding(what=what, ok=True, detail=look(config))
        except (DockError, OSError) as error:
            yield Finding(what=what, ok=False, detail=str(error))


def _vault(config: Config) -> str:
    disk, root = RealDisk(), config.vault_path
    if not root.is_dir():
        raise StoreError(f"{root} is not there yet; the agent makes it at its start")
    method = how_read_back(disk, root)
    free = disk.free(root) - config.vault.reserve_bytes
    if free <= 0:
        raise StoreError(f"{root} is full, {-free} bytes into its reserve")
    if method is ReadBack.CACHED:
        raise StoreError(f"{root} cannot be read back past the cache: use a local disk")
    return f"{root}, {size_words(free)} to fill, read back {method}"


def _database(config: Config) -> str:
    with reading(config.store_path) as conn:
        require_whole(conn)
        head = journal.check(conn, RealDisk(), config.vault_path)
        told = reached.behind(RealDisk(), config.vault_path, conn) if head.seq else None
    if told is not None:
        raise StoreError(
            f"{told}, so nothing is erased: if it was restored from a backup, order"
            " again what is on hold, then say so with `dock-agent hold accept`"
        )
    return f"{config.store_path} sound, custody log whole, {head.seq} lines"


def _clock(config: Config) -> str:
    del config
    if not SystemClock().now().trusted:
        raise StoreError("not synchronised: times in the custody log are marked so")
    return "synchronised"


def _timestamps(config: Config) -> str:
    """Hold every stamp against its checkpoint; say where none came for long."""
    if config.timestamp is None:
        return "none"
    roots = authorities(config.resolve(config.timestamp.ca_file))
    with reading(config.store_path) as conn:
        timestamps.check(conn, lambda token, note: stamped(token, note, roots))
        last = next(timestamps.newest(conn), None)
        waits = timestamps.waiting(conn)
    late = LATE + timedelta(seconds=config.timestamp.interval_s)
    if waits and (not last or SystemClock().now().utc - last.kept_at > late):
        raise StoreError(
            f"checkpoint {waits.number} has no time stamp, nor one in the last"
            f" {late.days} days; the log of `dock-agent sync` says why"
        )
    if last is None:
        return "no checkpoint yet"
    seen = stamped(last.token, last.note, roots)
    return f"checkpoint {last.number} was there at {seen}"


def _rules(installed: Path) -> Callable[[Config], str]:
    """Return a look at what udev has: other bays than ours would be mounted, or none.

    What udev was told when the file was written last, nobody can ask it.
    """

    def look(config: Config) -> str:
        try:
            found = installed.read_text("utf-8")
        except FileNotFoundError:
            raise ConfigError(f"{installed} is not there; {WRITE_RULES}") from None
        except UnicodeDecodeError:
            found = ""
        if found != rules(config.ports(), erases=config.release.erase != "never"):
            raise ConfigError(
                f"{installed} is not what goes with this configuration; {WRITE_RULES}"
            )
        return f"{installed} goes with this configuration"

    return look


def _bay(name: str) -> Callable[[Config], str]:
    def look(config: Config) -> str:
        bay = next(bay for bay in config.bays if bay.name == name)
        if bay.folder is None:
            return f"USB port {bay.port}"
        folder = config.resolve(bay.folder)
        if not folder.is_dir():
            raise StoreError(f"there is no directory {folder}")
        return str(folder)

    return look


def _destination(name: str) -> Callable[[Config], str]:
    def look(config: Config) -> str:
        table = config.destination(DestinationName(name))
        with closing(open_destination(config, table, SystemClock())) as destination:
            return destination.check()

    return look
