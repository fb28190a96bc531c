"""A card in memory that does not give everything. Meets `offload.image.Card`."""

import errno
import os
from dataclasses import dataclass, field

SECTOR = 512


@dataclass
class TornCard:
    """`bad` are the numbers of its sectors that fail; each reading is counted.

    From byte `gone_at` on it is no longer there.
    """

    content: bytes
    bad: frozenset[int] = frozenset()
    gone_at: int | None = None
    short: int = 0  # bytes it gives at a time; 0: all that are asked for
    readings: list[tuple[int, int]] = field(default_factory=list)
    left: bool = False

    @property
    def size(self) -> int:
        return len(self.content)

    def read(self, buffer: memoryview, offset: int) -> int:
        end = offset + len(buffer)
        self.readings.append((offset, len(buffer)))
        if self.gone_at is not None and end > self.gone_at:
            self.left = True
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if self.bad.intersection(range(offset // SECTOR, -(-end // SECTOR))):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        count = min(len(buffer), self.short or len(buffer))
        given = self.content[offset : offset + count]
        buffer[: len(given)] = given
        return len(given)

    def attached(self) -> bool:
        return not self.left
