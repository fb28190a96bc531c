"""A directory shown as a card that fails as media do: FUSE (libfuse), in threads.

Real system calls meet real errors: EIO from an offset on, a read that hangs, a
slow medium, a device that is gone. Never in one process with umockdev.
"""

import errno
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mfusepy
import pytest

NO_SUCH_OFFSET = 1 << 62


class FaultCard(mfusepy.Operations):  # type: ignore[misc] # untyped library
    """What is wrong with the card; change it while it is mounted.

    `errors` maps a path to the offset from which reads fail with EIO; `kept` are
    paths whose removal fails.
    """

    use_ns = True
    use_ino = False  # whether its own inode numbers are shown

    def __init__(self, source: Path) -> None:
        self.source = source
        self.errors: dict[str, int] = {}
        self.kept: set[str] = set()
        self.unlinked = 0
        self.gone_after_unlinks: int | None = None
        self.hangs = threading.Event()
        self.released = threading.Event()
        self.gone = 0
        self.bytes_read = 0
        self.gone_after: int | None = None

    def pull(self) -> None:
        """From now on every call fails as on a device that is gone."""
        self.gone = errno.ENODEV
        self.released.set()

    def _real(self, path: str) -> str:
        if self.gone:
            raise mfusepy.FuseOSError(self.gone)
        return f"{self.source}{path}"

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        del fh
        try:
            facts = os.lstat(self._real(path))
        except OSError as error:
            raise mfusepy.FuseOSError(error.errno) from error
        times = {f"st_{k}time": getattr(facts, f"st_{k}time_ns") for k in "amc"}
        names = ("st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_ino")
        return {name: getattr(facts, name) for name in names} | times

    def readdir(self, path: str, fh: int) -> list[str]:
        del fh
        return [".", "..", *(entry.name for entry in Path(self._real(path)).iterdir())]

    def open(self, path: str, flags: int) -> int:
        return os.open(self._real(path), flags & os.O_ACCMODE)

    def release(self, path: str, fh: int) -> int:
        del path
        os.close(fh)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        self._real(path)
        if self.hangs.is_set():
            self.released.wait(60)
            self._real(path)
        if offset + size > self.errors.get(path, NO_SUCH_OFFSET):
            raise mfusepy.FuseOSError(errno.EIO)
        self.bytes_read += size
        if self.gone_after is not None and self.bytes_read > self.gone_after:
            self.pull()
            self._real(path)
        return os.pread(fh, size, offset)

    def unlink(self, path: str) -> None:
        real = self._real(path)
        if self.unlinked == self.gone_after_unlinks:
            self.pull()
            self._real(path)
        if path in self.kept:
            raise mfusepy.FuseOSError(errno.EIO)
        Path(real).unlink()
        self.unlinked += 1


@contextmanager
def mounted(
    source: Path,
    point: Path,
    kind: type[FaultCard] = FaultCard,
    *,
    cached: bool = False,
    writable: bool = False,
) -> Iterator[FaultCard]:
    """Show `source` at `point` for the length of the block.

    `cached`: what was read is kept in the page cache, as other file systems do.
    """
    if shutil.which("fusermount3") is None or not Path("/dev/fuse").exists():
        pytest.skip("FUSE is missing: `make test` installs fuse3; /dev/fuse is needed")
    card = kind(source.resolve())
    point.mkdir(exist_ok=True)
    thread = threading.Thread(
        target=mfusepy.FUSE,
        args=(card, str(point)),
        kwargs={
            "foreground": True,
            "ro": not writable,
            "fsname": "camera",
            "attr_timeout": 0,
            "entry_timeout": 0,
            "direct_io": not cached,
            "use_ino": kind.use_ino,
        },
        daemon=True,
    )
    thread.start()
    pause = threading.Event()
    for _ in range(500):
        if point.is_mount():
            break
        pause.wait(0.01)
    try:
        yield card
    finally:
        card.pull()
        subprocess.run(["fusermount3", "-uz", str(point)], check=False)
        thread.join(5)
