"""A checkpoint: how long the custody log is, and its one hash, signed. Pure.

It is a C2SP tlog-checkpoint (c2sp.org/tlog-checkpoint): three lines, the origin, how
many lines the log has, and the head of their tree (`merkle`) in base64; in a signed
note (c2sp.org/signed-note), so an empty line and the signature lines follow. What
other witnesses signed may stand below ours, and is let through unread.

A proof that a line is in the log is a C2SP tlog-proof (c2sp.org/tlog-proof): the
line's index, the hashes from `merkle.inclusion`, and the checkpoint.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dock_agent.custody import merkle
from dock_agent.custody.signing import PublicKey, SigningKey
from dock_agent.errors import CustodyError

ED25519 = b"\x01"  # the note's word for this kind of signature
KEY_ID, HASH, SIGNATURE = 4, 32, 64  # bytes
SIGNED = re.compile("— ([^ +]+) ([A-Za-z0-9+/]+={0,2})")
SIZE = re.compile("0|[1-9][0-9]{0,18}")
NAME = re.compile(r"[^\s+]+")
CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
PROOF = "c2sp.org/tlog-proof@v1"
LONGEST = 64  # hashes in a proof, and signatures below a note


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log of `origin` as it was with its first `size` lines; `root` is 32 bytes."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Return what is signed: the three lines."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


def origin(station: str) -> str:
    """Return what a station's log is called, and the name of the key that signs it."""
    return f"dock-agent/{station}"


def signed(checkpoint: Checkpoint, key: SigningKey) -> str:
    """Return the checkpoint as a note with the station's signature."""
    return sign_note(checkpoint.text(), checkpoint.origin, key)


def read(note: str, keys: Iterable[PublicKey], expected: str) -> Checkpoint:
    """Return what a note says, if one of `keys` signed it in the name `expected`.

    Raises `CustodyError` for anything else, however little it differs.
    """
    told = _parsed(open_note(note, expected, keys))
    if told.origin != expected:
        raise CustodyError(f"not a checkpoint of {expected}")
    return told


def of_lines(note: str) -> Checkpoint:
    """Return what a note says, whoever signed it: that is still to be asked.

    Raises `CustodyError` where it is not the text of a checkpoint.
    """
    return _parsed(note.partition("\n\n")[0] + "\n")


def sign_note(text: str, name: str, key: SigningKey) -> str:
    """Sign `text`, whole lines, in a name; raise `CustodyError` if it is no note's."""
    _require_text(text)
    if not NAME.fullmatch(name):
        raise CustodyError(f"no name for a key: {name!r}")
    signature = key_id(name, key.public) + key.sign(text.encode())
    return f"{text}\n— {name} {_base64(signature)}\n"


def open_note(note: str, name: str, keys: Iterable[PublicKey]) -> str:
    """Return a note's text, if one of `keys` signed it in this name.

    Signatures of other names and of unknown keys say nothing. One that is ours by
    its id and does not hold spoils the note. Raises `CustodyError`.
    """
    text, empty, below = note.rpartition("\n\n")
    text += "\n"
    _require_text(text)
    lines = below.split("\n")
    if not empty or lines.pop() or not 0 < len(lines) <= LONGEST:
        raise CustodyError("not a signed note")
    known = {key_id(name, key): key for key in keys}
    found = [_signature(line) for line in lines]
    ours = [signature for who, signature in found if who == name]
    held = [s for s in ours if s[:KEY_ID] in known]
    for signature in held:
        if len(signature) != KEY_ID + SIGNATURE:
            raise CustodyError("a signature is cut off")
        known[signature[:KEY_ID]].verify(signature[KEY_ID:], text.encode())
    if not held:
        raise CustodyError(f"not signed by a key of {name} that is known here")
    return text


def key_id(name: str, key: PublicKey) -> bytes:
    """Return the four bytes by which a note's signature names its key."""
    told = name.encode() + b"\n" + ED25519 + key.raw
    return hashlib.sha256(told).digest()[:KEY_ID]


@dataclass(frozen=True, slots=True)
class Proof:
    """That line `index`, from 0, is in the log of a checkpoint, still as its note."""

    index: int
    hashes: Sequence[bytes]
    note: str

    def text(self) -> str:
        """Return it as a C2SP tlog-proof."""
        hashes = "".join(f"{_base64(one)}\n" for one in self.hashes)
        return f"{PROOF}\nindex {self.index}\n{hashes}\n{self.note}"

    def verify(self, line: str, keys: Iterable[PublicKey], expected: str) -> Checkpoint:
        """Return the checkpoint, if it is signed and the line is in its log.

        Raises `CustodyError`.
        """
        told = read(self.note, keys, expected)
        place = self.index, told.size
        merkle.verify_inclusion(place, line.encode(), self.hashes, told.root)
        return told


def read_proof(text: str) -> Proof:
    """Read what `Proof.text` wrote; nothing in it is checked yet.

    Raises `CustodyError` if it is no such proof.
    """
    above, empty, note = text.partition("\n\n")
    first, index, *hashes = [*above.split("\n"), ""][: LONGEST + 3]
    told = index.removeprefix("index ")
    if not empty or first != PROOF or told == index or not SIZE.fullmatch(told):
        raise CustodyError("not a proof that a line is in the log")
    if hashes.pop():
        raise CustodyError("the proof is too long")
    return Proof(int(told), tuple(_bytes(one, HASH) for one in hashes), note)


def _parsed(text: str) -> Checkpoint:
    lines = text.split("\n")
    told, size, root = lines[:3] if len(lines) == 4 else ("", "", "")  # noqa: PLR2004  and what follows the last newline
    if not SIZE.fullmatch(size):
        raise CustodyError("not a checkpoint")
    return Checkpoint(told, int(size), _bytes(root, HASH))


def _require_text(text: str) -> None:
    if not text.strip("\n") or not text.endswith("\n") or CONTROL.search(text):
        raise CustodyError("not the text of a note")


def _signature(line: str) -> tuple[str, bytes]:
    told = SIGNED.fullmatch(line)
    if told is None:
        raise CustodyError(f"not a line with a signature: {line!r}")
    return told[1], _bytes(told[2])


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _bytes(text: str, length: int | None = None) -> bytes:
    """Read base64 that is written in its one way."""
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CustodyError(f"not base64: {text!r}") from error
    if _base64(found) != text or length not in {None, len(found)}:
        raise CustodyError(f"not what it should be in base64: {text!r}")
    return found
