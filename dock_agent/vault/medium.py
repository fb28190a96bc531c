"""Read a file again from the medium, and say honestly whether it was the medium.

A read-back is only called DIRECT if the kernel's own account of the thread
(proc(5), /proc/[pid]/io, read_bytes) grew by at least the file's size, and only
DROPPED if besides that no page of the file was in the cache (mincore(2)).
"""

import ctypes
import errno
import hashlib
import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from dock_agent.recording import Digest, ReadBack
from dock_agent.vault.buffers import BLOCK, COUNT, PAGE, ring
from dock_agent.vault.disk import Beat, Begin, Reread, unseen

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
REFUSED = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}  # not by this file system

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_int, _pointer, _length = ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t
_libc.mmap.argtypes = [_pointer, _length, _int, _int, _int, ctypes.c_long]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p]


def reread(path: Path, beat: Beat, begin: Begin = unseen) -> Reread:
    """Hash a file from the medium where that can be had. Raises `OSError`.

    Every block of a reading is shown to what `begin` returned for it; the last
    reading that was begun is the one that is told of.
    """
    found = _reread_direct(path, beat, begin)
    if found is not None and found.method is ReadBack.DIRECT:
        return found
    return _reread_dropped(path, (beat, begin), found)


def _counted() -> int:
    """Return how many bytes this thread has caused to be read from a medium."""
    with open("/proc/thread-self/io", "rb", buffering=0) as account:  # noqa: PTH123  hot
        for line in account.read().splitlines():
            if line.startswith(b"read_bytes:"):
                return int(line.split()[1])
    return 0


def _reread_direct(path: Path, beat: Beat, begin: Begin) -> Reread | None:
    """Hash the file block by block, with several reads ahead of the hash.

    Returns None where the file system refuses to read past the cache.
    """
    whole, done, counted = hashlib.sha256(), 0, 0
    try:
        fd = os.open(path, READ | os.O_DIRECT)
        show = begin()
        try:
            for block, grew in _blocks(fd, os.fstat(fd).st_size):
                whole.update(block)
                show(block)
                beat(len(block))
                done, counted = done + len(block), counted + grew
        finally:
            os.close(fd)
    except OSError as error:
        if error.errno in REFUSED:
            return None
        raise
    method = ReadBack.DIRECT if counted >= done else ReadBack.CACHED
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


def _reread_dropped(path: Path, to: tuple[Beat, Begin], found: Reread | None) -> Reread:
    """Read where O_DIRECT is not to be had: flush, drop, look, then read.

    What does not leave the cache is read once at most: `found` is that reading.
    """
    beat, begin = to
    fd = os.open(path, READ)
    try:
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        size = os.fstat(fd).st_size
        dropped = _resident(fd, size) == 0
        if found is not None and not dropped:
            return found
        show = begin()
        before, whole, done = _counted(), hashlib.sha256(), 0
        while block := os.pread(fd, BLOCK, done):
            whole.update(block)
            show(memoryview(block))
            beat(len(block))
            done += len(block)
        counted = _counted() - before
    finally:
        os.close(fd)
    method = ReadBack.DROPPED if dropped and counted >= size else ReadBack.CACHED
    return Reread(Digest(whole.hexdigest()), done, method, counted, dropped)


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
