"""The station's configuration: one TOML file, strict, whole and frozen.

`docs/configuration.md` is generated from the types below.
"""

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from dock_agent.config_faults import UNIX, faults
from dock_agent.config_tables import (
    Bay,
    Cameras,
    Category,
    Destination,
    Encryption,
    Keys,
    Offload,
    Release,
    Retention,
    Station,
    Store,
    Sync,
    Table,
    Timestamp,
    Vault,
    Web,
    Window,
)
from dock_agent.errors import ConfigError, ConfigUnreadable
from dock_agent.recording import BayName, DestinationName

__all__ = [
    "Bay",
    "Cameras",
    "Category",
    "Config",
    "Destination",
    "Encryption",
    "Keys",
    "Offload",
    "Release",
    "Retention",
    "Station",
    "Store",
    "Sync",
    "Table",
    "Timestamp",
    "Vault",
    "Web",
    "Window",
    "load",
    "locate",
    "parse",
]

ENVIRONMENT = "DOCK_CONFIG"
DEFAULT = Path("/etc/dock-agent/dock-agent.toml")


class Config(Table, frozen=True):
    """The whole file."""

    station: Station
    vault: Vault
    store: Store
    bays: tuple[Bay, ...] = ()
    destinations: tuple[Destination, ...] = ()
    release: Release = Release()
    retention: Retention = Retention()
    categories: tuple[Category, ...] = ()
    cameras: Cameras = Cameras()
    offload: Offload = Offload()
    sync: Sync = Sync()
    web: Web = Web()
    keys: Keys = Keys()
    encryption: Encryption | None = None
    timestamp: Timestamp | None = None
    base: Annotated[
        str, Meta(description="not in the file: where relative paths start")
    ] = ""

    @property
    def vault_path(self) -> Path:
        return self.resolve(self.vault.path)

    @property
    def store_path(self) -> Path:
        return self.resolve(self.store.path)

    @property
    def snapshot_path(self) -> Path:
        """Where the agent leaves the live state of the bays for the page."""
        return self.store_path.with_name("status.json")

    @property
    def profiles_path(self) -> Path | None:
        """Where the station's own profiles of cameras are, if it has some."""
        folder = self.cameras.profiles
        return None if folder is None else self.resolve(folder)

    @property
    def derived_path(self) -> Path:
        """Where tracks are kept as other programs read them; no evidence."""
        return self.store_path.with_name("derived")

    @property
    def fetched_path(self) -> Path:
        """Where what destinations gave back waits for the agent."""
        return self.store_path.with_name("fetched")

    @property
    def signing_path(self) -> Path:
        if self.keys.signing_file is not None:
            return self.resolve(self.keys.signing_file)
        return self.store_path.with_name("station-key.pem")

    @property
    def socket_path(self) -> Path | None:
        """Where the page's unix socket is; None if it listens on a port."""
        where = self.web.listen.removeprefix(UNIX)
        return None if where == self.web.listen else self.resolve(where)

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.station.timezone)

    def resolve(self, path: str) -> Path:
        """Return `path` as absolute; relative ones start at the file's directory."""
        return Path(os.path.normpath(Path(self.base) / path))

    def destination(self, name: DestinationName) -> Destination:
        return next(d for d in self.destinations if d.name == name)

    def bay_names(self) -> tuple[BayName, ...]:
        return tuple(BayName(bay.name) for bay in self.bays)

    def ports(self) -> dict[str, BayName]:
        """Return the bays that are USB ports, by their topology path."""
        return {b.port: BayName(b.name) for b in self.bays if b.port is not None}


def locate(given: Path | None) -> Path:
    """Return the file to read: the one given, else `$DOCK_CONFIG`, else /etc."""
    if given is not None:
        return given
    return Path(os.environ.get(ENVIRONMENT) or DEFAULT)


def load(path: Path) -> Config:
    """Read and check the file. Raises `ConfigError` with a sentence for a person."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigUnreadable(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text") from error
    return parse(text, base=path.resolve().parent, name=str(path))


def parse(text: str, *, base: Path, name: str = "configuration") -> Config:
    """Read the text of a file; relative paths start at `base`."""
    try:
        config = msgspec.convert(tomllib.loads(text) | {"base": str(base)}, Config)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name}: not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{name}: {_explain(str(error))}") from error
    for fault in faults(config):
        raise ConfigError(f"{name}: {fault}")
    return config


def _explain(message: str) -> str:
    """Add the nearest known key to msgspec's sentence about an unknown one."""
    unknown = re.search(r"unknown field `([^`]+)`(?: - at `\$\.?([^`]*)`)?", message)
    if unknown is None:
        return message
    key, where = unknown[1], unknown[2] or ""
    near = difflib.get_close_matches(key, _keys(where), n=1)
    table = re.sub(r"\[[^]]*\]", "", where)
    sentence = f"unknown key `{key}`" + (f" in [{table}]" if table else "")
    return sentence + (f"; did you mean `{near[0]}`?" if near else "")


def _keys(where: str) -> list[str]:
    lists = {"bays": Bay, "destinations": Destination, "categories": Category}
    tables = Config.__annotations__ | lists
    kind = tables.get(where.split("[", maxsplit=1)[0].split(".", maxsplit=1)[0], Config)
    return list(getattr(kind, "__struct_fields__", ()))
