"""A directory as a destination: a NAS share that is mounted here.

A copy is written beside its name, flushed, read back past our page cache, and
only then renamed. What a network file system's server keeps in its own memory
cannot be seen from here.
"""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dock_agent.errors import FixityError, Refused, Unreachable
from dock_agent.recording import Digest, Proof
from dock_agent.sync.destination import (
    Confirmation,
    Object,
    Progress,
    Pulse,
    Remember,
)
from dock_agent.vault.buffers import BLOCK
from dock_agent.vault.disk import Disk
from dock_agent.vault.layout import PART

NOT_NOW = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOTCONN, errno.ESTALE}
    | {errno.ENOENT, errno.EHOSTDOWN, errno.ETIMEDOUT, errno.ENODEV}
)


class Directory:
    """Meets `destination.Destination`. `root` must be there: it is the mount."""

    def __init__(self, root: Path, disk: Disk) -> None:
        self._root, self._disk = root, disk

    def close(self) -> None:
        """Nothing is left open."""

    def check(self) -> str:
        probe = self._root / f"{PART}probe-{secrets.token_hex(4)}"
        with self._translated():
            self._there()
            writer = self._disk.create(probe, 0)
            writer.close()
            self._disk.unlink(probe)
        return "writable; every copy is read back"

    def send(self, item: Object, done: Progress, remember: Remember) -> Confirmation:
        pulse = Pulse(lambda: remember(done))  # a copy is begun anew: nothing is kept
        with self._translated():
            there = self._proved(item, pulse)
            if there is not None:
                return there
            target = self._root / item.key
            if self._disk.exists(target):
                raise Refused(f"another file is already called {item.key}")
            self._disk.make_directory(target.parent)
            self._copy(item, target, pulse)
        return Confirmation(Proof.READ_BACK, item.digest)

    def confirm(self, item: Object) -> Confirmation | None:
        with self._translated():
            return self._proved(item, Pulse(lambda: None))

    def _proved(self, item: Object, pulse: Pulse) -> Confirmation | None:
        self._there()
        target = self._root / item.key
        if not self._disk.exists(target) or self._disk.size(target) != item.size:
            return None
        if self._disk.reread(target, pulse.moved).digest != item.digest:
            return None
        return Confirmation(Proof.READ_BACK, item.digest)

    def _copy(self, item: Object, target: Path, pulse: Pulse) -> None:
        part = target.with_name(PART + secrets.token_hex(8))
        try:
            self._write(item, part, pulse)
            if self._disk.reread(part, pulse.moved).digest != item.digest:
                raise Unreachable(f"{item.key} was read back other than it was sent")
            self._disk.rename(part, target)
            self._disk.sync_directory(target.parent)
        finally:
            with suppress(OSError):
                if self._disk.exists(part):
                    self._disk.unlink(part)

    def _write(self, item: Object, part: Path, pulse: Pulse) -> None:
        whole, offset = hashlib.sha256(), 0
        writer = self._disk.create(part, item.size)
        try:
            for block in _blocks(item.path):
                whole.update(block)
                writer.write(memoryview(block), offset)
                offset += len(block)
                pulse.moved(len(block))
            if Digest(whole.hexdigest()) != item.digest:
                raise FixityError(f"{item.path} is no longer what it was")
            writer.finish(item.size, item.path.stat().st_mtime_ns)
            writer.sync()
        finally:
            writer.close()

    def _there(self) -> None:
        if not self._root.is_dir():
            raise Unreachable(f"{self._root} is not there: is the share mounted?")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = f"{self._root}: {error.strerror}"
            if error.errno in NOT_NOW:
                raise Unreachable(what) from error
            raise Refused(what) from error


def _blocks(path: Path) -> Iterator[bytes]:
    """Read our own file; what goes wrong here is not the destination's fault."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise FixityError(f"{path}: {error.strerror}") from error
    try:
        while block := _read(fd, path):
            yield block
    finally:
        os.close(fd)


def _read(fd: int, path: Path) -> bytes:
    try:
        return os.read(fd, BLOCK)
    except OSError as error:
        raise FixityError(f"{path}: {error.strerror}") from error
