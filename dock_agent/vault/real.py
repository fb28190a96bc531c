"""The vault on a real file system (Linux).

Big files are written past the page cache (open(2), O_DIRECT); small ones are
flushed in batches (syncfs(2)).
"""

import ctypes
import errno
import fcntl
import mmap
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dock_agent.vault.buffers import PAGE
from dock_agent.vault.disk import Beat, Begin, Reread, Writer, silent
from dock_agent.vault.layout import MARKER
from dock_agent.vault.medium import REFUSED, reread

BIG = 16 << 20  # bytes from which a file is written past the page cache
AT_FDCWD, RENAME_NOREPLACE = -100, 1
DIRECTORY_MODE, PART_MODE, KEPT_MODE = 0o750, 0o600, 0o440

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]


class RealDisk:
    """Meets `vault.disk.Disk`.

    `within` is a vault's root: directories are made below it only, and only while
    its marker is there. A disk that dropped out leaves an empty directory in its
    place, and what is written there is hidden when it comes back.
    """

    def __init__(self, within: Path | None = None) -> None:
        self._within = within
        self._lasting: set[Path] = set()  # directories this process saw flushed

    def make_directory(self, path: Path) -> None:
        if self._within and not path.is_relative_to(self._within):
            raise OSError(errno.ENODEV, "it is not in the vault", str(path))
        if path == self._within:
            if not (path / MARKER).is_file():
                raise OSError(errno.ENODEV, "its marker is gone", str(path))
            return
        if path.is_mount() or (path in self._lasting and path.is_dir()):
            return
        self.make_directory(path.parent)
        try:
            path.mkdir(DIRECTORY_MODE)
            self.sync_directory(path.parent)
        except FileExistsError:
            if not path.is_dir():
                raise
            # Another offload may have made it a moment ago, and not flushed it yet.
            with suppress(PermissionError):  # what we may not read is not ours
                self.sync_directory(path.parent)
        self._lasting.add(path)

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
        return reread(path, beat)

    def study(self, path: Path, begin: Begin, beat: Beat = silent) -> Reread:
        return reread(path, beat, begin)

    def read(self, path: Path) -> bytes:
        return path.read_bytes()

    def rename(self, source: Path, target: Path) -> None:
        names = os.fsencode(source), os.fsencode(target)
        if not _libc.renameat2(
            AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_NOREPLACE
        ):
            return
        code = ctypes.get_errno()
        if code not in REFUSED:
            raise OSError(code, os.strerror(code), str(source), None, str(target))
        target.hardlink_to(source)  # NFS: the other way that replaces nothing
        source.unlink()

    def sync_directory(self, path: Path) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def listing(self, path: Path) -> Iterable[Path]:
        return sorted(
            Path(folder, name)
            for folder, _, names in os.walk(path, onerror=_unless_absent)
            for name in names
        )

    def names(self, path: Path) -> Iterable[str]:
        try:
            return sorted(found.name for found in path.iterdir())
        except FileNotFoundError:
            return []

    def directories(self, path: Path) -> Iterable[Path]:
        return sorted(found for found in _below(path) if _kind(found) == stat.S_IFDIR)

    def oddities(self, path: Path) -> Iterable[Path]:
        usual = {stat.S_IFREG, stat.S_IFDIR}
        return sorted(found for found in _below(path) if _kind(found) not in usual)

    def exists(self, path: Path) -> bool:
        return os.path.lexists(path)

    def size(self, path: Path) -> int:
        return path.stat().st_size

    def free(self, path: Path) -> int:
        facts = os.statvfs(path)
        return facts.f_bavail * facts.f_frsize


def _below(path: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(path, onerror=_unless_absent):
        yield from (Path(folder, name) for name in (*folders, *names))


def _unless_absent(error: OSError) -> None:
    """A directory that cannot be listed is not an empty one."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _kind(path: Path) -> int:
    return stat.S_IFMT(path.lstat().st_mode)


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
        try:
            self._write_past_the_cache(block, offset)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            # The block is not aligned as this disk wants it: through the cache then.
            flags = fcntl.fcntl(self._fd, fcntl.F_GETFL)
            fcntl.fcntl(self._fd, fcntl.F_SETFL, flags & ~os.O_DIRECT)
            self._direct = False
            _write_all(self._fd, block, offset)

    def _write_past_the_cache(self, block: memoryview, offset: int) -> None:
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
    if code in REFUSED:
        facts = os.fstatvfs(fd)
        if not facts.f_blocks or size <= facts.f_bavail * facts.f_frsize:
            return  # without blocks: a file system that does not count
        code = errno.ENOSPC
    raise OSError(code, os.strerror(code))


def _write_all(fd: int, block: memoryview, offset: int) -> None:
    while block:
        written = os.pwrite(fd, block, offset)
        block, offset = block[written:], offset + written
