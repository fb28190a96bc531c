"""List a camera's tree without following, opening or missing anything.

Regular files are evidence, whatever their name or size; everything else is
recorded as skipped, with what it is, and so is each further name of one file. A
directory that cannot be listed is recorded as missed: there may be footage in it;
and so is a journal that was not replayed, because that would be a write.
After a pull a stale mount lists as empty without an error, so no listing is
believed before the camera's device is seen to be still attached. FAT leaves out
what it cannot read of a directory, without an error, too: so the disk's own count
of failures must not have risen meanwhile. And what FAT lists, it may not find by
its name, or find another file: each name has to lead to a file of its own.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dock_agent.bays.attachment import DEVICES, failures_of, size_of
from dock_agent.bays.mount import mount_of
from dock_agent.bays.times import RESOLUTION_NS
from dock_agent.errors import CameraError, CameraGone, CardDamaged
from dock_agent.offload.listing import (
    CUT_SHORT,
    DEVICE,
    HIDDEN,
    JOURNAL,
    KINDS,
    LISTING,
    NAMELESS,
    TWICE,
    UNSEEN,
    UNSURE,
    missed,
    names,
    skipped,
)
from dock_agent.offload.messages import Found
from dock_agent.offload.root import Root
from dock_agent.offload.source import GONE, mtime_of

DEEPEST = 16  # directories below one another
MOST = 200_000  # entries on one camera
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOATIME
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOATIME
RUBBISH = {errno.EIO, errno.EUCLEAN, errno.EBADMSG, errno.ENODATA}
FUSE = "fuse"
UNREPLAYED = "norecovery"  # ext4(5): noload
ALIVE_NS = 1_000_000_000  # between two signs of life while a camera is listed
LISTINGS = 3  # of a camera whose disk fails meanwhile
BY_NAME = ("vfat", "exfat", "msdos")  # where names that differ may be the same
FLEETING = (*BY_NAME, FUSE)  # inode numbers change as they please


@dataclass(frozen=True, slots=True)
class FileSystem:
    """What a camera's file system is, how fine its time stamps are, who may write."""

    kind: str
    resolution_ns: int
    read_only: bool = False


