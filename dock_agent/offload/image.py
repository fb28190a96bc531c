"""Keep an image of a whole card, where what is on it cannot be read as files.

A card is read once, from its beginning to its end, and never written. What it does
not give is zero in the image and told as a range; no place is tried more than twice,
so that a dead card comes to an end. The image is proved as any file is: read again
from the medium, and the SHA-256 of what was read from the card is its own.
"""

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from dock_agent.errors import CameraGone, FixityError
from dock_agent.offload.source import GONE
from dock_agent.recording import Digest, ReadBack
from dock_agent.vault.buffers import BLOCK, PAGE, ring
from dock_agent.vault.disk import Beat, Disk, Reread, Writer, readable
from dock_agent.vault.layout import PART

PAGES = 2048  # pages that fail before blocks are given up whole: half an hour, perhaps
BARREN = 64  # blocks in a row that give nothing before the way through is jumped
JUMP = 64 << 20  # bytes that are then passed over at a time
NOT_TRIED = "not tried"


class Card(Protocol):
    """A block device that is read from."""

    @property
    def size(self) -> int:
        """Return its length in bytes, as it says itself; a multiple of 512."""
        ...

    def read(self, buffer: memoryview, offset: int) -> int:
        """Read into all of `buffer`, which is aligned; return how many bytes came.

        `OSError` as the kernel gives it.
        """
        ...

    def attached(self) -> bool:
        """Whether it is still there, and no other in its place."""
        ...


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes of a card that are not in its image, and why: the kernel's word."""

    offset: int
    length: int
    why: str


@dataclass(frozen=True, slots=True)
class Image:
    """What was kept of a card. `data` are the bytes that are not holes."""

    size: int
    data: int
    digest: Digest
    method: ReadBack
    counted: int
    unread: tuple[Range, ...]


@dataclass(slots=True)
class Reading:
    """One way through a card. `unread` grows as it goes."""

    card: Card
    unread: list[Range] = field(default_factory=list)
    pages: int = PAGES
    barren: int = 0

    def blocks(self) -> Iterator[tuple[int, memoryview]]:
        """Yield offset and bytes of every block that is not all missing, in order.

        Raises `CameraGone`.
        """
        offset, buffer = 0, ring()[0]
        while offset < self.card.size:
            block = buffer[: min(BLOCK, self.card.size - offset)]
            if self._read(block, offset) or self._read_pages(block, offset):
                self.barren = 0
                yield offset, block
            else:
                self.barren += 1
            offset += len(block)
            if self.barren >= BARREN:
                offset = self._jump(offset)

    def _read(self, block: memoryview, offset: int) -> bool:
        return self._failure(block, offset) is None

    def _failure(self, block: memoryview, offset: int) -> str | None:
        """Read a block; return why it cannot be had whole, or None."""
        done = 0
        try:
            while done < len(block):
                count = self.card.read(block[done:], offset + done)
                if count == 0 or count % 512:  # the rest could not be read aligned
                    return os.strerror(errno.EIO)
                done += count
        except OSError as error:
            if error.errno in GONE or not self.card.attached():
                raise CameraGone(f"it left while it was read, at {offset}") from error
            return error.strerror or str(error)
        return None

    def _read_pages(self, block: memoryview, offset: int) -> bool:
        """Read what can be had of a block, page by page; the rest is zero.

        Returns whether there is anything of it.
        """
        if self.pages <= 0:
            self._missed(offset, len(block), NOT_TRIED + " again")
            return False
        some = False
        for start in range(0, len(block), PAGE):
            page = block[start : start + PAGE]
            why = self._failure(page, offset + start)
            some = some or why is None
            if why is not None:
                self.pages -= 1
                page[:] = bytes(len(page))
                self._missed(offset + start, len(page), why)
        return some

    def _jump(self, offset: int) -> int:
        length = min(JUMP, self.card.size - offset)
        if length:
            self._missed(offset, length, NOT_TRIED)
        return offset + length

    def _missed(self, offset: int, length: int, why: str) -> None:
        last = self.unread[-1] if self.unread else Range(0, 0, "")
        if (last.offset + last.length, last.why) == (offset, why):
            self.unread[-1] = Range(last.offset, last.length + length, why)
        else:
            self.unread.append(Range(offset, length, why))


def keep_image(
    card: Card, disk: Disk, path: Path, room: Callable[[int], None], beat: Beat
) -> Image:
    """Write the image to `path`, whose directory is there; holes stay holes.

    `room` raises where so many bytes more do not fit. Raises `CameraGone`,
    `FixityError`, what `room` raises, and `OSError` of the vault; then nothing of
    the image is left.
    """
    part = path.with_name(f"{PART}own-{path.name}")
    writer = disk.create(part, 0)
    try:
        try:
            image = _written(Reading(card), writer, room, beat)
        finally:
            writer.close()
        image = _proved(image, readable(disk, part, beat))
        disk.rename(part, path)
    except BaseException:
        disk.unlink(part)
        raise
    disk.sync_directory(path.parent)
    return image


def _written(
    reading: Reading, writer: Writer, room: Callable[[int], None], beat: Beat
) -> Image:
    whole, data, done = hashlib.sha256(), 0, 0
    for offset, block in reading.blocks():
        _hash_zeros(whole, offset - done)
        whole.update(block)
        beat(offset - done + len(block))
        done = offset + len(block)
        if block.tobytes().count(0) < len(block):
            room(len(block))
            writer.write(block, offset)
            data += len(block)
    size = reading.card.size
    _hash_zeros(whole, size - done)
    beat(size - done)
    if not reading.card.attached():
        raise CameraGone("it left while it was read")
    writer.finish(size, 0)
    writer.sync()
    digest, unread = Digest(whole.hexdigest()), tuple(reading.unread)
    return Image(size, data, digest, ReadBack.CACHED, 0, unread)


def _proved(image: Image, found: Reread | None) -> Image:
    """Return the image as it was read again. Raises `FixityError`."""
    if found is None or (found.digest, found.size) != (image.digest, image.size):
        raise FixityError("the image is not what was read from the card")
    method = found.method
    if method is ReadBack.CACHED and found.counted >= image.data:
        # All that is no hole came from the medium: holes have nothing to be read.
        method = ReadBack.DROPPED if found.dropped else ReadBack.DIRECT
    facts = (image.size, image.data, image.digest, method, found.counted)
    return Image(*facts, image.unread)


def _hash_zeros(whole: "hashlib._Hash", length: int) -> None:
    zeros = bytes(min(length, BLOCK))
    while length > 0:
        whole.update(zeros[: min(length, BLOCK)])
        length -= BLOCK
