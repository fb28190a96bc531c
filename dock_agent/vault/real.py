"""The vault on a real file system (Linux).

Big files are written and read past the page cache (open(2), O_DIRECT); small
ones are flushed in batches (syncfs(2)). A read-back is only called DIRECT if
the kernel's own account of the thread (proc(5), /proc/[pid]/io, read_bytes)
grew by at least the file's size.
"""

import ctypes
import errno
import hashlib
import mmap
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from dock_agent.recording import Digest, ReadBack
from dock_agent.vault.buffers import BLOCK, COUNT, PAGE, ring
from dock_agent.vault.disk import Beat, Reread, Writer, silent

BIG = 16 << 20  # bytes from which a file is written past the page cache
UNSUPPORTED = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}
AT_FDCWD, RENAME_NOREPLACE = -100, 1
DIRECTORY_MODE, PART_MODE, KEPT_MODE = 0o750, 0o600, 0o440

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]
_libc.mmap.restype = ctypes.c_void_p
_int, _pointer, _length = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t
_libc.mmap.argtypes = [_pointer, _length, _int, _int, _int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]


class RealDisk:
    """Meets `vault.disk.Disk`."""

    def make_directory(self, path: Path) -> None:
        if path.is_dir():
            return
        self.make_directory(path.parent)
        try:
            path.mkdir(DIRECTORY_MODE)
        except FileExistsError:
            return
        self.sync_directory(path.parent)

    def create(self, path: Path, size: int) -> Writer:
        return RealWriter(path, size)

    @contextmanager
    def barrier(self, directory: Path) -> Iterator[None]:
        # Opened before the writes: syncfs then reports what went wrong since.
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield
            if _libc.syncfs(fd):
                raise OSError(ctypes.get_errno(), "syncfs", str(directory))
        finally:
            os.close(fd)

    def reread(self, path: Path, beat: Beat = silent) -> Reread:
        size = path.stat().st_size
        try:
            fd = os.open(path, os.O_RDONLY | os.O_DIRECT | os.O_NOFOLLOW)
            try:
                return _reread_direct(fd, size, beat)
            finally:
                os.close(fd)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
        return _reread_dropped(path, size, beat)

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def rename(self, source: Path, target: Path) -> None:
        names = os.fsencode(source), os.fsencode(target)
        if _libc.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_NOREPLACE):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), str(source), None, str(target))

    def sync_directory(self, path: Path) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def listing(self, path: Path) -> Iterable[Path]:
        found = [
            Path(folder, name) for folder, _, names in os.walk(path) for name in names
        ]
        return sorted(found)

    def exists(self, path: Path) -> bool:
        return path.exists()

    def size(self, path: Path) -> int:
        return path.stat().st_size

    def free(self, path: Path) -> int:
        facts = os.statvfs(path)
        return facts.f_bavail * facts.f_frsize


class RealWriter:
    """Meets `vault.disk.Writer`."""

    def __init__(self, path: Path, size: int) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        self._direct = size >= BIG
        try:
            self._fd = os.open(path, flags | self._flag(), PART_MODE)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            path.unlink(missing_ok=True)  # some file systems create, then refuse
            self._direct = False
            self._fd = os.open(path, flags, PART_MODE)
        try:
            _take_room(self._fd, size)
        except OSError:
            os.close(self._fd)
            path.unlink()
            raise

    def _flag(self) -> int:
        return os.O_DIRECT if self._direct else 0

    def write(self, block: memoryview, offset: int) -> None:
        if not self._direct:
            _write_all(self._fd, block, offset)
            return
        whole = len(block) - len(block) % PAGE
        _write_all(self._fd, block[:whole], offset)
        if whole < len(block):
            tail = mmap.mmap(-1, PAGE)  # the last page, padded; cut off in finish
            tail[: len(block) - whole] = block[whole:]
            _write_all(self._fd, memoryview(tail), offset + whole)

    def finish(self, size: int, mtime_ns: int) -> None:
        os.ftruncate(self._fd, size)
        os.utime(self._fd, ns=(mtime_ns, mtime_ns))
        os.fchmod(self._fd, KEPT_MODE)

    def sync(self) -> None:
        os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


