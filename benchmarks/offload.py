"""How fast an offload is, against tools that copy and check, on the same tree.

    python benchmarks/offload.py [--in DIRECTORY] [--tree NAME=COUNTxMEBIBYTES,…]

Every tool gets the same cold tree in turn, and its copy is made durable; the
rounds are interleaved. Peers that are not installed are left out. The limit is
what the disk and the processor need for the bytes alone: where one disk is both
camera and vault, reading, writing and reading back add up; hashing runs beside.
Only ratios within one run carry over to another machine.
"""

import argparse
import hashlib
import json
import mmap
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from dock_agent.vault.real import BIG, RealDisk

MIB = 1 << 20
BLOCK = 4 * MIB
AGENT = Path(sys.executable).with_name("dock-agent")
CONFIG = """
[station]
id = "benchmark"
timezone = "UTC"
[vault]
path = "vault"
reserve_bytes = 0

[offload]
rest_s = 0  # as on a camera, which is mounted read-only
[store]
path = "store.db"
"""
OURS = "dock-agent import"
DIGESTS = "find . -type f -print0 | sort -z | xargs -0"
SCRIPTS = {
    OURS: f'{AGENT} import --config "$TO/dock.toml" --camera GENERIC:1 --json "$CARD"',
    "rsync -a, rsync -c": (
        'rsync -a "$CARD/" "$TO/"; sync -f "$TO";'
        ' test -z "$(rsync -acn --out-format=%n "$CARD/" "$TO/")"'
    ),
    "cp, openssl twice": (
        'cp -a "$CARD/." "$TO"; sync -f "$TO";'
        f' one="$(cd "$CARD"; {DIGESTS} openssl dgst -r -sha256)";'
        f' two="$(cd "$TO"; {DIGESTS} openssl dgst -r -sha256)"; test "$one" = "$two"'
    ),
    "cp, sha256sum twice": (
        'cp -a "$CARD/." "$TO"; sync -f "$TO";'
        f' (cd "$CARD"; {DIGESTS} sha256sum) > "$TO.sums";'
        ' cd "$TO"; sha256sum --quiet -c "$TO.sums"'
    ),
    "rclone copy, check": (
        'rclone -q copy "$CARD" "$TO"; sync -f "$TO";'
        ' rclone -q check --download "$CARD" "$TO"'
    ),
}


@dataclass(frozen=True, slots=True)
class Tree:
    """A card to copy: groups of files, each a number of files of one size."""

    name: str
    groups: tuple[tuple[int, int], ...]  # files, bytes of each

    @property
    def size(self) -> int:
        return sum(files * size for files, size in self.groups)


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the clock, seconds of processors, and bytes at the peak."""

    wall: float
    cpu: float
    peak: int


@dataclass(frozen=True, slots=True)
class Limit:
    """Seconds that the bytes alone take."""

    read: float
    write: float
    read_back: float
    digest: float

    @property
    def wall(self) -> float:
        return max(self.read + self.write + self.read_back, self.digest)


def tree(text: str) -> Tree:
    """Read NAME=COUNTxMEBIBYTES[,COUNTxMEBIBYTES…]."""
    name, _, rest = text.partition("=")
    groups = [group.split("x") for group in rest.split(",")]
    return Tree(name, tuple((int(n), int(float(size) * MIB)) for n, size in groups))


TREES = ("big=3x80", "mixed=2x60,400x0.1", "small=1000x0.15")


def make(card: Path, what: Tree) -> None:
    """Fill a card with bytes that no file system can compress."""
    for group, (files, size) in enumerate(what.groups):
        for number in range(files):
            folder = card / "DCIM" / f"{100 + number // 200}-{group}"
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / f"F{number:05}.MP4").open("wb") as file:
                for left in range(size, 0, -MIB):
                    file.write(os.urandom(min(left, MIB)))


def files_below(folder: Path) -> list[Path]:
    """Return every file of a card."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def forget(card: Path) -> None:
    """Drop a tree from the page cache, and nothing else."""
    for path in files_below(card):
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


@contextmanager
def place(root: Path) -> Iterator[Path]:
    """Give an empty directory, and remove it durably afterwards."""
    folder = root / "copy"
    folder.mkdir()
    (folder / "dock.toml").write_text(CONFIG)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        (root / "copy.sums").unlink(missing_ok=True)
        subprocess.run(["sync", "-f", root], check=True)


