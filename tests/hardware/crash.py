"""What a disk may hold after its power is cut: replayed from the log of its writes.

QEMU's blklogwrites writes the format of the kernel's dm-log-writes: a super block,
then for each write one sector of head and the data.
"""

import random
import struct
from dataclasses import dataclass
from pathlib import Path

from hardware.errors import BenchError
from hardware.image import run

MAGIC = 0x6A736677736872
FLUSH, FUA, DISCARD = 1, 2, 4
SECTOR = 512


@dataclass(frozen=True, slots=True)
class Write:
    """One entry: bytes of the disk, its flags, where its data is in the log."""

    offset: int
    length: int
    flags: int
    data: int


@dataclass(frozen=True, slots=True)
class Crash:
    """What became of the writes after the last flush."""

    unflushed: int
    lost: int
    torn: int


def count(path: Path) -> int:
    """Return how many writes a log has, also while it grows."""
    with path.open("rb") as file:
        return int(struct.unpack("<QQQ", file.read(24))[2])


def read_log(path: Path) -> list[Write]:
    """Return every write of a log, in order. Raises `BenchError` if it is none."""
    with path.open("rb") as file:
        magic, _, count, sector = struct.unpack("<QQQI", file.read(28))
        if magic != MAGIC:
            raise BenchError(f"{path} is no log of writes")
        at, log = sector, []
        for _ in range(count):
            file.seek(at)
            start, length, flags, _ = struct.unpack("<QQQQ", file.read(32))
            log.append(Write(start * sector, length * sector, flags, at + sector))
            at += sector + (0 if flags & DISCARD else length * sector)
    return log


def crash_image(before: Path, log: Path, out: Path, *, upto: int, seed: int) -> Crash:
    """Write the disk as a cut after `upto` writes may leave it.

    What was flushed is there. Of the later writes each is lost, kept, or torn at a
    sector. `before` is the disk when the log began.
    """
    chance, writes = random.Random(seed), read_log(log)[:upto]
    flushes = [n for n, write in enumerate(writes) if write.flags & FLUSH]
    last = flushes[-1] if flushes else -1
    run("cp", "--reflink=auto", "--sparse=always", before, out)
    lost = torn = 0
    with log.open("rb") as source, out.open("r+b") as disk:
        for number, write in enumerate(writes):
            kept = write.length
            if number > last and kept and not write.flags & FUA:
                kept = chance.choice((0, kept, chance.randrange(0, kept, SECTOR)))
                lost += kept == 0
                torn += 0 < kept < write.length
            if not write.flags & DISCARD:
                source.seek(write.data)
                disk.seek(write.offset)
                disk.write(source.read(kept))
    return Crash(len(writes) - 1 - last, lost, torn)