class MountedSource:
    """A camera's tree below a directory. Meets `bench.Tree`; close it afterwards."""

    def __init__(
        self, root: Path, expected: Root | None = None, devices: Path = DEVICES
    ) -> None:
        """Open the tree. Raises `CameraGone` if it is not there, or not `expected`."""
        self._path, self._devices = root, devices
        try:
            self._fd = _open(root, DIRECTORY)
        except OSError as error:
            raise CameraGone(f"{root}: {error.strerror}") from error
        self._root = Root.of(os.fstat(self._fd), devices)
        if expected not in {None, self._root}:
            os.close(self._fd)
            raise CameraGone(f"{root}: another camera is there now")
        mount = mount_of(self._root.device)
        self._kind = "unknown" if mount is None else mount.kind
        self._unreplayed = mount is not None and UNREPLAYED in mount.system
        self._lasting = not self._kind.startswith(FLEETING)
        self._linked: set[tuple[int, int]] = set()
        self.beat: Callable[[], None] = _unheard  # called while entries are listed
        self._beat_ns = time.monotonic_ns()

    @property
    def descriptor(self) -> int:
        """Return the root's open descriptor."""
        return self._fd

    @property
    def on_a_disk(self) -> bool:
        """Whether its file system lies on a block device of this machine."""
        return self._root.sequence is not None

    def close(self) -> None:
        os.close(self._fd)

    def alive(self) -> bool:
        """Whether the same directory is at its place, and its device attached."""
        try:
            facts = self._path.lstat()
            os.fstatvfs(self._fd)
        except OSError:
            return False
        here = (facts.st_dev, facts.st_ino) == (self._root.device, self._root.inode)
        return here and self._root.attached(self._devices)

    def file_system(self) -> FileSystem:
        read_only = bool(os.fstatvfs(self._fd).f_flag & os.ST_RDONLY)
        return FileSystem(self._kind, RESOLUTION_NS.get(self._kind, 1), read_only)

    def open(self, path: bytes) -> int:
        *folders, name = path.split(b"/")
        at = self.below(folders)
        try:
            fd = _open(name, FILE, at)
        finally:
            os.close(at)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "not a regular file", os.fsdecode(path))
        return fd

    def below(self, folders: Sequence[bytes]) -> int:
        """Open a directory beneath the root; nothing on the way is followed."""
        at = os.dup(self._fd)
        try:
            for folder in folders:
                below = _open(folder, DIRECTORY, at)
                os.close(at)
                at = below
        except OSError:
            os.close(at)
            raise
        return at

    def read(self, fd: int, buffer: memoryview) -> int:
        return os.readv(fd, [buffer])

    def scan(self) -> tuple[Found, ...]:
        """Return every entry that is not a directory, sorted by raw path.

        What may hold footage and cannot be listed is an entry, too. Raises
        `CameraGone` if the camera left meanwhile, `CameraError` if it has more
        files than any camera, cannot be listed at all, or lists nothing where a
        camera that left would list nothing as well.
        """
        device = self._root.device
        for _ in range(LISTINGS):
            before = failures_of(device, self._devices)
            found = self.list_once()
            if failures_of(device, self._devices) == before:
                break
        else:
            found.append(missed(LISTING, os.fstat(self._fd), UNSURE))
        return tuple(sorted(found, key=lambda entry: entry.path))

    def list_once(self) -> list[Found]:
        """Return what one listing gives, in its own order. Raises as `scan`."""
        found: list[Found] = []
        self._linked.clear()
        try:
            for entry in self._walk(self._fd, b"", 0):
                found.append(entry)
                self._tell_of_life()
                if len(found) > MOST:
                    raise CameraError(f"more than {MOST} files on one camera")
        except OSError as error:
            self._check(error)
        self._check(None)
        if self._unreplayed:
            found.append(missed(JOURNAL, os.fstat(self._fd), UNSEEN))
        if self._is_cut_short():
            found.append(missed(DEVICE, os.fstat(self._fd), CUT_SHORT))
        if not found and self._kind.startswith(FUSE):
            raise CameraError("it lists nothing, as a camera that left would")
        return found

    def _tell_of_life(self) -> None:
        now = time.monotonic_ns()
        if now - self._beat_ns >= ALIVE_NS:
            self._beat_ns = now
            self.beat()

    def _is_cut_short(self) -> bool:
        """Whether the file system goes on where its device ends."""
        size, system = size_of(self._root.device, self._devices), os.fstatvfs(self._fd)
        return size is not None and system.f_blocks * system.f_frsize > size

    def _check(self, error: OSError | None) -> None:
        if not self.alive():
            raise CameraGone(f"{self._path}: it left while it was listed") from error
        if error is not None:
            what = f"{error.filename or self._path}: {error.strerror}"
            if error.errno in RUBBISH:
                what += "; its file system is damaged, and an image of the whole card"
                what += " can be kept (`dock-agent bays image`)"
                raise CardDamaged(f"cannot be listed: {what}") from error
            raise CameraError(f"cannot be listed: {what}") from error

    def _walk(self, folder: int, prefix: bytes, depth: int) -> Iterator[Found]:
        listed, failure = names(folder)
        seen: set[int] = set()
        for name, copies in listed:
            path = prefix + name
            for number in range(2, copies + 1):
                again = path + b" (%d)" % number
                yield missed(again, os.fstat(folder), TWICE)
            try:
                facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
            except OSError as error:
                yield from self._unseen(folder, path, error)
                continue
            if facts.st_ino in seen and self._kind in BY_NAME:
                yield missed(path, facts, HIDDEN)
                continue
            seen.add(facts.st_ino)
            yield from self._entry(folder, path, facts, depth)
        if failure is not None:
            raise failure

    def _unseen(self, folder: int, path: bytes, error: OSError) -> Iterator[Found]:
        """Tell of an entry that cannot be looked at; it costs itself alone."""
        if error.errno in GONE:
            raise error
        if error.errno != errno.ENOENT:
            why = f"cannot be looked at: {error.strerror}"
        elif self.file_system().read_only:
            why = NAMELESS
        else:
            return  # it was deleted while we listed
        yield missed(path, os.fstat(folder), why)

    def _entry(
        self, folder: int, path: bytes, facts: os.stat_result, depth: int
    ) -> Iterator[Found]:
        if not stat.S_ISDIR(facts.st_mode):
            yield self._found(path, facts)
        elif facts.st_dev != self._root.device:
            yield missed(path, facts, "another file system")
        elif depth == DEEPEST:
            yield missed(path, facts, f"deeper than {DEEPEST} directories")
        else:
            yield from self._below(folder, path, facts, depth)

    def _below(
        self, folder: int, path: bytes, facts: os.stat_result, depth: int
    ) -> Iterator[Found]:
        """List a directory; one that cannot be listed costs itself alone."""
        try:
            below = _open(path.rpartition(b"/")[2], DIRECTORY, folder)
        except OSError as error:
            if error.errno in GONE:
                raise
            yield missed(path, facts, f"cannot be listed: {error.strerror}")
            return
        try:
            yield from self._walk(below, path + b"/", depth + 1)
        except OSError as error:
            if error.errno in GONE:
                raise
            yield missed(path, facts, f"cannot be listed: {error.strerror}")
        finally:
            os.close(below)

    def _found(self, path: bytes, facts: os.stat_result) -> Found:
        kind = KINDS.get(stat.S_IFMT(facts.st_mode))
        if kind is None and self._listed_already(facts):
            kind = "hard link"
        if kind is not None:
            return skipped(path, facts, kind)
        inode = facts.st_ino if self._lasting else 0
        return Found(path, facts.st_size, mtime_of(facts), facts.st_dev, inode)

    def _listed_already(self, facts: os.stat_result) -> bool:
        """Whether this is one more name of a file that is in the list."""
        if facts.st_nlink <= 1 or not self._lasting:
            return False
        known = (facts.st_dev, facts.st_ino) in self._linked
        self._linked.add((facts.st_dev, facts.st_ino))
        return known


def _unheard() -> None:
    """Nobody waits for a sign of life."""


def _open(name: bytes | Path, flags: int, at: int | None = None) -> int:
    try:
        return os.open(name, flags, dir_fd=at)
    except PermissionError:  # O_NOATIME is for the owner only
        return os.open(name, flags & ~os.O_NOATIME, dir_fd=at)