def run(name: str, card: Path, root: Path) -> Cost:
    """Run one tool on a cold card."""
    forget(card)
    with place(root) as to:
        if name != OURS:
            (to / "dock.toml").unlink()
        begin = time.monotonic()
        child = subprocess.Popen(
            ["bash", "-euc", SCRIPTS[name]],
            env={**os.environ, "CARD": str(card), "TO": str(to)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(child.pid, 0)
        wall = time.monotonic() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        sys.exit(f"{name} failed with {child.returncode}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024)


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds something takes."""
    begin = time.monotonic()
    work()
    return time.monotonic() - begin


def limit(card: Path, root: Path) -> Limit:
    """Measure what the bytes alone cost here."""
    forget(card)
    paths = files_below(card)
    sizes = {path.name + path.parent.name: path.stat().st_size for path in paths}
    buffer = memoryview(mmap.mmap(-1, BLOCK))
    buffer[:] = os.urandom(MIB) * (BLOCK // MIB)

    def digest() -> None:
        whole, left = hashlib.sha256(), sum(sizes.values())
        for _ in range(left // BLOCK + 1):
            whole.update(buffer)

    with place(root) as to:
        return Limit(
            read=timed(lambda: _read(paths, buffer, 0)),
            write=timed(lambda: _write(to, sizes, buffer)),
            read_back=timed(
                lambda: _read([to / name for name in sizes], buffer, os.O_DIRECT)
            ),
            digest=timed(digest),
        )


def _read(paths: list[Path], buffer: memoryview, flags: int) -> None:
    for path in paths:
        fd = os.open(path, os.O_RDONLY | flags)
        while os.readv(fd, [buffer]) == len(buffer):
            pass
        os.close(fd)


def _write(to: Path, sizes: dict[str, int], buffer: memoryview) -> None:
    disk = RealDisk()
    with disk.barrier(to):
        for name, size in sizes.items():
            writer = disk.create(to / name, size)
            for offset in range(0, size, BLOCK):
                writer.write(buffer[: size - offset], offset)
            writer.finish(size, 0)
            if size >= BIG:
                writer.sync()
            writer.close()


def compare(what: Tree, names: list[str], root: Path, rounds: int) -> None:
    """Run every tool in turn, and print medians and ratios."""
    card = root / "card"
    make(card, what)
    costs: dict[str, list[Cost]] = {name: [] for name in names}
    limits = []
    for _ in range(rounds):
        limits.append(limit(card, root))
        for name in names:
            costs[name].append(run(name, card, root))
    ours = median(cost.wall for cost in costs[OURS])
    gib = what.size / (1 << 30)
    print(f"\n{what.name}: {sum(n for n, _ in what.groups)} files, {gib:.2f} GiB")
    print(f"{'':22} wall s  CPU s  CPU s/GiB  peak MiB  ours is")
    for name, runs in costs.items():
        wall, cpu = median(c.wall for c in runs), median(c.cpu for c in runs)
        peak = max(c.peak for c in runs) // MIB
        print(
            f"{name:22} {wall:6.2f} {cpu:6.2f} {cpu / gib:10.2f} {peak:9}"
            f" {ours / wall:7.2f} x"
        )
    best = median(one.wall for one in limits)
    print(f"{'the bytes alone':22} {best:6.2f} {'':27} {ours / best:8.2f} x")
    for part in ("read", "write", "read_back", "digest"):
        print(f"  {part:20} {median(getattr(one, part) for one in limits):6.2f}")
    shutil.rmtree(card)


def main() -> None:
    """Read the arguments and compare."""
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    words.add_argument("--in", dest="root", type=Path, default=Path())
    words.add_argument("--tree", action="append", type=tree)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--only", action="append", choices=list(SCRIPTS))
    told = words.parse_args()
    names = [
        name
        for name in told.only or SCRIPTS
        if name == OURS or all(shutil.which(tool) for tool in _tools(name))
    ]
    root = told.root.resolve() / "benchmark-offload"
    root.mkdir()
    print(json.dumps({"cores": os.cpu_count(), "in": str(root), "tools": names}))
    try:
        for what in told.tree or map(tree, TREES):
            compare(what, names, root, told.rounds)
    finally:
        shutil.rmtree(root)


def _tools(name: str) -> list[str]:
    return [part.split()[0] for part in name.split(", ") if part != "check"]


if __name__ == "__main__":
    main()
