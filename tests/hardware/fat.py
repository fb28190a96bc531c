"""A FAT32 image, changed byte by byte as no driver would write it.

After Microsoft's "FAT32 File System Specification" 1.03: the file system lies on the
bare card, clusters are given out in order.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from hardware.image import run

SECTOR, ENTRY, ROOT = 512, 32, 2
END = 0x0FFFFFFF
FILE, FOLDER = 0x20, 0x10
NOON = (12 << 11, (44 << 9) | (6 << 5) | 1)  # a time and a date, as FAT has them
UNITS = 13  # of a long name, in one entry
NO_ALIAS = "N{:07X}BIN"


class Fat32:
    """One image that is open. Clusters are numbered from 2, which is the root's."""

    def __init__(self, path: Path, size: int = 64 << 20, sectors: int = 1) -> None:
        """Format a new image of `size` bytes; a cluster has so many `sectors`."""
        with path.open("wb") as file:
            file.truncate(size)
        shape = ("-F", "32", "-f", "1", "-s", str(sectors), "-n", "CAMERA")
        run("mkfs.vfat", *shape, path)
        self._fd = os.open(path, os.O_RDWR)
        head = os.pread(self._fd, SECTOR, 0)
        reserved: int = struct.unpack_from("<H", head, 14)[0]
        length: int = struct.unpack_from("<I", head, 36)[0]
        self.cluster = sectors * SECTOR
        self._table = reserved * SECTOR
        self._data = self._table + length * SECTOR
        self._free, self._files = ROOT + 1, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)

    def at(self, cluster: int) -> int:
        """Return the byte of the image where a cluster begins."""
        return self._data + (cluster - ROOT) * self.cluster

    def link(self, cluster: int, following: int) -> None:
        """Let one cluster follow another, whatever sense that makes."""
        os.pwrite(self._fd, struct.pack("<I", following), self._table + cluster * 4)

    def put(self, data: bytes, first: int = 0) -> int:
        """Write data to a chain of its own; return its first cluster.

        The chain begins at `first` if that is given, and goes on where it is free.
        """
        count = max(1, -(-len(data) // self.cluster))
        chain = [first] if first else []
        chain += range(self._free, self._free + count - len(chain))
        if len(chain) > bool(first):
            self._free = chain[-1] + 1
        for number, (one, after) in enumerate(
            zip(chain, [*chain[1:], END], strict=True)
        ):
            self.link(one, after)
            piece = data[number * self.cluster : (number + 1) * self.cluster]
            os.pwrite(self._fd, piece.ljust(self.cluster, b"\0"), self.at(one))
        return chain[0]

    def reserve(self) -> int:
        """Return a free cluster, for something that has to know where it will be."""
        self._free += 1
        return self._free - 1

    def folder(self, entries: bytes, first: int, parent: int = 0) -> int:
        """Write a directory; return its first cluster."""
        dots = entry(b".".ljust(11), first, kind=FOLDER)
        dots += entry(b"..".ljust(11), parent, kind=FOLDER)
        return self.put(dots + entries, first)

    def long(self, name: str, data: bytes) -> bytes:
        """Write a file; return its entries with a long name, broken ones as well."""
        encoded = name.encode("utf-16-le", "surrogatepass")
        units = struct.unpack(f"<{len(encoded) // 2}H", encoded)
        self._files += 1
        alias = NO_ALIAS.format(self._files).encode("ascii")
        first = self.put(data) if data else 0
        return b"".join(_long(units, alias)) + entry(alias, first, len(data))


def entry(name: bytes, first: int, size: int = 0, kind: int = FILE) -> bytes:
    """Return one entry; `name` has eleven bytes, as they are."""
    high, low = first >> 16, first & 0xFFFF
    stamps = (0, 0, *NOON, NOON[1], high, *NOON)
    return struct.pack("<11sBBBHHHHHHHI", name, kind, *stamps, low, size)


def _long(units: Sequence[int], alias: bytes) -> Iterator[bytes]:
    """Yield the entries of a long name, the last part first."""
    check = 0
    for byte in alias:
        check = ((check >> 1) + ((check & 1) << 7) + byte) & 0xFF
    filled = list(units)
    if len(filled) % UNITS:
        filled.append(0)
    filled += [0xFFFF] * (-len(filled) % UNITS)
    parts = len(filled) // UNITS
    for part in range(parts, 0, -1):
        number = part | (0x40 if part == parts else 0)
        some = filled[(part - 1) * UNITS : part * UNITS]
        one, two, three = some[:5], some[5:11], some[11:]
        yield struct.pack("<B5HBBB6HH2H", number, *one, 0x0F, 0, check, *two, 0, *three)
