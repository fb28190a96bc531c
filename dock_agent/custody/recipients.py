"""Whom the station encrypts to: public keys only, and the data keys wrapped to them.

HPKE in base mode (RFC 9180) with ML-KEM-768 and X25519 together, or with P-384; or
RSA-OAEP (RFC 8017). The format is in docs/encryption.md. Nothing here can unwrap.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, hpke, serialization
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed25519,
    mlkem,
    padding,
    rsa,
    x25519,
)

from dock_agent.custody.chain import canonical
from dock_agent.errors import ConfigError, NotAllowed

MAGIC = b"DOCKENC1"
INFO = b"dock-agent/data-key/1\0"
HYBRID, P384, RSA = "mlkem768-x25519", "p384", "rsa-oaep-sha256"
PROFILES: Mapping[str, str] = {"default": HYBRID, "fips": P384, "rsa": RSA}
LEAST_RSA = 3072  # bits
KINDS: Mapping[str, tuple[type, ...]] = {
    HYBRID: (mlkem.MLKEM768PublicKey, x25519.X25519PublicKey, ed25519.Ed25519PublicKey),
    P384: (ec.EllipticCurvePublicKey, ec.EllipticCurvePublicKey),
    RSA: (rsa.RSAPublicKey, rsa.RSAPublicKey),
}
BLOCK = re.compile(rb"-----BEGIN [^-]+-----.+?-----END [^-]+-----\n?", re.DOTALL)
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
SIGNATURE = b"signature: "


class NoOrder(NotAllowed):
    """The order is not signed by one to whom this station encrypts."""

    hint = "`dock-agent encryption order` prints what a recipient has to sign."


@dataclass(frozen=True, slots=True)
class Recipient:
    """Public keys: those that data keys are wrapped to, and last, that of orders."""

    kind: str
    id: str  # 32 hexadecimal digits of a SHA-256
    parts: tuple[Any, ...]

    def wrap(self, data_key: bytearray) -> bytes:
        """Return the data key as only the recipient can have it back."""
        if self.kind == RSA:
            return bytes(self.parts[0].encrypt(bytes(data_key), OAEP))
        kem, kdf, key = hpke.KEM.P384, hpke.KDF.HKDF_SHA384, self.parts[0]
        if self.kind == HYBRID:
            kem, kdf = hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256
            key = hpke.MLKEM768X25519PublicKey(*self.parts[:2])
        suite = hpke.Suite(kem, kdf, hpke.AEAD.AES_256_GCM)
        return suite.encrypt(data_key, key, INFO + self.id.encode())

    def verify(self, signature: bytes, message: bytes) -> None:
        """Raise `NoOrder` unless the recipient signed the message."""
        key = self.parts[-1]
        try:
            if self.kind == HYBRID:
                key.verify(signature, message)
            elif self.kind == P384:
                key.verify(signature, message, ec.ECDSA(hashes.SHA384()))
            else:
                key.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature as error:
            raise NoOrder(f"key {self.id} did not sign it") from error


def parse(pem: bytes) -> Recipient:
    """Read a recipient's public file. Raises `ConfigError` if it is none."""
    try:
        parts = tuple(
            serialization.load_pem_public_key(block) for block in BLOCK.findall(pem)
        )
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"not a public key: {error}") from error
    for kind, types in KINDS.items():
        if len(types) == len(parts) and all(map(isinstance, parts, types)):
            _require_strong(parts)
            return Recipient(kind, hashlib.sha256(_der(parts)).hexdigest()[:32], parts)
    raise ConfigError("not the public keys of a recipient")


def head(data_key: bytearray, to: Sequence[Recipient]) -> bytes:
    """Return what stands before the ciphertext: the data key, wrapped to each."""
    wrapped = [
        {"id": r.id, "kind": r.kind, "wrapped": _text(r.wrap(data_key))} for r in to
    ]
    told = {"content": "cobblestone-256", "recipients": wrapped, "version": 1}
    text = canonical(told).encode()
    return MAGIC + len(text).to_bytes(4, "big") + text


def order(station: str, since: str) -> bytes:
    """Return the text to sign: encryption off, at this station, this once."""
    return (
        f"dock-agent order: encryption off\nstation: {station}\nsince: {since}\n"
    ).encode()


def signer(told: bytes, expected: bytes, recipients: Sequence[Recipient]) -> str:
    """Return who signed the order that is `expected`; raise `NoOrder` if nobody did."""
    message, found, rest = told.partition(SIGNATURE)
    if not found or not message.startswith(expected):
        raise NoOrder("it is no order for this station, or for an earlier time")
    for recipient in recipients:
        if message == expected + f"recipient: {recipient.id}\n".encode():
            recipient.verify(_bytes(rest), message)
            return recipient.id
    raise NoOrder("whoever signed it is no recipient")


def _require_strong(parts: Sequence[Any]) -> None:
    for part in parts:
        if isinstance(part, rsa.RSAPublicKey) and part.key_size < LEAST_RSA:
            raise ConfigError(f"an RSA key of {part.key_size} bits is too short")
        if isinstance(part, ec.EllipticCurvePublicKey) and part.curve.name != (
            ec.SECP384R1.name
        ):
            raise ConfigError(f"the curve {part.curve.name} is not P-384")


def _der(parts: Sequence[Any]) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return b"".join(
        part.public_bytes(serialization.Encoding.DER, form) for part in parts
    )


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


def _bytes(text: bytes) -> bytes:
    try:
        return base64.b64decode(text.strip(), validate=True)
    except ValueError as error:
        raise NoOrder("its signature cannot be read") from error
