"""A camera's files, opened, read and held against the inventory; never written."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dock_agent.errors import CameraError, CameraGone, SourceChanged
from dock_agent.recording import Digest
from dock_agent.vault.buffers import ring
from dock_agent.vault.disk import Beat

GONE = {
    errno.ENODEV,
    errno.ENXIO,
    errno.ENOTCONN,
    errno.ESHUTDOWN,
    errno.ENOMEDIUM,
    errno.ECONNABORTED,
}

LATEST_NS = (1 << 63) - 1


class Source(Protocol):
    """A camera's tree. There is no way to write to it."""

    def open(self, path: bytes) -> int:
        """Open a regular file beneath the root for reading.

        Nothing on the way is followed; `OSError` as the kernel gives it.
        """
        ...

    def read(self, fd: int, buffer: memoryview) -> int:
        """Read the next bytes of an opened file; return how many, 0 at its end.

        `OSError` as the kernel gives it.
        """
        ...

    def alive(self) -> bool:
        """Whether the camera is still there: a stale mount may list as empty."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """One file as the inventory has it, and where its copy goes.

    `inode` is 0 where the file system invents its numbers anew.
    """

    path: bytes
    target: Path
    size: int
    mtime_ns: int
    device: int
    inode: int

    def same(self, facts: os.stat_result) -> bool:
        """Whether a file is still the one that was listed."""
        known = self.device, self.size, self.mtime_ns
        now = facts.st_dev, facts.st_size, mtime_of(facts)
        return known == now and self.inode in {0, facts.st_ino}


def mtime_of(facts: os.stat_result) -> int:
    """Return a modification time in ns, at most what fits into 64 bits (year 2262).

    A camera's clock may say anything; the database holds no larger number.
    """
    return max(-LATEST_NS, min(facts.st_mtime_ns, LATEST_NS))


def digest_source(source: Source, wanted: Wanted, beat: Beat) -> Digest:
    """Read a file of the camera once and return its SHA-256.

    Raises `CameraGone`, `CameraError`, or `SourceChanged`.
    """
    whole, done = hashlib.sha256(), 0
    buffer = ring()[0]
    with opened(source, wanted) as fd:
        while count := read(source, fd, buffer, wanted):
            whole.update(buffer[:count])
            done += count
            beat(count)
        unchanged(source, fd, wanted, done)
    return Digest(whole.hexdigest())


@contextmanager
def opened(source: Source, wanted: Wanted) -> Iterator[int]:
    """Open a file of the inventory, refusing one that is no longer what was listed."""
    with camera_errors(source, wanted):
        fd = source.open(wanted.path)
    try:
        unchanged(source, fd, wanted, wanted.size)
        yield fd
    finally:
        with camera_errors(source, wanted):
            os.close(fd)


def read(source: Source, fd: int, buffer: memoryview, wanted: Wanted) -> int:
    """Read the next bytes into `buffer`; return how many."""
    with camera_errors(source, wanted):
        return source.read(fd, buffer)


def unchanged(source: Source, fd: int, wanted: Wanted, done: int) -> None:
    """Hold the open file against the inventory, and the bytes read against both."""
    with camera_errors(source, wanted):
        facts = os.fstat(fd)
    if not wanted.same(facts) or done != wanted.size:
        raise SourceChanged(
            f"{shown(wanted.path)}: {wanted.size} bytes were listed,"
            f" {done} read, {facts.st_size} are there now"
        )


@contextmanager
def camera_errors(source: Source, wanted: Wanted) -> Iterator[None]:
    """Tell a camera that is gone from one whose medium fails."""
    try:
        yield
    except OSError as error:
        what = f"{shown(wanted.path)}: {error.strerror}"
        if error.errno in GONE or not source.alive():
            raise CameraGone(what) from error
        raise CameraError(what) from error


def shown(path: bytes) -> str:
    """Return a raw name as text for people."""
    return path.decode("utf-8", "backslashreplace")
