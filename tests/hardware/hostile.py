"""Cards that were made to do harm, or have come to harm, and what is right to say.

Where evidence can be read, it is kept; where there may be more of it, the bay says
*Tell IT*.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hardware.cards import Shape, card
from hardware.fat import ENTRY, FOLDER, ROOT, Fat32, entry
from hardware.image import run
from hardware.ports import Fault

CLIP = bytes(range(256)) * 256  # 64 KiB
NAME = b"CLIP1   MP4"
NEAR_2_TB = (2 << 40) - (1 << 20)  # bytes: what a FAT can say at most
SECTOR = 512
LONGEST = 255  # units of a name
FULL, EMPTY_FILES = 65_536, 200  # entries of a directory on FAT, at most
DEEP = 1000
HOLE = 4_000_000_000_000  # bytes: about what this file system lets a file have


@dataclass(frozen=True, slots=True)
class Hostile:
    """A card, the state of its bay, what is said, and how many files are kept."""

    make: Callable[[Path], tuple[Fault, ...]]
    state: str
    says: str = ""
    kept: int = 0


def _clip(fat: Fat32, name: bytes = NAME) -> bytes:
    return entry(name, fat.put(CLIP), len(CLIP))


def _in_dcim(fat: Fat32, entries: bytes, first: int) -> None:
    """Put entries and one good clip into the only directory of a card."""
    fat.folder(_clip(fat) + entries, first)
    fat.put(entry(b"DCIM".ljust(11), first, kind=FOLDER), ROOT)


def own_parent(path: Path) -> tuple[Fault, ...]:
    """A directory whose clusters are those of the one that it lies in.

    The kernel follows it once; so the clip is found twice.
    """
    with Fat32(path) as fat:
        first = fat.reserve()
        _in_dcim(fat, entry(b"LOOP".ljust(11), first, kind=FOLDER), first)
    return ()


def endless_chain(path: Path) -> tuple[Fault, ...]:
    """A directory whose clusters lead back to its first."""
    with Fat32(path, sectors=8, size=320 << 20) as fat:
        first, loop = fat.reserve(), fat.put(bytes(8192))
        fat.link(loop + 1, loop)
        _in_dcim(fat, entry(b"LOOP".ljust(11), loop, kind=FOLDER), first)
    return ()


def full_folder(path: Path) -> tuple[Fault, ...]:
    """A directory of 65 536 entries: most deleted, then empty files with long names.

    All of them live would take FAT minutes here: it looks for each from the start.
    """
    names = (f"{number:05}".ljust(LONGEST, "x") for number in range(EMPTY_FILES))
    with Fat32(path) as fat:
        first = fat.reserve()
        files = b"".join(fat.long(name, b"") for name in names)
        deleted = FULL - 3 - len(files) // ENTRY  # two dots, and the clip
        _in_dcim(fat, entry(b"\xe5" + NAME[1:], 0) * deleted + files, first)
    return ()


ODD_NAMES = (
    "L" * 251 + ".MP4",
    "A\x01\n\x1b[2JB.MP4",  # what a terminal would obey
    "\u202e4PM.EXE",  # reads from right to left
    "\U0001f600.MP4",  # a pair of surrogates, whole
    "\ufeff.MP4",
    "e\u0301.MP4",
    "\u00e9.MP4",  # the same to the eye
    " .MP4",
    "%2e%2e.MP4",
    "-rf .MP4",
)
GBK = (b"\xc5\xc4\xc9\xe3A   MP4", b"\x05\xc4\xc9\xe3B   MP4")


def odd_names(path: Path) -> tuple[Fault, ...]:
    """Names that are odd, each of which leads to its file."""
    with Fat32(path) as fat:
        first = fat.reserve()
        files = [fat.long(name, name.encode()) for name in ODD_NAMES]
        files += [entry(name, fat.put(name), len(name)) for name in GBK]
        _in_dcim(fat, b"".join(files), first)
    return ()


BROKEN_NAMES = (
    "\ud800A.MP4",  # half a character: what it lists is not its name
    "\udc00A.MP4",  # and twice the same
    "DOT.MP4.",
    "SPACE.MP4  ",
    "CASE.MP4",
    "case.mp4",  # the first of the two is what is found
)
KEPT_OF_BROKEN = 4  # the clip, two that are found without their end, and CASE.MP4


def broken_names(path: Path) -> tuple[Fault, ...]:
    """Names of which some lead to no file, or to another's."""
    with Fat32(path) as fat:
        first = fat.reserve()
        files = (fat.long(n, n.encode("utf-8", "surrogatepass")) for n in BROKEN_NAMES)
        _in_dcim(fat, b"".join(files), first)
    return ()


