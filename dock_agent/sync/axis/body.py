"""The bytes of an object on their way to an Axis content destination.

An MD5 goes before them, since that is all that the API has to tell a damaged body by;
SHA-256 goes with them, so that no whole body leaves that is not what was offloaded.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from dock_agent.errors import FixityError
from dock_agent.sync.axis.names import Spot
from dock_agent.sync.destination import Object


class Stage(StrEnum):
    """How far an object has got."""

    MEASURED = "measured"  # its MD5 is known, nothing is sent
    TAKEN = "taken"  # the place said that it has it
    ECHOED = "echoed"  # and answered with an MD5, which was ours


@dataclass(frozen=True, slots=True)
class Handle:
    """Where an object is, and what is known of it: opaque to everybody else.

    `md5` is of our own file.
    """

    spot: Spot
    md5: str
    stage: Stage

    def __str__(self) -> str:
        return f"{self.spot.container}/{self.spot.name} {self.md5} {self.stage}"

    @classmethod
    def parse(cls, text: str | None) -> "Handle | None":
        """Return what `str` made; None for anything else."""
        try:
            where, md5, stage = (text or "").split(" ")
            container, name = where.split("/")
            return cls(Spot(container, name), md5, Stage(stage))
        except ValueError:
            return None


def measured(item: Object) -> str:
    """Return the MD5 of our own file; `FixityError` if it is not what it was."""
    whole, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    for block in item.content.blocks(0, item.size):
        whole.update(block)
        md5.update(block)
        item.moved(0)  # nothing moves, and yet we live
    if whole.hexdigest() != item.digest:
        raise changed(item)
    return md5.hexdigest()


@dataclass(frozen=True, slots=True)
class Held:
    """Meets `Content`: the last block goes only if all were what was offloaded."""

    item: Object

    def blocks(self, offset: int, length: int) -> Iterator[bytes]:
        item, whole, held = self.item, hashlib.sha256(), b""
        for block in item.content.blocks(offset, length):
            whole.update(block)
            yield from (held,) if held else ()
            held = block
        if whole.hexdigest() != item.digest:
            raise changed(item)
        yield from (held,) if held else ()


def is_whole(item: Object, pieces: Iterable[bytes]) -> bool:
    """Whether what came back is what was offloaded; what is longer is not awaited."""
    whole, size = hashlib.sha256(), 0
    for piece in pieces:
        whole.update(piece)
        size += len(piece)
        if size > item.size:
            return False
    return size == item.size and whole.hexdigest() == item.digest


def changed(item: Object) -> FixityError:
    """Return what to raise for a file of ours that is not what it was."""
    return FixityError(f"{item.key}: our own file is no longer what it was")
