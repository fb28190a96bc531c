"""What an Axis content destination keeps, and the rules for what is told of it."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Flag, auto
from urllib.parse import unquote

LIMIT = 32  # bytes of a string in metadata, but for these
LIMITS = {
    "name": 64,
    "systemname": 64,
    "connectionid": 100,
    "userid": 100,
    "containername": 256,
    "rejectedcontentoriginalcontainer": 256,
}
ENCODED = re.compile(r"(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*")


class Can(Flag):
    """What it does beyond the published subset."""

    NOTHING = 0
    HEAD = auto()
    GET = auto()  # any object
    DELETE = auto()
    DIGEST = auto()  # a body that is not what its ETag says is refused
    ETAG = auto()  # its ETag is of the bytes that it has
    CONDITION = auto()  # If-None-Match
    ALL = HEAD | GET | DELETE | DIGEST | ETAG | CONDITION


@dataclass
class Blob:
    """One object, and what was told of it (keys in lower case)."""

    data: bytes
    told: dict[str, str] = field(default_factory=dict)
    kind: str = ""

    def headers(self) -> dict[str, str]:
        kind = self.kind or "application/octet-stream"
        return {"Content-Type": kind, **headers("X-Object-Meta-", self.told)}


@dataclass
class Box:
    """One container."""

    told: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, Blob] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return self.told.get("status") == "Complete"

    def headers(self) -> dict[str, str]:
        return headers("X-Container-Meta-", self.told)


def told(headers: Mapping[str, str], prefix: str) -> dict[str, str] | None:
    """Return the metadata in headers; None if it breaks a rule of the API."""
    found = {}
    for header, value in headers.items():
        if not header.startswith(prefix):
            continue
        key, text = header.removeprefix(prefix), unquote(value)
        sound = ENCODED.fullmatch(value) and text.isprintable() and "\ufffd" not in text
        if not sound or len(text.encode()) > LIMITS.get(key, LIMIT):
            return None
        found[key] = text
    return found


def headers(prefix: str, told: dict[str, str]) -> dict[str, str]:
    # As Swift's own server writes them: a capital after each hyphen and digit.
    return {(prefix + key).title(): _encoded(value) for key, value in told.items()}


def _encoded(value: str) -> str:
    return "".join(
        chr(b) if chr(b).isalnum() and b < 128 else f"%{b:02X}" for b in value.encode()
    )


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
