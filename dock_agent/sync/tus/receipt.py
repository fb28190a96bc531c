"""Signed receipts: a gateway's own word for the digest of what it holds.

The header `Upload-Receipt` is `base64url(JSON) "." base64url(signature)`; the JSON
is canonical, `{"key","sha256","size"}`, and the signature is Ed25519 (RFC 8032) over
the first part as it was sent, still encoded. `key` is the whole name, prefix and all.
"""

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path

import msgspec

from dock_agent.custody.signing import PublicKey
from dock_agent.errors import Barred, ConfigError, CustodyError
from dock_agent.sync.destination import Object


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a receipt says."""

    key: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Receipts:
    """Reads receipts of one gateway, known by its public key."""

    key: PublicKey

    @classmethod
    def of(cls, path: Path) -> "Receipts":
        """Read the key; raise `ConfigError` for a file that is no such key."""
        try:
            return cls(PublicKey.from_pem(path.read_bytes()))
        except OSError as error:
            raise ConfigError(f"receipt key {path}: {error.strerror}") from error
        except CustodyError as error:
            raise ConfigError(f"receipt key {path}: {error}") from error

    def read(self, text: str) -> Receipt:
        """Return what a receipt says; `Barred` if this gateway did not sign it."""
        said, _, signature = text.partition(".")
        try:
            self.key.verify(_plain(signature), said.encode())
            return msgspec.json.decode(_plain(said), type=Receipt)
        except CustodyError as error:
            raise Barred(f"a receipt is {error}: is this the right place?") from error
        except (binascii.Error, ValueError, msgspec.DecodeError) as error:
            raise Barred(f"what should be a receipt is none: {error}") from error


def fault(said: Receipt, name: str, item: Object) -> str:
    """Return what a receipt says that is not so of our object; "" if it all is."""
    if said.key != name:
        return f"it gave a receipt for {said.key!r}"
    if said.size != item.size:
        return f"it holds {said.size} bytes of {item.size}"
    if said.sha256 != item.digest:
        return "it holds other bytes than were sent"
    return ""


def _plain(text: str) -> bytes:
    """Decode base64url, padded or not; nothing else is passed over."""
    padded = text.encode() + b"=" * (-len(text) % 4)
    return base64.b64decode(padded, altchars=b"-_", validate=True)
