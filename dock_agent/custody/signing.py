"""The station's own key: Ed25519 (RFC 8032), in a file only its user may read."""

import hashlib
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from dock_agent.errors import ConfigError, CustodyError


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key; its `id` is 16 hexadecimal digits of a SHA-256."""

    private: Ed25519PrivateKey

    @classmethod
    def from_seed(cls, seed: bytes) -> "SigningKey":
        """Make the key of a 32-byte seed (RFC 8032, 5.1.5)."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @property
    def public(self) -> "PublicKey":
        return PublicKey(self.private.public_key())

    @property
    def id(self) -> str:
        return self.public.id

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte signature."""
        return self.private.sign(message)

    def pem(self) -> bytes:
        """Return the key as unencrypted PKCS #8 PEM."""
        return self.private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What anyone may have, to check a signature."""

    public: Ed25519PublicKey

    @classmethod
    def from_pem(cls, pem: bytes) -> "PublicKey":
        """Read what `pem` wrote; raise `CustodyError` if it is no such key."""
        try:
            key = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise CustodyError(f"not a public key: {error}") from error
        if not isinstance(key, Ed25519PublicKey):
            raise CustodyError("not an Ed25519 key")
        return cls(key)

    @property
    def raw(self) -> bytes:
        return self.public.public_bytes_raw()

    @property
    def id(self) -> str:
        return self.fingerprint[:16]

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the 32 bytes, for people who compare two keys."""
        return hashlib.sha256(self.raw).hexdigest()

    def pem(self) -> bytes:
        """Return the key as SubjectPublicKeyInfo PEM, as openssl reads it."""
        return self.public.public_bytes(
            serialization.Encoding.PEM,
            serialization.PublicFormat.SubjectPublicKeyInfo,
        )

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise `CustodyError` unless `signature` is this key's over `message`."""
        try:
            self.public.verify(signature, message)
        except InvalidSignature as error:
            raise CustodyError(f"not signed by key {self.id}") from error


def load_or_make(path: Path) -> SigningKey:
    """Read the station's key, or make it at the first start (mode 0600, durable).

    Raises `ConfigError` for a file that is no such key, or cannot be had.
    """
    try:
        if not path.exists():
            _make(path)
    except OSError as error:
        raise ConfigError(f"signing key {path}: {error.strerror}") from error
    return load(path)


def load(path: Path) -> SigningKey:
    """Read the station's key; raise `ConfigError` if there is none that is one."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise ConfigError(f"signing key {path}: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"signing key {path} is not a PEM key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"signing key {path} is not Ed25519")
    return SigningKey(key)


def _make(path: Path) -> None:
    """Make a key; it has its name only once it is whole and lasting."""
    fd, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(fd, "wb") as part:
            part.write(SigningKey(Ed25519PrivateKey.generate()).pem())
            part.flush()
            os.fsync(part.fileno())
        with suppress(FileExistsError):  # another process was first: theirs it is
            path.hardlink_to(name)
    finally:
        Path(name).unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
