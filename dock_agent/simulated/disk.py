"""A disk in memory that forgets whatever was not flushed when its power is cut.

It is as unkind as the standards allow: a new name lasts only once its directory
was synced, bytes only once their file was; a file that was not may come back
right-sized and full of zeros, as after posix_fallocate(3) on ext4.
"""

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dock_agent.recording import Digest, ReadBack
from dock_agent.vault.disk import Beat, Begin, Reread, Writer, silent, unseen

ALIGNMENT = 4096  # bytes: what offsets are multiples of
EVERYTHING = 1 << 40  # bytes


class PowerCut(BaseException):
    """The power went; nothing runs any more, not even a handler of errors."""


@dataclass(slots=True)
class Faults:
    """What is wrong with a disk. Change it while the disk is in use.

    `loses_sync`: flushes are acknowledged and not done. `flips`: as many of the
    next write-backs change a bit. `answers_from_cache`: a read-back cannot be
    told from one of the page cache. `sync_error`: the errno that flushing a
    file gives, once (what was to be flushed is lost and counts as clean, as in
    Linux). `cut_after`: operations until the power goes.
    """

    loses_sync: bool = False
    flips: int = 0
    answers_from_cache: bool = False
    sync_error: int | None = None
    read_only: bool = False
    cut_after: int | None = None


@dataclass(slots=True, eq=False)
class _Inode:
    cache: bytearray  # what programs see
    medium: bytes = b""  # what a direct read sees
    lasting: bytes | None = None  # what a power cut leaves; None: nothing but zeros
    dirty: bool = True
    mtime_ns: int = 0
    mode: int = 0o600


