"""The connection file of an Axis content destination, read strictly.

The application that takes the footage makes it (README, "Connection API"): where to
ask for a token, with which name and key, and whose certificate to expect. Keys that
the API does not know are passed over, since its own example writes one.
"""

import base64
import binascii
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec import Meta, field

from dock_agent.errors import Barred
from dock_agent.sync.transport.words import shown

LARGEST = 64 << 10  # bytes
BOM = b"\xef\xbb\xbf"
MOST = 10
Site = Annotated[str, Meta(max_length=64)]
Text = Annotated[str, Meta(max_length=256)]
Version = Annotated[str, Meta(max_length=128)]
Uri = Annotated[str, Meta(min_length=1, max_length=512)]
Secret = Annotated[str, Meta(min_length=1, max_length=64)]
Coded = Annotated[str, Meta(min_length=1, max_length=16 << 10)]


class _File(msgspec.Struct, frozen=True, kw_only=True):
    version: Annotated[str, Meta(pattern=r"^1\.[0-9]+$")] = field(
        name="ConnectionFileVersion"
    )
    site: Site = field(name="SiteName")
    application: Text = field(name="ApplicationName")
    application_version: Version = field(name="ApplicationVersion")
    uris: Annotated[tuple[Uri, ...], Meta(min_length=1, max_length=MOST)] = field(
        name="AuthenticationTokenURI"
    )
    certificates: Annotated[tuple[Coded, ...], Meta(max_length=MOST)] = field(
        name="HTTPSCertificate", default=()
    )
    key: Secret = field(name="BlobAPIKey")
    user: Secret = field(name="BlobAPIUserName")
    container_type: Literal["mkv", "mp4"] = field(name="ContainerType", default="mkv")
    full: bool = field(name="FullStoreAndReadSupport", default=False)
    encrypt: bool = field(name="WantEncryption", default=False)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the content destination is, and what it expects.

    `certificates` is PEM, the only ones to trust; None: those of the machine.
    """

    uris: tuple[str, ...]
    certificates: str | None
    user: str
    key: str
    container_type: str
    full: bool


class ConnectionFile:
    """Read again whenever the file changes, so that keys can be rotated.

    `insecure` allows plain http over a network.
    """

    def __init__(self, path: Path, *, insecure: bool = False) -> None:
        self._path, self._insecure = path, insecure
        self._read: tuple[tuple[int, int, int], Connection] | None = None

    def get(self) -> Connection:
        """Return what it says; `Barred` says what is wrong with it."""
        try:
            facts = self._path.stat()
            version = facts.st_ino, facts.st_size, facts.st_mtime_ns
            if self._read is None or self._read[0] != version:
                with self._path.open("rb") as file:
                    data = file.read(LARGEST + 1)
                self._read = version, parsed(data, insecure=self._insecure)
        except OSError as error:
            raise Barred(f"connection file {self._path}: {error.strerror}") from error
        except ValueError as error:
            raise Barred(f"connection file {self._path}: {error}") from error
        return self._read[1]


def parsed(data: bytes, *, insecure: bool = False) -> Connection:
    """Return what a connection file says; raise `ValueError` saying what is wrong."""
    if len(data) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST} bytes")
    try:
        told = msgspec.json.decode(data.removeprefix(BOM), type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    if told.encrypt:
        raise ValueError(
            "it wants what is sent encrypted to its key; encryption to recipients is"
            " another part of this program and is not done for this destination"
        )
    if not all(text.isascii() and text.isprintable() for text in (told.user, told.key)):
        raise ValueError("its name or its key has characters that no header can carry")
    for uri in told.uris:
        _sound(uri, pinned=bool(told.certificates), insecure=insecure)
    pem = "".join(_pem(n, coded) for n, coded in enumerate(told.certificates, 1))
    return Connection(
        told.uris, pem or None, told.user, told.key, told.container_type, told.full
    )


def safe(url: str, *, insecure: bool) -> bool:
    """Whether a key may be sent to a URL: over https, or never off this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (
        parts.scheme == "http" and (insecure or _is_loopback(parts.hostname or ""))
    )


def _sound(uri: str, *, pinned: bool, insecure: bool) -> None:
    try:
        parts = urlsplit(uri)
        host, password = parts.hostname, parts.username or parts.password
    except ValueError as error:
        raise ValueError(f"AuthenticationTokenURI: {error}") from error
    if parts.scheme not in {"http", "https"} or not host:  # what it is may be secret
        raise ValueError("an AuthenticationTokenURI is no http or https URL")
    if password:
        raise ValueError("an AuthenticationTokenURI has a password in it")
    if pinned and parts.scheme != "https":
        raise ValueError(f"it has certificates, and {shown(uri)} is not https")
    if not safe(uri, insecure=insecure):
        raise ValueError(
            f"{shown(uri)} would be spoken to in plain http:"
            " ask for a file with a certificate, or set `insecure = true`"
        )


def _pem(number: int, coded: str) -> str:
    try:
        raw = base64.b64decode("".join(coded.split()), validate=True)
        load = (
            x509.load_pem_x509_certificates
            if raw.lstrip().startswith(b"-----BEGIN")
            else _der
        )
        found = load(raw)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"HTTPSCertificate {number} is no certificate") from error
    return "".join(each.public_bytes(Encoding.PEM).decode() for each in found)


def _der(raw: bytes) -> list[x509.Certificate]:
    return [x509.load_der_x509_certificate(raw)]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
