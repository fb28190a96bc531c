"""Open what a station has encrypted: a lone file that needs `cryptography` only.

Written from docs/encryption.md, and sharing nothing with the station: copy it to any
machine with Python 3.11 and `cryptography` 50, and run it. What it writes has its name
only once every byte of it was authenticated; until then it is of no use to anyone.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cryptography.cobblestone import Cobblestone256Decryptor
from cryptography.exceptions import InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, hpke, serialization
from cryptography.hazmat.primitives.asymmetric import (
    ec,
    ed25519,
    mlkem,
    padding,
    rsa,
    x25519,
)

MAGIC = b"DOCKENC1"
LONGEST_HEADER = 1 << 20  # bytes
CONTEXT = b"dock-agent/encrypted-file/1\0"
INFO = b"dock-agent/data-key/1\0"
HYBRID, P384, RSA = "mlkem768-x25519", "p384", "rsa-oaep-sha256"
PROFILES = {"default": HYBRID, "fips": P384, "rsa": RSA}
SUITES = {
    HYBRID: (hpke.KEM.MLKEM768_X25519, hpke.KDF.HKDF_SHA256),
    P384: (hpke.KEM.P384, hpke.KDF.HKDF_SHA384),
}
KINDS: dict[tuple[type, ...], str] = {
    (
        mlkem.MLKEM768PrivateKey,
        x25519.X25519PrivateKey,
        ed25519.Ed25519PrivateKey,
    ): HYBRID,
    (ec.EllipticCurvePrivateKey,) * 2: P384,
    (rsa.RSAPrivateKey,) * 2: RSA,
}
MAKERS: dict[str, tuple[Callable[[], Any], ...]] = {
    "default": (
        mlkem.MLKEM768PrivateKey.generate,
        x25519.X25519PrivateKey.generate,
        ed25519.Ed25519PrivateKey.generate,
    ),
    "fips": (lambda: ec.generate_private_key(ec.SECP384R1()),) * 2,
    "rsa": (lambda: rsa.generate_private_key(65537, 3072),) * 2,
}
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
BLOCK = re.compile(rb"-----BEGIN [^-]+-----.+?-----END [^-]+-----\n?", re.DOTALL)
PIECE = 1 << 20  # bytes read at a time


class CannotOpen(Exception):
    """What is here cannot be opened, or is not what was encrypted."""


@dataclass(frozen=True)
class Private:
    """A recipient's private keys; the last of a file's keys signs orders."""

    kind: str
    id: str
    parts: tuple[Any, ...]

    def unwrap(self, wrapped: bytes) -> bytes:
        """Return the data key. Raises `CannotOpen`."""
        try:
            if self.kind == RSA:
                return bytes(self.parts[0].decrypt(wrapped, OAEP))
            key = self.parts[0]
            if self.kind == HYBRID:
                key = hpke.MLKEM768X25519PrivateKey(*self.parts[:2])
            suite = hpke.Suite(*SUITES[self.kind], hpke.AEAD.AES_256_GCM)
            return suite.decrypt(wrapped, key, INFO + self.id.encode())
        except (InvalidTag, ValueError) as error:
            raise CannotOpen("the data key is not for this key, or damaged") from error

    def sign(self, message: bytes) -> bytes:
        """Sign an order."""
        last = self.parts[-1]
        if self.kind == HYBRID:
            return bytes(last.sign(message))
        if self.kind == P384:
            return bytes(last.sign(message, ec.ECDSA(hashes.SHA384())))
        return bytes(last.sign(message, padding.PKCS1v15(), hashes.SHA256()))


@dataclass(frozen=True)
class Head:
    """What stands before the ciphertext: its own bytes, and the wrapped keys by id."""

    raw: bytes
    wrapped: dict[str, bytes]


# ---- keys --------------------------------------------------------------------------


def make(profile: str) -> tuple[bytes, bytes]:
    """Make a recipient; return the private and the public file (PEM)."""
    keys = [maker() for maker in MAKERS[profile]]
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    bare = serialization.NoEncryption()
    private = b"".join(key.private_bytes(pem, form, bare) for key in keys)
    return private, b"".join(_public(key, pem) for key in keys)


def private(pem: bytes) -> Private:
    """Read a recipient's private file. Raises `CannotOpen`."""
    try:
        parts = tuple(
            serialization.load_pem_private_key(block, None)
            for block in BLOCK.findall(pem)
        )
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CannotOpen(f"not a private key: {error}") from error
    for types, kind in KINDS.items():
        if len(types) == len(parts) and all(map(isinstance, parts, types)):
            der = b"".join(_public(p, serialization.Encoding.DER) for p in parts)
            return Private(kind, hashlib.sha256(der).hexdigest()[:32], parts)
    raise CannotOpen("these are not the keys of a recipient")


def _public(key: Any, encoding: serialization.Encoding) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_key().public_bytes(encoding, form))


# ---- files -------------------------------------------------------------------------


