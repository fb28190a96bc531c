"""The station's configuration: one TOML file, strict, whole and frozen.

`docs/configuration.md` is generated from the types below.
"""

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from dock_agent.errors import ConfigError
from dock_agent.recording import BayName, DestinationName

ENVIRONMENT = "DOCK_CONFIG"
DEFAULT = Path("/etc/dock-agent/dock-agent.toml")


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: unknown keys are refused."""


class Station(Table, frozen=True):
    """Which station this is."""

    id: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9][a-z0-9-]{0,62}$",
            description="name of the station: small letters, digits, hyphens",
        ),
    ]
    timezone: Annotated[
        str, Meta(description="where it stands, as an IANA time zone name")
    ] = "UTC"


class Vault(Table, frozen=True):
    """Where the evidence is kept."""

    path: Annotated[str, Meta(description="directory; never on a camera")]
    reserve_bytes: Annotated[
        int, Meta(ge=0, description="room that offloads leave free, in bytes")
    ] = 1_000_000_000
    cached: Annotated[
        Literal["refuse", "accept"],
        Meta(description="a vault whose copies cannot be read back from the medium"),
    ] = "refuse"


class Store(Table, frozen=True):
    """Where the station remembers what it has done."""

    path: Annotated[str, Meta(description="the SQLite database")]


class Bay(Table, frozen=True):
    """One numbered place in the dock."""

    name: Annotated[str, Meta(min_length=1, max_length=16, description="as painted")]
    port: Annotated[
        str | None, Meta(description="USB topology path, as ID_PATH begins")
    ] = None
    folder: Annotated[
        str | None,
        Meta(description="instead of a port: a directory in it is a docked camera"),
    ] = None


class Destination(Table, frozen=True):
    """Where the evidence goes."""

    name: Annotated[str, Meta(min_length=1, description="your word for it")]
    kind: Annotated[Literal["s3", "directory"], Meta(description="how it speaks")]
    endpoint: Annotated[str | None, Meta(description="s3: base URL")] = None
    bucket: Annotated[str | None, Meta(description="s3: bucket")] = None
    region: Annotated[str, Meta(description="s3: region")] = "us-east-1"
    prefix: Annotated[
        str, Meta(description="s3: put before each key; ends with a slash")
    ] = ""
    credentials_file: Annotated[
        str | None, Meta(description="s3: key id and secret, as the aws tools write")
    ] = None
    ca_file: Annotated[
        str | None, Meta(description="s3: certificate authority to trust, PEM")
    ] = None
    path: Annotated[
        str | None, Meta(description="directory: where the share is mounted")
    ] = None


class Release(Table, frozen=True):
    """When a camera's own copy may go."""

    erase: Annotated[
        Literal["never", "after_verified", "after_confirmed"],
        Meta(description="proof that an erase waits for"),
    ] = "never"


class Offload(Table, frozen=True):
    """How cameras are read."""

    silence_s: Annotated[
        int, Meta(ge=1, description="seconds without a byte until a camera is given up")
    ] = 60
    pace: Annotated[
        int, Meta(ge=0, description="bytes a second from one camera; 0 for no limit")
    ] = 0
    rest_s: Annotated[
        int,
        Meta(ge=0, description="seconds a tree that others may write must not change"),
    ] = 3


class Web(Table, frozen=True):
    """The status page."""

    listen: Annotated[
        str, Meta(description="address:port, or unix:/path/of/socket")
    ] = "127.0.0.1:8480"
    screen_inches: Annotated[
        float, Meta(gt=3, description="diagonal of the officers' screen")
    ] = 24.0
    distance_m: Annotated[
        float, Meta(gt=0.2, description="how far away it is read, in metres")
    ] = 2.0


class Keys(Table, frozen=True):
    """Where the station's own keys are."""

    signing_file: Annotated[
        str | None,
        Meta(description="Ed25519 key, PEM; made beside the database if absent"),
    ] = None


class Config(Table, frozen=True):
    """The whole file."""

    station: Station
    vault: Vault
    store: Store
    bays: tuple[Bay, ...] = ()
    destinations: tuple[Destination, ...] = ()
    release: Release = Release()
    offload: Offload = Offload()
    web: Web = Web()
    keys: Keys = Keys()
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
    def signing_path(self) -> Path:
        if self.keys.signing_file is not None:
            return self.resolve(self.keys.signing_file)
        return self.store_path.with_name("station-key.pem")

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
        raise ConfigError(f"{path}: {error.strerror}") from error
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
    _check(config, name)
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
    lists = {"bays": Bay, "destinations": Destination}
    tables = Config.__annotations__ | lists
    kind = tables.get(where.split("[", maxsplit=1)[0].split(".", maxsplit=1)[0], Config)
    return list(getattr(kind, "__struct_fields__", ()))


def _check(config: Config, name: str) -> None:
    """Refuse what each table allows and the whole does not."""
    _check_zone(config, name)
    for what, names in (
        ("bay", [bay.name for bay in config.bays]),
        ("destination", [d.name for d in config.destinations]),
    ):
        twice = {n for n in names if names.count(n) > 1}
        if twice:
            raise ConfigError(f"{name}: {what} `{min(twice)}` is there twice")
    for bay in config.bays:
        if (bay.port is None) == (bay.folder is None):
            raise ConfigError(f"{name}: bay `{bay.name}` needs a port or a folder")
    for destination in config.destinations:
        _check_destination(destination, name)


def _check_zone(config: Config, name: str) -> None:
    try:
        ZoneInfo(config.station.timezone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        zone = config.station.timezone
        raise ConfigError(f"{name}: no time zone is called `{zone}`") from error


NEEDED = {"s3": ("endpoint", "bucket", "credentials_file"), "directory": ("path",)}


def _check_destination(destination: Destination, name: str) -> None:
    for key in NEEDED[destination.kind]:
        if getattr(destination, key) is None:
            raise ConfigError(
                f"{name}: destination `{destination.name}` is {destination.kind}"
                f" and needs `{key}`"
            )
