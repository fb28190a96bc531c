"""The tables of the configuration file, as frozen types.

`docs/configuration.md` is generated from them.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

DAYS = "(mon|tue|wed|thu|fri|sat|sun)"
TIME = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


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
    scrub_days: Annotated[
        int,
        Meta(
            ge=1,
            le=365,
            description="in which every file is read again from the disk, once",
        ),
    ] = 30


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


class Window(Table, frozen=True, kw_only=True):
    """When a destination may be sent to: local time of the station."""

    days: Annotated[
        str,
        Meta(
            pattern=f"^{DAYS}(-{DAYS})?(,{DAYS}(-{DAYS})?)*$",
            description='of the week: "mon-fri", "sat,sun"; when it begins',
        ),
    ] = "mon-sun"
    begin: Annotated[
        str, Meta(pattern=TIME, description="when it opens: hours and minutes")
    ]
    end: Annotated[
        str, Meta(pattern=TIME, description="when it closes; before `begin`: next day")
    ]
    rate: Annotated[
        int, Meta(ge=0, description="bytes a second in it; 0 for no limit")
    ] = 0


class Destination(Table, frozen=True):
    """Where the evidence goes."""

    name: Annotated[str, Meta(min_length=1, description="your word for it")]
    kind: Annotated[
        Literal["s3", "tus", "axis", "directory"], Meta(description="how it speaks")
    ]
    endpoint: Annotated[
        str | None, Meta(description="s3: base URL; tus: where uploads are created")
    ] = None
    bucket: Annotated[str | None, Meta(description="s3: bucket")] = None
    region: Annotated[str, Meta(description="s3: region")] = "us-east-1"
    prefix: Annotated[
        str,
        Meta(
            pattern=r"^([^/]+/)*$",
            description="s3, tus: put before each key; ends with a slash",
        ),
    ] = ""
    credentials_file: Annotated[
        str | None, Meta(description="s3: key id and secret, as the aws tools write")
    ] = None
    ca_file: Annotated[
        str | None, Meta(description="certificate authority to trust, PEM")
    ] = None
    path: Annotated[
        str | None, Meta(description="directory: where the share is mounted")
    ] = None
    local: Annotated[
        bool,
        Meta(
            description="directory: an ordinary directory of this machine is meant,"
            " not a mount"
        ),
    ] = False
    cached: Annotated[
        Literal["refuse", "accept"],
        Meta(
            description="directory: one whose copies can be read back from this"
            " machine's own memory only"
        ),
    ] = "refuse"
    token_file: Annotated[str | None, Meta(description="tus: a bearer token")] = None
    addressing: Annotated[
        Literal["collection", "path"],
        Meta(description="tus: the server names uploads, or the key is in the URL"),
    ] = "collection"
    read_endpoint: Annotated[
        str | None, Meta(description="tus by path: base URL to fetch objects from")
    ] = None
    receipt_key_file: Annotated[
        str | None, Meta(description="tus: Ed25519 key of the server's receipts, PEM")
    ] = None
    connection_file: Annotated[
        str | None, Meta(description="axis: the content destination's JSON file")
    ] = None
    user_id: Annotated[
        str, Meta(description="axis: whom recordings without an officer belong to")
    ] = "unassigned"
    insecure: Annotated[
        bool, Meta(description="plain http is allowed; never over a network")
    ] = False
    proof: Annotated[
        Literal["echoed", "read-back"],
        Meta(description="the least that confirms an object"),
    ] = "echoed"
    connections: Annotated[
        int, Meta(ge=1, le=16, description="objects that are sent at a time")
    ] = 2
    rate: Annotated[int, Meta(ge=0, description="bytes a second; 0 for no limit")] = 0
    windows: Annotated[
        tuple[Window, ...], Meta(description="when it may be sent to; none: always")
    ] = ()
    marked_pass: Annotated[
        bool, Meta(description="marked files may pass a closed window")
    ] = True
    metered: Annotated[
        Literal["all", "marked", "nothing"],
        Meta(description="what is sent over a link that costs"),
    ] = "marked"
    retention_days: Annotated[
        int, Meta(ge=0, description="s3: object lock, in days; 0 for none")
    ] = 0
    legal_hold: Annotated[
        bool, Meta(description="s3: put every object under a legal hold")
    ] = False


class Sync(Table, frozen=True):
    """What is common to all destinations."""

    metered_interfaces: Annotated[
        tuple[str, ...], Meta(description='network interfaces that cost: "wwan0"')
    ] = ()


class Release(Table, frozen=True):
    """When a camera's own copy may go."""

    erase: Annotated[
        Literal["never", "after_verified", "after_confirmed"],
        Meta(description="proof that an erase waits for"),
    ] = "never"


class Retention(Table, frozen=True):
    """Whether the vault's own copies go after their time. Two people approve it."""

    expire: Annotated[
        bool, Meta(description="copies past the days of their category may go")
    ] = False


class Category(Table, frozen=True):
    """A kind of recording, and how long it is kept. What has none is kept for ever."""

    name: Annotated[
        str,
        Meta(
            pattern=r"^[a-z0-9][a-z0-9-]{0,62}$",
            description="your word for it: small letters, digits, hyphens",
        ),
    ]
    keep_days: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="days from the seal, 1 or more; or say `keep`"),
    ] = None
    keep: Annotated[
        Literal["forever"] | None, Meta(description="instead of days: never goes")
    ] = None


class Cameras(Table, frozen=True):
    """Which models of cameras are known, besides those that come with the program."""

    profiles: Annotated[
        str | None,
        Meta(description="directory of profiles, `*.toml`; one wins over ours by name"),
    ] = None


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
    """The status page. Behind a proxy it shows the board, and nothing but the board."""

    listen: Annotated[
        str, Meta(description="address:port, or unix:/path/of/socket")
    ] = "127.0.0.1:8480"
    behind_proxy: Annotated[
        bool, Meta(description="a proxy passes requests on; always so on a socket")
    ] = False
    screen_inches: Annotated[
        float, Meta(gt=3, description="diagonal of the officers' screen")
    ] = 24.0
    distance_m: Annotated[
        float, Meta(gt=0.2, description="how far away it is read, in metres")
    ] = 2.0


class Encryption(Table, frozen=True):
    """To whom every file is encrypted. Once on, only a recipient's order ends it."""

    recipients: Annotated[
        tuple[str, ...],
        Meta(min_length=1, description="files of public keys; each alone opens all"),
    ]
    profile: Annotated[
        Literal["default", "fips", "rsa"], Meta(description="which kind of keys")
    ] = "default"


class Timestamp(Table, frozen=True):
    """A time authority (RFC 3161) that stamps the custody log's checkpoints."""

    url: Annotated[
        str, Meta(description="where it is asked; plain http will do: it signs")
    ]
    ca_file: Annotated[
        str, Meta(description="the certificate that its stamps rest on, PEM")
    ]
    interval_s: Annotated[
        int, Meta(ge=1, description="seconds between two stamps, at least")
    ] = 3600


class Keys(Table, frozen=True):
    """Where the station's own keys are."""

    signing_file: Annotated[
        str | None,
        Meta(description="Ed25519 key, PEM; made beside the database if absent"),
    ] = None