def head(source: IO[bytes]) -> Head:
    """Read what stands before the ciphertext. Raises `CannotOpen`."""
    start = source.read(len(MAGIC) + 4)
    length = int.from_bytes(start[len(MAGIC) :], "big")
    if len(start) < len(MAGIC) + 4 or not start.startswith(MAGIC):
        raise CannotOpen("it is no encrypted file, or of another version")
    if length > LONGEST_HEADER:
        raise CannotOpen("its header is damaged")
    text = source.read(length)
    try:
        told = json.loads(text)
        if told["version"] != 1 or told["content"] != "cobblestone-256":
            raise CannotOpen("it is of another version")
        wrapped = {
            one["id"]: base64.b64decode(one["wrapped"], validate=True)
            for one in told["recipients"]
        }
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise CannotOpen("its header is damaged") from error
    return Head(start + text, wrapped)


def data_key(found: Head, key: Private) -> bytes:
    """Unwrap a file's data key. Raises `CannotOpen`."""
    if key.id not in found.wrapped:
        raise CannotOpen(f"it is not for key {key.id}, but for {_ids(found)}")
    return key.unwrap(found.wrapped[key.id])


def decrypt(source: IO[bytes], sink: IO[bytes], found: Head, key: bytes) -> str:
    """Decrypt what follows the header; return the SHA-256 of the plaintext.

    Raises `CannotOpen` at the first byte that is not what was encrypted, or where the
    end is missing: then nothing in `sink` is to be used.
    """
    whole = hashlib.sha256()
    try:
        stream = Cobblestone256Decryptor(
            key, CONTEXT + hashlib.sha256(found.raw).digest()
        )
        while piece := source.read(PIECE):
            plain = stream.update(piece)
            whole.update(plain)
            sink.write(plain)
        plain = stream.finalize()
    except (InvalidTag, ValueError) as error:
        raise CannotOpen("it is not what was encrypted, or not whole") from error
    whole.update(plain)
    sink.write(plain)
    return whole.hexdigest()


def _ids(found: Head) -> str:
    return ", ".join(sorted(found.wrapped))


# ---- the command -------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says. Returns 0, or 1 with a sentence on stderr."""
    told = _parser().parse_args(arguments)
    try:
        told.do(told)
    except (CannotOpen, OSError) as error:
        sys.stderr.write(f"dock-decrypt: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dock-decrypt", description=__doc__)
    commands = parser.add_subparsers(required=True)

    def command(name: str, do: Callable[[Any], None]) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=do.__doc__, description=do.__doc__)
        made.set_defaults(do=do)
        return made

    new = command("new-key", _new_key)
    new.add_argument("profile", choices=PROFILES)
    new.add_argument("name", help="writes NAME.key, for you alone, and NAME.pub")
    command("show", _show).add_argument("file", type=Path)
    one = command("open", _open)
    one.add_argument("file", type=Path)
    one.add_argument("--to", type=Path, required=True)
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("--key", type=Path, help="a recipient's private file")
    which.add_argument("--data-key", type=Path, help="32 bytes that an HSM unwrapped")
    wrapped = command("wrapped", _wrapped)
    wrapped.add_argument("file", type=Path)
    wrapped.add_argument("id")
    wrapped.add_argument("--to", type=Path, required=True)
    order = command("sign-order", _sign_order)
    order.add_argument("order", type=Path)
    order.add_argument("--key", type=Path, required=True)
    return parser


def _new_key(told: Any) -> None:
    """Make a recipient's keys."""
    secret, public = make(told.profile)
    _create(Path(f"{told.name}.key"), secret, 0o600)
    _create(Path(f"{told.name}.pub"), public, 0o644)
    sys.stdout.write(f"Key {private(secret).id}: the station gets {told.name}.pub.\n")


def _show(told: Any) -> None:
    """Say which keys open a file."""
    with told.file.open("rb") as source:
        sys.stdout.write("".join(f"{one}\n" for one in sorted(head(source).wrapped)))


def _open(told: Any) -> None:
    """Decrypt a file, and print the SHA-256 of what it was."""
    with told.file.open("rb") as source:
        found = head(source)
        if told.key is not None:
            key = data_key(found, private(told.key.read_bytes()))
        else:
            key = told.data_key.read_bytes()
        with tempfile.NamedTemporaryFile(dir=told.to.parent, prefix=".part-") as part:
            digest = decrypt(source, part.file, found, key)
            part.flush()
            os.fsync(part.fileno())
            os.link(part.name, told.to)  # replaces nothing
    sys.stdout.write(f"{digest}  {told.to}\n")


def _wrapped(told: Any) -> None:
    """Write a file's wrapped data key, for a smart card or an HSM to unwrap."""
    with told.file.open("rb") as source:
        found = head(source).wrapped
    if told.id not in found:
        raise CannotOpen(f"it is not for key {told.id}")
    _create(told.to, found[told.id], 0o600)


def _sign_order(told: Any) -> None:
    """Sign an order of the station's, at the end of its file."""
    key, text = private(told.key.read_bytes()), told.order.read_bytes()
    if not text.endswith(b"\n") or b"\nsignature: " in text:
        raise CannotOpen("it is no order, or is signed already")
    text += f"recipient: {key.id}\n".encode()
    text += b"signature: " + base64.b64encode(key.sign(text)) + b"\n"
    told.order.write_bytes(text)


def _create(path: Path, content: bytes, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(fd, "wb") as file:
        file.write(content)


if __name__ == "__main__":
    sys.exit(main())
