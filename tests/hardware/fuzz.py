"""Cards whose own tables were spoilt, by chance: each seed is one way."""

import random
import shutil
from pathlib import Path

SECTOR = 512
CLIP = b"\xa5" * 100_000  # tells footage from tables
MOST = 8  # places that are spoilt
WHERE = 4 << 20  # bytes from the start, where the tables are


def spoilt(whole: Path, out: Path, seed: int) -> Path:
    """Copy a card, and write over a few bytes of sectors that hold no footage."""
    chance = random.Random(f"{whole.stem} {seed}")
    shutil.copyfile(whole, out)
    with out.open("r+b") as file:
        head = file.read(WHERE)
        for _ in range(chance.randint(1, MOST)):
            at = chance.choice(_tables(head)) * SECTOR + chance.randrange(SECTOR)
            file.seek(at)
            file.write(_noise(chance, head, at))
    return out


def _tables(head: bytes) -> list[int]:
    """Return the sectors that hold something, and no footage."""
    sectors = range(len(head) // SECTOR)
    found = ((n, head[n * SECTOR : (n + 1) * SECTOR]) for n in sectors)
    return [n for n, data in found if data.strip(b"\0") and data.count(0xA5) < SECTOR]


def _noise(chance: random.Random, head: bytes, at: int) -> bytes:
    """Return what is written there: a bit, a number that is too large, or anything."""
    match chance.randrange(3):
        case 0:
            return bytes([head[at] ^ 1 << chance.randrange(8)])
        case 1:
            return chance.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x01\0\0\0"))
        case _:
            return chance.randbytes(chance.randint(1, 16))
