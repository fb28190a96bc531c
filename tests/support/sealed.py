"""Recipients for the tests, and a reader of encrypted files written from the page."""

import base64
import hashlib
import json
from functools import cache
from io import BytesIO
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from dock_agent import dock_decrypt
from dock_agent.custody import recipients
from dock_agent.custody.recipients import Recipient
from dock_agent.vault.buffers import BLOCK
from dock_agent.vault.encrypt import Envelope


def keys(profile: str, number: int = 0) -> tuple[bytes, bytes]:
    """Return the private and the public file of a recipient of this profile."""
    return _made(profile, number)


@cache
def _made(profile: str, number: int) -> tuple[bytes, bytes]:
    del number
    return dock_decrypt.make(profile)


def recipient(profile: str, number: int = 0) -> Recipient:
    """Return a recipient of this profile."""
    return recipients.parse(keys(profile, number)[1])


def encrypted(plain: bytes, *to: Recipient, envelope: Envelope | None = None) -> bytes:
    """Encrypt as an offload does, block by block."""
    out = bytearray()
    envelope = envelope or Envelope(to)

    def write(block: memoryview, offset: int) -> None:
        assert offset == len(out)
        assert offset % 4096 == 0
        out.extend(block)

    stream = envelope.sealing(write)
    for at in range(0, len(plain), BLOCK):
        stream.write(memoryview(plain)[at : at + BLOCK], at)
    assert stream.finish() == len(out) == envelope.length(len(plain))
    return bytes(out)


def opened(file: bytes, private: bytes) -> bytes:
    """Open a file with the program that agencies have."""
    source, sink = BytesIO(file), BytesIO()
    found = dock_decrypt.head(source)
    key = dock_decrypt.data_key(found, dock_decrypt.private(private))
    digest = dock_decrypt.decrypt(source, sink, found, key)
    assert digest == hashlib.sha256(sink.getvalue()).hexdigest()
    return sink.getvalue()


def by_the_page(file: bytes, data_key: bytes) -> bytes:
    """Decrypt with AES-GCM and HKDF alone, as docs/encryption.md tells it."""
    end = 12 + int.from_bytes(file[8:12], "big")
    salt, commitment = file[end : end + 24], file[end + 24 : end + 56]
    context = b"dock-agent/encrypted-file/1\0" + hashlib.sha256(file[:end]).digest()
    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + salt + context
    derived = HKDFExpand(hashes.SHA512(), 32 + 12 + 32, info).derive(data_key)
    key, base, told = derived[:32], int.from_bytes(derived[32:44], "big"), derived[44:]
    assert told == commitment
    body, plain = file[end + 56 :], b""
    for number in range(len(body) // 16400 + 1):
        chunk = body[number * 16400 : (number + 1) * 16400]
        plain += AESGCM(key).decrypt((base ^ number).to_bytes(12, "big"), chunk, None)
    return plain


def header(file: bytes) -> dict[str, Any]:
    """Return what a file says of itself."""
    end = 12 + int.from_bytes(file[8:12], "big")
    told: dict[str, Any] = json.loads(file[12:end])
    return told


def wrapped(file: bytes, ident: str) -> bytes:
    """Return the data key as it is wrapped to one recipient."""
    return next(
        base64.b64decode(one["wrapped"])
        for one in header(file)["recipients"]
        if one["id"] == ident
    )
