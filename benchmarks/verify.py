"""How fast `verify` reads a vault, held against one SHA-256 pass over as many bytes.

    python benchmarks/verify.py [--dir DIR] [FILESxMIB …]

For each vault: MB/s of the pass in memory, of reading the files past the cache and
nothing else, of a pass as `sha256sum` does it (from the cache), and of verify's, which
reads from the medium; and its part of the pass, and of the slower of pass and medium:
more than that no check can do that reads the medium. Runs take turns; the best of each
counts.
"""

import argparse
import hashlib
import mmap
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from dock_agent.vault.real import RealDisk
from dock_agent.vault.verify import digests

MIB, BLOCK, ROUNDS = 1 << 20, 4 << 20, 5
VAULTS = ("1x512", "16x64", "400x1")


def main() -> None:
    """Measure each vault and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dir", type=Path, help="where the vaults are made")
    parser.add_argument("vaults", nargs="*", default=VAULTS)
    told = parser.parse_args()
    print("files x MiB | pass MB/s | medium | sha256sum | verify | of pass | of limit")
    for vault in told.vaults:
        with tempfile.TemporaryDirectory(dir=told.dir) as folder:
            files, size = map(int, vault.split("x"))
            print(f"{vault} | {measured(Path(folder), files, size * MIB)}", flush=True)


def measured(root: Path, files: int, size: int) -> str:
    """Return the figures of a bag of so many files, as a row."""
    block = os.urandom(MIB)
    paths = [made(root / f"data/{n:04d}", block, size) for n in range(files)]
    works = (
        lambda: in_memory(block, files * size // MIB),
        lambda: medium(paths, size),
        lambda: read(paths),
        lambda: verified(paths),
    )
    rounds = [tuple(map(timed, works)) for _ in range(ROUNDS)]
    best = [min(times) for times in zip(*rounds, strict=True)]
    rates = [files * size / seconds / 1e6 for seconds in best]
    told = " | ".join(f"{rate:.0f}" for rate in rates)
    return f"{told} | {rates[3] / rates[0]:.0%} | {rates[3] / min(rates[:2]):.0%}"


def in_memory(block: bytes, count: int) -> None:
    """Hash a block so many times, and touch no disk."""
    whole = hashlib.sha256()
    for _ in range(count):
        whole.update(block)


def medium(paths: list[Path], size: int) -> None:
    """Read files past the cache, and do nothing with them."""
    buffer = mmap.mmap(-1, BLOCK)
    for path in paths:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
        for offset in range(0, size, BLOCK):
            os.preadv(fd, [buffer], offset)
        os.close(fd)


def read(paths: list[Path]) -> None:
    """Read and hash files as `sha256sum` does."""
    for path in paths:
        with path.open("rb") as file:
            hashlib.file_digest(file, "sha256")


def verified(paths: list[Path]) -> None:
    """Read and hash files as `verify` does."""
    for found in digests(RealDisk(), paths):
        if isinstance(found, OSError):
            raise found


def made(path: Path, block: bytes, size: int) -> Path:
    """Write a file of `size` bytes, to the disk."""
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        for _ in range(size // len(block)):
            file.write(block)
        os.fsync(file.fileno())
    return path


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds a piece of work takes."""
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


if __name__ == "__main__":
    main()
