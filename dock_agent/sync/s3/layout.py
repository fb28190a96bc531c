"""How an object is cut into the parts of an S3 upload, and what each hashes to.

S3 takes 10 000 parts and no more. A file of more stored parts than that has several
of them in each; what those hash to is read from our own disk.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from dock_agent.errors import FixityError
from dock_agent.recording import PART_SIZE, Digest
from dock_agent.sync.content import Content
from dock_agent.sync.destination import Object
from dock_agent.sync.s3.xml import b64, composite

MOST_PARTS = 10_000  # Amazon S3 user guide, "Multipart upload limits"
AHEAD = 2  # parts on their way: one that is answered, one that is sent


@dataclass(frozen=True, slots=True)
class InParts:
    """How an object goes in parts: of how many at most, how many on their way."""

    most: int = MOST_PARTS
    ahead: int = AHEAD


BY_DEFAULT = InParts()


@dataclass(frozen=True, slots=True)
class Piece:
    """One S3 part: where it is in the file."""

    number: int  # from 1
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The S3 parts of one object; their digests, each found once."""

    item: Object
    most: int = MOST_PARTS
    _found: dict[int, Digest] = field(default_factory=dict)

    @property
    def single(self) -> bool:
        """Whether it goes in one PUT."""
        return self.item.size <= PART_SIZE

    @property
    def together(self) -> int:
        """How many stored parts go in one S3 part."""
        stored = -(-self.item.size // PART_SIZE)
        return max(1, -(-stored // self.most))

    def pieces(self) -> tuple[Piece, ...]:
        """Return all of them, in order."""
        step = PART_SIZE * self.together
        return tuple(
            Piece(number, offset, min(step, self.item.size - offset))
            for number, offset in enumerate(range(0, self.item.size, step), 1)
        )

    def digest(self, piece: Piece) -> Digest:
        """Return a piece's SHA-256: the stored one, or by a pass over our file."""
        if self.together == 1:
            return self.item.parts[piece.number - 1]
        if piece.number not in self._found:
            self._found[piece.number] = self._passed_over(piece)
        return self._found[piece.number]

    def echo(self) -> str:
        """Return what a server that hashed these bytes itself says of them."""
        if self.single:
            return b64(self.item.digest)
        return composite([self.digest(piece) for piece in self.pieces()])

    def _passed_over(self, piece: Piece) -> Digest:
        """Hash a piece; each stored part of it must be what it was when offloaded."""
        whole = hashlib.sha256()
        end = piece.offset + piece.length
        for offset in range(piece.offset, end, PART_SIZE):
            stored = Piece(0, offset, min(PART_SIZE, end - offset))
            if (
                _hashed(self.item, stored, whole)
                != self.item.parts[offset // PART_SIZE]
            ):
                raise changed(self.item.key)
        return Digest(whole.hexdigest())


@dataclass(frozen=True, slots=True)
class Held:
    """Meets `Content`; its last bytes are held back until all were seen to be right.

    For servers that check nothing: they shall not get hold of other bytes.
    """

    content: Content
    digest: Digest
    name: str

    def blocks(self, offset: int, length: int) -> Iterator[bytes]:
        whole, held = hashlib.sha256(), b""
        for block in self.content.blocks(offset, length):
            if held:
                yield held
            whole.update(block)
            held = block
        if whole.hexdigest() != self.digest:
            raise changed(self.name)
        if held:
            yield held


def see_that_ours_is_sound(item: Object, piece: Piece, digest: Digest) -> None:
    """Hash our own bytes again; raise `FixityError` if they are other ones."""
    if _hashed(item, piece, hashlib.sha256()) != digest:
        raise changed(item.key)


def _hashed(item: Object, piece: Piece, also: "hashlib._Hash") -> Digest:
    part = hashlib.sha256()
    for block in item.content.blocks(piece.offset, piece.length):
        part.update(block)
        also.update(block)
        item.moved(0)  # nothing moves, and yet we live
    return Digest(part.hexdigest())


def changed(name: str) -> FixityError:
    """Return what is raised where our own file is not what it was."""
    return FixityError(f"our own file of {name} is no longer what it was")
