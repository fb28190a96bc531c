"""List a camera's tree without following, opening or missing anything.

Regular files are evidence, whatever their name or size; everything else is
recorded as skipped, with what it is, and so is each further name of one file.
After a pull a stale mount lists as empty without an error, so no listing is
believed before the camera is seen to be still there.
"""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dock_agent.errors import CameraError, CameraGone
from dock_agent.offload.messages import Found, Root

DEEPEST = 16  # directories below one another
MOST = 200_000  # entries on one camera
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOATIME
KINDS = {
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFBLK: "block device",
    stat.S_IFCHR: "character device",
}
FLEETING = ("vfat", "exfat", "msdos", "fuse")  # inode numbers change as they please
RESOLUTION_NS = {"vfat": 2_000_000_000, "exfat": 10_000_000}  # of their time stamps


@dataclass(frozen=True, slots=True)
class FileSystem:
    """What the camera's file system is, and how fine its time stamps are."""

    kind: str
    resolution_ns: int


class MountedSource:
    """A camera's tree below a directory. Meets `copy.Source`; use it as a context."""

    def __init__(self, root: Path, expected: Root | None = None) -> None:
        """Open the tree. Raises `CameraGone` if it is not there, or not `expected`."""
        self._root = root
        try:
            self._fd = os.open(root, DIRECTORY)
        except OSError as error:
            raise CameraGone(f"{root}: {error.strerror}") from error
        self._identity = root_of(os.fstat(self._fd))
        if expected not in {None, self._identity}:
            os.close(self._fd)
            raise CameraGone(f"{root}: another camera is there now")
        self._lasting = not self.file_system().kind.startswith(FLEETING)
        self._linked: set[Root] = set()

    def close(self) -> None:
        os.close(self._fd)

    def alive(self) -> bool:
        """Whether the same directory is still at its place and answers."""
        try:
            facts = self._root.lstat()
            os.fstatvfs(self._fd)
        except OSError:
            return False
        return root_of(facts) == self._identity

    def file_system(self) -> FileSystem:
        """Return the file system's name and time resolution from mountinfo."""
        device = f"{os.major(self._identity[0])}:{os.minor(self._identity[0])}"
        kind = _kind_of(device)
        return FileSystem(kind, RESOLUTION_NS.get(kind, 1))

    def open(self, path: bytes) -> int:
        *folders, name = path.split(b"/")
        at = os.dup(self._fd)
        try:
            for folder in folders:
                below = os.open(folder, DIRECTORY, dir_fd=at)
                os.close(at)
                at = below
            fd = _open_file(name, at)
        finally:
            os.close(at)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "not a regular file", os.fsdecode(path))
        return fd

    def read(self, fd: int, buffer: memoryview) -> int:
        return os.readv(fd, [buffer])

    def scan(self) -> tuple[Found, ...]:
        """Return every entry that is not a directory, sorted by raw path.

        Raises `CameraGone` if the camera left meanwhile, `CameraError` if its
        tree is deeper or larger than any camera's or cannot be listed.
        """
        found: list[Found] = []
        self._linked.clear()
        try:
            for entry in self._walk(self._fd, b"", 0):
                found.append(entry)
                if len(found) > MOST:
                    raise CameraError(f"more than {MOST} files on one camera")
        except OSError as error:
            self._check(error)
        self._check(None)
        return tuple(sorted(found, key=lambda entry: entry.path))

    def _check(self, error: OSError | None) -> None:
        if not self.alive():
            raise CameraGone(f"{self._root}: it left while it was listed") from error
        if error is not None:
            what = f"{error.filename or self._root}: {error.strerror}"
            raise CameraError(f"cannot be listed: {what}") from error

    def _walk(self, folder: int, prefix: bytes, depth: int) -> Iterator[Found]:
        if depth > DEEPEST:
            raise CameraError(f"directories deeper than {DEEPEST}: {prefix!r}")
        with os.scandir(folder) as entries:
            names = sorted(os.fsencode(entry.name) for entry in entries)
        for name in names:
            facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if not stat.S_ISDIR(facts.st_mode):
                yield self._found(prefix + name, facts)
            elif facts.st_dev != self._identity[0]:
                yield _skipped(prefix + name, facts, "another file system")
            else:
                yield from self._below(folder, name, prefix, depth)

    def _below(
        self, folder: int, name: bytes, prefix: bytes, depth: int
    ) -> Iterator[Found]:
        below = os.open(name, DIRECTORY, dir_fd=folder)
        try:
            yield from self._walk(below, prefix + name + b"/", depth + 1)
        finally:
            os.close(below)

    def _found(self, path: bytes, facts: os.stat_result) -> Found:
        kind = KINDS.get(stat.S_IFMT(facts.st_mode))
        if kind is None and self._listed_already(facts):
            kind = "hard link"
        if kind is not None:
            return _skipped(path, facts, kind)
        inode = facts.st_ino if self._lasting else 0
        return Found(path, facts.st_size, facts.st_mtime_ns, facts.st_dev, inode)

    def _listed_already(self, facts: os.stat_result) -> bool:
        """Whether this is one more name of a file that is in the list."""
        if facts.st_nlink == 1:
            return False
        known = root_of(facts) in self._linked
        self._linked.add(root_of(facts))
        return known


def root_of(facts: os.stat_result) -> Root:
    """Return what tells one directory, or file, from another."""
    return facts.st_dev, facts.st_ino


def _skipped(path: bytes, facts: os.stat_result, why: str) -> Found:
    return Found(path, 0, facts.st_mtime_ns, facts.st_dev, facts.st_ino, why)


def _open_file(name: bytes, at: int) -> int:
    try:
        return os.open(name, FILE, dir_fd=at)
    except PermissionError:  # O_NOATIME is for the owner only
        return os.open(name, FILE & ~os.O_NOATIME, dir_fd=at)


def _kind_of(device: str) -> str:
    for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines():
        fields, _, rest = line.partition(" - ")
        if fields.split()[2] == device:
            return rest.split()[0]
    return "unknown"