def beyond_its_memory(path: Path) -> tuple[Fault, ...]:
    """A disk that says 2 TB and fails where its memory ends: a file lies there."""
    with Fat32(path, NEAR_2_TB, 128) as fat:
        first, far = fat.reserve(), 30_000_000
        fat.put(CLIP, far)
        _in_dcim(fat, entry(b"FAR     MP4", far, len(CLIP)), first)
        sector = fat.at(far) // SECTOR
    return (Fault(tuple(range(sector, sector + 128))),)


def folder_beyond_its_memory(path: Path) -> tuple[Fault, ...]:
    """The same, with a directory: FAT lists it as if it were empty."""
    with Fat32(path, NEAR_2_TB, 128) as fat:
        first, far = fat.reserve(), 30_000_000
        fat.folder(_clip(fat), far, first)
        _in_dcim(fat, entry(b"FAR".ljust(11), far, kind=FOLDER), first)
        sector = fat.at(far) // SECTOR
    return (Fault(tuple(range(sector, sector + 128))),)


def larger_than_its_device(path: Path) -> tuple[Fault, ...]:
    """A file system that was copied to a smaller card, and lost its end."""
    with Fat32(path) as fat:
        first, far = fat.reserve(), 110_000
        fat.folder(_clip(fat), far, first)
        _in_dcim(fat, entry(b"FAR".ljust(11), far, kind=FOLDER), first)
    with path.open("r+b") as file:
        file.truncate(48 << 20)
    return ()


def nodes(path: Path) -> tuple[Fault, ...]:
    """Links, devices and pipes where files should be."""
    _ext4(path)
    _debugfs(
        path,
        "symlink SHADOW.MP4 /etc/shadow",
        "symlink WAY /proc/1/root",
        "mknod DISK.MP4 b 8 0",
        "mknod ZERO.MP4 c 1 5",
        "mknod PIPE.MP4 p",
    )
    return ()


def sparse(path: Path) -> tuple[Fault, ...]:
    """A file of 4 TB that is one hole."""
    _ext4(path)
    _debugfs(path, f"set_inode_field DCIM/CLIP1.MP4 size {HOLE}")
    return ()


def lost_inode(path: Path) -> tuple[Fault, ...]:
    """A name in the root whose file is not there."""
    _ext4(path, {"A.MP4": CLIP})
    _debugfs(path, "clri A.MP4")
    return ()


def deep(path: Path) -> tuple[Fault, ...]:
    """Directories in one another, a thousand of them."""
    with Fat32(path) as fat:
        first = fat.reserve()
        here, above = fat.reserve(), first
        inner = here
        for _ in range(DEEP):
            below = fat.reserve()
            fat.folder(entry(b"D".ljust(11), below, kind=FOLDER), here, above)
            here, above = below, here
        fat.folder(_clip(fat), here, above)
        _in_dcim(fat, entry(b"D".ljust(11), inner, kind=FOLDER), first)
    return ()


def iso(path: Path) -> tuple[Fault, ...]:
    """A file system that is not read here: what CDs have."""
    volume = struct.pack("<B5sB", 1, b"CD001", 1).ljust(2048, b"\0")
    path.write_bytes(bytes(32768) + volume + bytes(1 << 20))
    return ()


def swap(path: Path) -> tuple[Fault, ...]:
    """What is no file system."""
    path.write_bytes(bytes(1 << 20))
    run("mkswap", path)
    return ()


def _ext4(path: Path, more: dict[str, bytes] | None = None) -> None:
    files = {"DCIM/CLIP1.MP4": CLIP, **(more or {})}
    card(path, files, Shape("ext4", partitioned=False))


def _debugfs(path: Path, *requests: str) -> None:
    given = "\n".join(requests).encode()
    run("debugfs", "-w", "-f", "-", path, given=given)


MISSED = "not safe"
FAT_CARDS = {
    "own parent": Hostile(own_parent, "fault", MISSED, 2),
    "endless chain": Hostile(endless_chain, "fault", MISSED, 1),
    "full folder": Hostile(full_folder, "sealed", "", EMPTY_FILES + 1),
    "odd names": Hostile(odd_names, "sealed", "", len(ODD_NAMES) + len(GBK) + 1),
    "broken names": Hostile(broken_names, "fault", MISSED, KEPT_OF_BROKEN),
    "a folder beyond": Hostile(folder_beyond_its_memory, "fault", MISSED, 1),
    "cut short": Hostile(larger_than_its_device, "fault", MISSED, 1),
}
OTHER_CARDS = {
    "a file beyond": Hostile(beyond_its_memory, "fault", MISSED, 1),
    "nodes": Hostile(nodes, "sealed", "", 1),
    "sparse": Hostile(sparse, "waiting"),
    "lost inode": Hostile(lost_inode, "fault", MISSED, 1),
    "deep": Hostile(deep, "fault", MISSED, 1),
    "iso": Hostile(iso, "fault", "its file system is iso9660"),
    "swap": Hostile(swap, "fault", "its file system is swap"),
}