def _take_room(fd: int, size: int) -> None:
    """Have ENOSPC now rather than halfway.

    fallocate(2) itself: posix_fallocate(3) emulates what a file system lacks by
    writing to every block. Where it is lacking the free space is asked for.
    """
    if size == 0 or not _libc.fallocate(fd, 0, 0, size):
        return
    code = ctypes.get_errno()
    if code in UNSUPPORTED:
        facts = os.fstatvfs(fd)
        if size <= facts.f_bavail * facts.f_frsize:
            return
        code = errno.ENOSPC
    raise OSError(code, os.strerror(code))


def _write_all(fd: int, block: memoryview, offset: int) -> None:
    while block:
        written = os.pwrite(fd, block, offset)
        block, offset = block[written:], offset + written


def _counted() -> int:
    """Return how many bytes this thread has caused to be read from a medium."""
    with open("/proc/thread-self/io", "rb", buffering=0) as account:  # noqa: PTH123  hot
        for line in account.read().splitlines():
            if line.startswith(b"read_bytes:"):
                return int(line.split()[1])
    return 0


def _reread_direct(fd: int, size: int, beat: Beat) -> Reread:
    """Hash the file block by block, with several reads ahead of the hash."""
    whole, done, counted = hashlib.sha256(), 0, 0
    for block, grew in _blocks(fd, size):
        whole.update(block)
        done, counted = done + len(block), counted + grew
        beat(len(block))
    method = ReadBack.DIRECT if counted >= size else ReadBack.CACHED
    return Reread(Digest(whole.hexdigest()), done, method, counted)


def _blocks(fd: int, size: int) -> Iterator[tuple[memoryview, int]]:
    buffers = ring()
    offsets = range(0, size, BLOCK)
    if len(offsets) <= 2:  # noqa: PLR2004  not worth a second thread
        for offset in offsets:
            yield _read(fd, buffers[0], offset)
        return
    with ThreadPoolExecutor(1) as reader:
        ahead: deque[Future[tuple[memoryview, int]]] = deque()
        for number, offset in enumerate(offsets):
            if len(ahead) == COUNT - 1:
                yield ahead.popleft().result()
            ahead.append(reader.submit(_read, fd, buffers[number % COUNT], offset))
        while ahead:
            yield ahead.popleft().result()


def _read(fd: int, buffer: memoryview, offset: int) -> tuple[memoryview, int]:
    before = _counted()
    count = os.preadv(fd, [buffer], offset)
    return buffer[:count], _counted() - before


def _reread_dropped(path: Path, size: int, beat: Beat) -> Reread:
    """Read where O_DIRECT is not to be had: flush, drop, look, then read."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        resident = _resident(fd, size)
        before, whole, done = _counted(), hashlib.sha256(), 0
        while block := os.pread(fd, BLOCK, done):
            whole.update(block)
            done += len(block)
            beat(len(block))
        counted = _counted() - before
    finally:
        os.close(fd)
    fresh = resident == 0 and counted >= size
    method = ReadBack.DROPPED if fresh else ReadBack.CACHED
    return Reread(Digest(whole.hexdigest()), done, method, counted)


def _resident(fd: int, size: int) -> int:
    """Return how many of the file's pages are in the page cache (mincore(2))."""
    if size == 0:
        return 0
    pages = -(-size // PAGE)
    flags = ctypes.create_string_buffer(pages)
    prot_read, map_shared = 1, 1
    address = _libc.mmap(None, size, prot_read, map_shared, fd, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        return pages
    try:
        if _libc.mincore(address, size, flags):
            return pages
    finally:
        _libc.munmap(address, size)
    return sum(flag & 1 for flag in flags.raw)
