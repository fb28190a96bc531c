"""Card trees for tests: the same bytes at each run, hostile where asked for."""

import hashlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path

DAY = 1_772_697_600_000_000_000  # 2026-03-05 08:00 UTC, in nanoseconds


def content(name: str, size: int) -> bytes:
    """Return `size` bytes that only `name` has, no two blocks alike."""
    return hashlib.shake_256(name.encode("utf-8", "surrogateescape")).digest(size)


def card(root: Path, sizes: Mapping[str, int]) -> Path:
    """Make files of the given sizes below `root`; return `root`."""
    for name, size in sizes.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(name, size))
        os.utime(path, ns=(DAY, DAY))
    return root


def hostile(root: Path) -> Path:
    """Make what no camera should hold, and a little footage."""
    card(root, {"DCIM/0001.MP4": 5000, "DCIM/empty.MP4": 0})
    (root / "DCIM/link.MP4").symlink_to("/etc/passwd")
    (root / "folder").symlink_to("/etc")
    os.mkfifo(root / "DCIM/pipe.MP4")
    os.link(root / "DCIM/empty.MP4", root / "DCIM/hard.MP4")
    with socket.socket(socket.AF_UNIX) as unix:
        here = Path.cwd()
        os.chdir(root)  # a socket's path is short
        unix.bind("socket")
        os.chdir(here)
    for name in NAMES:
        descriptor = os.open(
            os.fsencode(root) + b"/DCIM/" + name, os.O_CREAT | os.O_WRONLY
        )
        os.write(descriptor, name)
        os.close(descriptor)
    return root


NAMES = (
    b"new\nline.MP4",
    b"tab\tand\rreturn.MP4",
    b"not-utf8-\xff\xfe.MP4",
    b"cafe\xcc\x81.MP4",
    b"caf\xc3\xa9.MP4",
    b"CON",
    b"nul.txt",
    b"trailing.",
    b"trailing ",
    b"-rf",
    b"~home",
    b"100%0A.MP4",
    b"a=b.MP4",
    b"back\\slash:colon.MP4",
    b"UPPER.mp4",
    b"upper.mp4",
    b"x" * 255,
    b".part-0123456789abcdef",
    b"ascmhl",
    b".DS_Store",
)


def digests(root: Path) -> dict[bytes, str]:
    """Return the SHA-256 of every regular file by its raw path below `root`."""
    return {
        os.fsencode(path.relative_to(root)): hashlib.sha256(
            path.read_bytes()
        ).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
