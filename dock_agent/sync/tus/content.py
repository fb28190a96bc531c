"""What goes into a tus upload: our own bytes, held against their digests as they go.

No tus server that was tried checks a digest, so this side does.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from dock_agent.errors import FixityError
from dock_agent.recording import PART_SIZE, CameraId, Digest, DockingId
from dock_agent.sync.destination import About, Object


@dataclass(frozen=True, slots=True)
class Proven:
    """Meets `Content` for one part, or what is left of it.

    The last block of a part leaves only if the whole part, read again from its
    beginning, is what was offloaded: else `FixityError`, and the part stays short.
    """

    item: Object

    def blocks(self, offset: int, length: int) -> Iterator[bytes]:
        item, number = self.item, offset // PART_SIZE
        begin = number * PART_SIZE
        part = hashlib.sha256()
        for block in item.content.blocks(begin, offset - begin):
            part.update(block)
        held = b""
        for block in item.content.blocks(offset, length):
            part.update(block)
            yield from (held,) if held else ()
            held = block
        ends = offset + length == min(begin + PART_SIZE, item.size)
        if ends and part.hexdigest() != item.parts[number]:
            raise FixityError(f"{item.key}: our own file is no longer what it was")
        yield from (held,) if held else ()


def blame(item: Object) -> None:
    """Raise `FixityError` if it is our own file that is not what it was."""
    whole = hashlib.sha256()
    for block in item.content.blocks(0, item.size):
        whole.update(block)
        item.moved(0)  # nothing moves, and yet we live
    if whole.hexdigest() != item.digest:
        raise FixityError(f"{item.key}: our own file is no longer what it was")


@dataclass(frozen=True, slots=True)
class _Bytes:
    data: bytes

    def blocks(self, offset: int, length: int) -> Iterator[bytes]:
        yield self.data[offset : offset + length]


def note(key: str, data: bytes) -> Object:
    """Return a small object of the station's own, of no docking."""
    digest = Digest(hashlib.sha256(data).hexdigest())
    about = About(DockingId(""), CameraId(""), datetime.fromtimestamp(0, UTC), key)
    return Object(key, _Bytes(data), len(data), digest, (digest,), about)
