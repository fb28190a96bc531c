"""A camera's tree of which single files can be removed, and nothing else done."""

import ctypes
import os
import stat
from pathlib import Path
from typing import Protocol

from dock_agent.errors import SourceChanged
from dock_agent.offload.bench import Tree
from dock_agent.offload.messages import Found
from dock_agent.offload.scan import MountedSource
from dock_agent.offload.source import Wanted, camera_errors, shown

_libc = ctypes.CDLL(None, use_errno=True)
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

    def open(self, path: bytes) -> int:
        fd = super().open(path)
        # What the offload left in the page cache proves nothing of the card.
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        return fd

    def remove(self, found: Found) -> None:
        *folders, name = found.path.split(b"/")
        expected = wanted(found)
        with camera_errors(self, expected):
            at = self.below(folders)
            try:
                facts = os.stat(name, dir_fd=at, follow_symlinks=False)
                if not (stat.S_ISREG(facts.st_mode) and expected.same(facts)):
                    told = "something else has its name now"
                    raise SourceChanged(f"{shown(found.path)}: {told}")
                os.unlink(name, dir_fd=at)
            finally:
                os.close(at)

    def sync(self) -> None:
        with camera_errors(self, Wanted(b"the whole card", NOWHERE, 0, 0, 0, 0)):
            if _libc.syncfs(self.descriptor):
                code = ctypes.get_errno()
                raise OSError(code, os.strerror(code))
