"""A camera's tree of which single files can be removed, and nothing else done."""

import ctypes
import errno
import fcntl
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from dock_agent.errors import CameraGone, NotReleased, SourceChanged
from dock_agent.offload.bench import Tree
from dock_agent.offload.messages import Found
from dock_agent.offload.root import Root
from dock_agent.offload.scan import MountedSource
from dock_agent.offload.source import Wanted, camera_errors, shown

_libc = ctypes.CDLL(None, use_errno=True)
LOCAL = ("btrfs", "overlay", "ramfs", "tmpfs", "zfs")  # without a block device
NOWHERE = Path()  # nothing of it is copied


class Card(Tree, Protocol):
    """What an erase needs of a camera besides reading it."""

    def remove(self, found: Found) -> None:
        """Remove this name, if it is still the very file that was found.

        Raises `SourceChanged`, `CameraGone` or `CameraError`; then it was left.
        """
        ...

    def sync(self) -> None:
        """Have the medium forget what was removed.

        Raises `CameraError` if anything went wrong since the card was opened:
        a card that fails removes with success, and says so only here.
        """
        ...


def wanted(found: Found) -> Wanted:
    """Return a file as it was found, for whoever reads it."""
    known = found.size, found.mtime_ns, found.device, found.inode
    return Wanted(found.path, NOWHERE, *known)


class WritableCard(MountedSource):
    """A mounted camera, or a folder that stands for one. Meets `Card`."""

    def __init__(
        self, root: Path, expected: Root | None = None, *, private: bool = False
    ) -> None:
        """Open the tree; `private`, where nobody but us can reach it to write."""
        super().__init__(root, expected)
        self._private = private
        self._mount = _mount_id(self.descriptor)

    def open(self, path: bytes) -> int:
        """Open as the offload does. Raises `SourceChanged` while somebody writes it.

        Raises `NotReleased` where nobody can tell.
        """
        fd = super().open(path)
        try:
            if not self._private:
                self._require_unwritten(fd, path)
        except (NotReleased, SourceChanged):
            os.close(fd)
            raise
        # What the offload left in the page cache proves nothing of the card.
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        return fd

    def _require_unwritten(self, fd: int, path: bytes) -> None:
        """Refuse where others may write by a way that this kernel does not see."""
        kind = self.file_system().kind
        if not (self.on_a_disk or kind in LOCAL):
            told = f"nobody can tell whether it is being written ({kind})"
            raise NotReleased(f"{shown(path)}: {told}")
        _require_unwritten(fd, path)

    def below(self, folders: Sequence[bytes]) -> int:
        """Open a directory beneath the root, on the camera's own mount.

        A bind mount of another tree may have the camera's device number.
        """
        at = super().below(folders)
        if _mount_id(at) != self._mount:
            os.close(at)
            raise OSError(errno.EXDEV, "another tree is mounted on the camera")
        return at

    def remove(self, found: Found) -> None:
        *folders, name = found.path.split(b"/")
        expected = wanted(found)
        with camera_errors(self, expected):
            at = self.below(folders)
            try:
                _require_same(at, name, expected)  # what is opened is a regular file
                os.close(self.open(found.path))
                if not self.alive():  # an open directory goes where it is moved
                    raise CameraGone(f"{shown(found.path)}: it left")
                _require_same(at, name, expected)
                os.unlink(name, dir_fd=at)
            finally:
                os.close(at)

    def sync(self) -> None:
        with camera_errors(self, Wanted(b"the whole card", NOWHERE, 0, 0, 0, 0)):
            if _libc.syncfs(self.descriptor):
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code))


def _require_same(at: int, name: bytes, expected: Wanted) -> None:
    facts = os.stat(name, dir_fd=at, follow_symlinks=False)
    if not (stat.S_ISREG(facts.st_mode) and expected.same(facts)):
        told = "something else has its name now"
        raise SourceChanged(f"{shown(expected.path)}: {told}")


def _require_unwritten(fd: int, path: bytes) -> None:
    """Refuse a file that anybody has open for writing: more of it would be lost.

    A lease for reading is not given on such a file (fcntl(2), F_SETLEASE). Where the
    file system knows no leases, or the file is another user's, nobody can tell: then
    nothing goes.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError as error:
        raise SourceChanged(f"{shown(path)}: it is being written") from error
    except OSError as error:
        told = f"nobody can tell whether it is being written ({error.strerror})"
        raise NotReleased(f"{shown(path)}: {told}") from error
    with suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def _mount_id(fd: int) -> str:
    """Return the id of the mount that a descriptor was opened through (proc(5))."""
    text = Path(f"/proc/self/fdinfo/{fd}").read_text("ascii")
    return next(line for line in text.splitlines() if line.startswith("mnt_id:"))
