"""The boxes of an ISO base media file: where each begins, and where it says it ends.

ISO/IEC 14496-12 §4.2. Only heads are read, so a file of any size costs little; what
a head claims is bounded by what holds it, so a file of any kind ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

HEAD, LONG_HEAD = 8, 16
MOST = 20_000  # boxes side by side: a day of fragments of five seconds


@dataclass(frozen=True, slots=True)
class Box:
    """One box. Offsets in the file, in bytes; `end` may lie beyond the file's."""

    kind: bytes
    start: int
    body: int
    end: int


class BrokenBoxes(ValueError):
    """A head that cannot be: what follows it is not known."""


class CutOff(BrokenBoxes):
    """The bytes end within a head."""


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """Give the boxes that lie side by side from `start` to `end`, each as it claims.

    The last one may claim to go on after `end`. Raises `BrokenBoxes` at a head that
    is cut off, or says that its box is shorter than its head.
    """
    at = start
    for _ in range(MOST):
        if at >= end:
            return
        box = _box(file, at, end)
        yield box
        at = box.end
    raise BrokenBoxes(f"over {MOST} boxes side by side")


def _box(file: BinaryIO, at: int, end: int) -> Box:
    file.seek(at)
    head = file.read(min(LONG_HEAD, end - at))
    if len(head) < HEAD:
        raise CutOff(f"{len(head)} bytes at {at} are no head of a box")
    size, kind, body = int.from_bytes(head[:4], "big"), head[4:8], at + HEAD
    if size == 1:  # the size follows, in 64 bits
        size, body = int.from_bytes(head[8:], "big"), at + LONG_HEAD
        if len(head) < LONG_HEAD:
            raise CutOff(f"the head at {at} is cut off")
    if size == 0:  # it lasts to the end
        return Box(kind, at, body, end)
    if size < body - at:
        raise BrokenBoxes(f"the box at {at} is shorter than its head")
    return Box(kind, at, body, at + size)
