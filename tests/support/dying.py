"""A copy in a process that dies at the operation it is told to.

    python dying.py CAMERA BAG OPERATION [PUBLIC]

Every call on the vault's disk is an operation; before the one with that number
the process is killed, as by SIGKILL: nothing of it runs any more. Each proof is
written to BAG.proofs before names are given, as the database would have it. With
PUBLIC, a recipient's file, what is copied is encrypted.
"""

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dock_agent.custody.recipients import parse
from dock_agent.offload.copy import Copied, copy_batch, copy_one, give_names
from dock_agent.vault.disk import Beat, Begin, Reread, Writer, silent
from dock_agent.vault.real import RealDisk
from support.copying import MIB, FolderCamera


@dataclass
class Fate:
    """How many operations are left."""

    left: int

    def tick(self) -> None:
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class DyingWriter:
    """Meets `vault.disk.Writer`."""

    inner: Writer
    fate: Fate

    def write(self, block: memoryview, offset: int) -> None:
        self.fate.tick()
        self.inner.write(block, offset)

    def finish(self, size: int, mtime_ns: int) -> None:
        self.fate.tick()
        self.inner.finish(size, mtime_ns)

    def sync(self) -> None:
        self.fate.tick()
        self.inner.sync()

    def close(self) -> None:
        self.fate.tick()
        self.inner.close()


@dataclass
class DyingDisk:
    """Meets `vault.disk.Disk`."""

    inner: RealDisk
    fate: Fate

    def make_directory(self, path: Path) -> None:
        self.fate.tick()
        self.inner.make_directory(path)

    def create(self, path: Path, size: int) -> Writer:
        self.fate.tick()
        return DyingWriter(self.inner.create(path, size), self.fate)

    @contextmanager
    def barrier(self, directory: Path) -> Iterator[None]:
        with self.inner.barrier(directory):
            yield
            self.fate.tick()

    def reread(self, path: Path, beat: Beat = silent) -> Reread:
        self.fate.tick()
        return self.inner.reread(path, beat)

    def study(self, path: Path, begin: Begin, beat: Beat = silent) -> Reread:
        self.fate.tick()
        return self.inner.study(path, begin, beat)

    def read(self, path: Path) -> bytes:
        self.fate.tick()
        return self.inner.read(path)

    def rename(self, source: Path, target: Path) -> None:
        self.fate.tick()
        self.inner.rename(source, target)

    def sync_directory(self, path: Path) -> None:
        self.fate.tick()
        self.inner.sync_directory(path)

    def unlink(self, path: Path) -> None:
        self.fate.tick()
        self.inner.unlink(path)

    def listing(self, path: Path) -> Iterable[Path]:
        self.fate.tick()
        return self.inner.listing(path)

    def names(self, path: Path) -> Iterable[str]:
        self.fate.tick()
        return self.inner.names(path)

    def directories(self, path: Path) -> Iterable[Path]:
        self.fate.tick()
        return self.inner.directories(path)

    def oddities(self, path: Path) -> Iterable[Path]:
        self.fate.tick()
        return self.inner.oddities(path)

    def exists(self, path: Path) -> bool:
        self.fate.tick()
        return self.inner.exists(path)

    def size(self, path: Path) -> int:
        self.fate.tick()
        return self.inner.size(path)

    def free(self, path: Path) -> int:
        self.fate.tick()
        return self.inner.free(path)


def main(camera_root: Path, bag: Path, operation: int, *public: Path) -> None:
    """Copy everything on the camera that the bag does not hold."""
    camera, disk = FolderCamera(camera_root), DyingDisk(RealDisk(), Fate(operation))
    to = [parse(path.read_bytes()) for path in public]
    names = sorted(path.name for path in camera_root.iterdir())
    wanted = [camera.wanted(name, bag) for name in names if not (bag / name).exists()]
    small = [want for want in wanted if want.size < MIB]
    found = copy_batch(camera, small, disk, silent, to)
    found += [copy_one(camera, w, disk, silent, to) for w in wanted if w.size >= MIB]
    order = small + [want for want in wanted if want.size >= MIB]
    pairs = []
    with bag.with_suffix(".proofs").open("a") as proofs:
        for want, copied in zip(order, found, strict=True):
            if isinstance(copied, Copied):
                print(want.target.name, copied.digest, file=proofs)
                pairs.append((copied.part, want.target))
    give_names(disk, pairs)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), *map(Path, sys.argv[4:])
    )
