"""Card images: what a camera's memory looks like, made without mounting one."""

import itertools
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from hardware.image import run

MIB = 1 << 20
SECTOR = 512
FIRST = 2048  # the sector where the only partition begins, as everybody aligns it
FAT32_LBA, EXFAT, LINUX = 0x0C, 0x07, 0x83
TYPES = {"vfat": FAT32_LBA, "exfat": EXFAT, "ext4": LINUX, "ext2": LINUX}
Files = Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Shape:
    """What a card is like. Not `partitioned`: a file system on the bare disk."""

    kind: str = "vfat"  # or "exfat", "ext4", "ext2"
    mib: int = 64
    label: str = "CAMERA"
    partitioned: bool = True


FAT32 = Shape()


def card(path: Path, files: Files | None = None, shape: Shape = FAT32) -> Path:
    """Make a card image with these files, by their paths on it.

    An exFAT card is filled by the guest: nothing here can write one unmounted.
    """
    inner = path.with_suffix(".fs")
    with inner.open("wb") as file:
        file.truncate(shape.mib * MIB)
    _FORMAT[shape.kind](inner, files or {}, shape.label)
    if shape.partitioned:
        _in_partitions(path, (inner, TYPES[shape.kind]))
        inner.unlink()
    else:
        inner.rename(path)
    return path


def two_in_one(path: Path, one: Files, other: Files) -> Path:
    """Make a card with two partitions, a FAT32 in each."""
    halves = [path.with_suffix(f".{number}") for number in (1, 2)]
    for half, files in zip(halves, (one, other), strict=True):
        card(half, files, Shape(mib=40, partitioned=False))
    _in_partitions(path, *((half, FAT32_LBA) for half in halves))
    return path


def spoil(path: Path) -> Path:
    """Break a partitioned FAT32 so that blkid knows it and no kernel mounts it.

    Its root directory's cluster (number 2) is called free, in each of its tables.
    """
    with path.open("r+b") as file:
        file.seek(FIRST * SECTOR)
        boot = file.read(SECTOR)
        (reserved,) = struct.unpack_from("<H", boot, 14)
        (length,) = struct.unpack_from("<I", boot, 36)
        for number in range(boot[16]):
            file.seek((FIRST + reserved + number * length) * SECTOR + 2 * 4)
            file.write(bytes(4))
    return path


def _vfat(image: Path, files: Files, label: str) -> None:
    run("mkfs.vfat", "-F", "32", "-s", "1", "-n", label, image)
    for folder in _folders(files):
        run("mmd", "-i", image, f"::/{folder}")
    for name, data in files.items():
        run("mcopy", "-i", image, "-", f"::/{name}", given=data)


def _exfat(image: Path, files: Files, label: str) -> None:
    if files:
        raise ValueError("an exFAT card is filled by the guest")
    run("mkfs.exfat", "-n", label, image)


def _ext4(image: Path, files: Files, label: str, kind: str = "ext4") -> None:
    tree = image.with_suffix(".tree")
    tree.mkdir()
    for name, data in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(data)
    run("mke2fs", "-q", "-F", "-t", kind, "-L", label, "-d", tree, image)
    run("rm", "-r", tree)


_FORMAT: Mapping[str, Callable[[Path, Files, str], None]] = {
    "vfat": _vfat,
    "exfat": _exfat,
    "ext4": _ext4,
    "ext2": partial(_ext4, kind="ext2"),
}


def _folders(files: Files) -> list[str]:
    """Return every folder on the way to the files, outer ones first."""
    ways = (reversed(Path(name).parents) for name in files)
    every = (str(way) for way in itertools.chain.from_iterable(ways))
    return [name for name in dict.fromkeys(every) if name != "."]


def _in_partitions(path: Path, *inner: tuple[Path, int]) -> None:
    """Put file systems behind a partition table, one after the other (MBR)."""
    entries, start = b"", FIRST
    with path.open("wb") as out:
        for image, kind in inner:
            size = image.stat().st_size
            entries += struct.pack(
                "<B3sB3sII", 0, b"", kind, b"", start, size // SECTOR
            )
            out.truncate(start * SECTOR + size)
            out.seek(start * SECTOR)
            _copy(image, out)
            start += size // SECTOR
        out.seek(440)
        out.write(b"dock" + bytes(2) + entries.ljust(64, b"\0") + b"\x55\xaa")


def _copy(image: Path, out: BinaryIO) -> None:
    with image.open("rb") as source:
        while block := source.read(MIB):
            if block.strip(b"\0"):
                out.write(block)
            else:
                out.seek(len(block), 1)  # stays a hole