@dataclass(slots=True)
class SimulatedDisk:
    """Meets `vault.disk.Disk`. `capacity` is in bytes."""

    capacity: int = EVERYTHING
    faults: Faults = field(default_factory=Faults)
    operations: int = 0
    _names: dict[Path, _Inode] = field(default_factory=dict)
    _lasting: dict[Path, _Inode] = field(default_factory=dict)
    _directories: set[Path] = field(default_factory=lambda: {Path("/")})

    def crash(self, *, names_last: bool = False) -> None:
        """Cut the power and start again; heals `cut_after`.

        With `names_last` every name survives although nobody synced it: the
        journal was faster than the data. Both happen to real disks.
        """
        kept = self._names if names_last else self._lasting
        self._names = dict(kept)
        for inode in self._names.values():
            found = inode.lasting
            inode.medium = bytes(len(inode.cache)) if found is None else found
            inode.cache, inode.dirty = bytearray(inode.medium), False
        self._lasting = dict(self._names)
        self.faults.cut_after = None

    def make_directory(self, path: Path) -> None:
        self.step(writes=path not in self._directories)
        for folder in (path, *path.parents):
            if folder in self._names:
                raise _failure(errno.ENOTDIR, folder)
        self._directories |= {path, *path.parents}

    def create(self, path: Path, size: int) -> Writer:
        self.step(writes=True)
        if path.parent not in self._directories:
            raise _failure(errno.ENOENT, path)
        if path in self._names or path in self._directories:
            raise _failure(errno.EEXIST, path)
        if size > self._left():
            raise _failure(errno.ENOSPC, path)
        inode = self._names[path] = _Inode(bytearray(size))
        return SimulatedWriter(self, path, inode)

    @contextmanager
    def barrier(self, directory: Path) -> Iterator[None]:
        if directory not in self._directories:
            raise _failure(errno.ENOENT, directory)
        yield
        self.step(writes=False)
        self._fail_sync(directory)
        for path, inode in self._names.items():
            self.step(writes=False)
            self.flush(path, inode)
        if not self.faults.loses_sync:
            self._lasting = dict(self._names)

    def reread(self, path: Path, beat: Beat = silent) -> Reread:
        return SimulatedDisk.study(self, path, unseen, beat)

    def study(self, path: Path, begin: Begin, beat: Beat = silent) -> Reread:
        self.step(writes=False)
        inode = self._inode(path)
        self._write_back(inode)
        cached = self.faults.answers_from_cache
        found = bytes(inode.cache) if cached else inode.medium
        begin()(memoryview(found))
        beat(len(found))
        method = ReadBack.CACHED if cached else ReadBack.DIRECT
        digest = Digest(hashlib.sha256(found).hexdigest())
        return Reread(digest, len(found), method, 0 if cached else len(found))

    def read(self, path: Path) -> bytes:
        self.step(writes=False)
        return bytes(self._inode(path).cache)

    def rename(self, source: Path, target: Path) -> None:
        self.step(writes=True)
        inode = self._inode(source)
        if target in self._names or target in self._directories:
            raise _failure(errno.EEXIST, target)
        if target.parent not in self._directories:
            raise _failure(errno.ENOENT, target)
        self._names[target] = inode
        del self._names[source]

    def sync_directory(self, path: Path) -> None:
        self.step(writes=False)
        if path not in self._directories:
            raise _failure(errno.ENOENT, path)
        if self.faults.loses_sync:
            return
        elsewhere = {p: i for p, i in self._lasting.items() if p.parent != path}
        here = {p: i for p, i in self._names.items() if p.parent == path}
        self._lasting = elsewhere | here

    def unlink(self, path: Path) -> None:
        self.step(writes=True)
        self._inode(path)
        del self._names[path]

    def listing(self, path: Path) -> Iterable[Path]:
        self.step(writes=False)
        return sorted(name for name in self._names if path in name.parents)

    def names(self, path: Path) -> Iterable[str]:
        self.step(writes=False)
        known = self._names.keys() | self._directories
        return sorted(found.name for found in known if found.parent == path)

    def directories(self, path: Path) -> Iterable[Path]:
        self.step(writes=False)
        return sorted(name for name in self._directories if path in name.parents)

    def oddities(self, path: Path) -> Iterable[Path]:
        del path  # nothing else can be made here
        self.step(writes=False)
        return ()

    def exists(self, path: Path) -> bool:
        self.step(writes=False)
        return path in self._names or path in self._directories

    def size(self, path: Path) -> int:
        self.step(writes=False)
        return len(self._inode(path).cache)

    def free(self, path: Path) -> int:
        self.step(writes=False)
        if path not in self._directories:
            raise _failure(errno.ENOENT, path)
        return self._left()

    def facts(self, path: Path) -> tuple[int, int]:
        """Return a file's modification time in nanoseconds and its mode."""
        inode = self._inode(path)
        return inode.mtime_ns, inode.mode

    def step(self, *, writes: bool) -> None:
        """Count an operation; raise what the faults have for it."""
        self.operations += 1
        left = self.faults.cut_after
        if left is not None:
            self.faults.cut_after = left - 1
            if left <= 0:
                raise PowerCut
        if writes and self.faults.read_only:
            raise _failure(errno.EROFS, Path("/"))

    def flush(self, path: Path, inode: _Inode) -> None:
        """Do what fsync(2) does to one file, or does not."""
        self._fail_sync(path, inode)
        self._write_back(inode)
        if not self.faults.loses_sync:
            inode.lasting = inode.medium

    def grow(self, inode: _Inode, end: int) -> None:
        """Make a file `end` bytes long at least, if there is room."""
        more = end - len(inode.cache)
        if more > self._left():
            raise _failure(errno.ENOSPC, Path("/"))
        inode.cache.extend(bytes(max(0, more)))

    def _fail_sync(self, path: Path, inode: _Inode | None = None) -> None:
        code, self.faults.sync_error = self.faults.sync_error, None
        if code is None:
            return
        for lost in [inode] if inode else self._names.values():
            lost.dirty = False
        raise _failure(code, path)

    def _write_back(self, inode: _Inode) -> None:
        if not inode.dirty:
            return
        inode.medium, inode.dirty = bytes(inode.cache), False
        if self.faults.flips and inode.medium:
            self.faults.flips -= 1
            inode.medium = bytes([inode.medium[0] ^ 1]) + inode.medium[1:]

    def _inode(self, path: Path) -> _Inode:
        try:
            return self._names[path]
        except KeyError:
            raise _failure(errno.ENOENT, path) from None

    def _left(self) -> int:
        return self.capacity - sum(len(i.cache) for i in self._names.values())


@dataclass(frozen=True, slots=True)
class SimulatedWriter:
    """Meets `vault.disk.Writer`."""

    disk: SimulatedDisk
    path: Path
    inode: _Inode

    def write(self, block: memoryview, offset: int) -> None:
        self.disk.step(writes=True)
        if offset % ALIGNMENT:
            raise _failure(errno.EINVAL, self.path)
        self.disk.grow(self.inode, offset + len(block))
        self.inode.cache[offset : offset + len(block)] = block
        self.inode.dirty = True

    def finish(self, size: int, mtime_ns: int) -> None:
        self.disk.step(writes=True)
        self.disk.grow(self.inode, size)
        del self.inode.cache[size:]
        self.inode.mtime_ns, self.inode.mode = mtime_ns, 0o440
        self.inode.dirty = True

    def sync(self) -> None:
        self.disk.step(writes=False)
        self.disk.flush(self.path, self.inode)

    def close(self) -> None:
        """Nothing is held."""


def _failure(code: int, path: Path) -> OSError:
    return OSError(code, os.strerror(code), str(path))
