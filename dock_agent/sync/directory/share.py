"""A disk that is a share: how it can be seen that bytes came over the network.

Not every network file system counts what it fetches to whoever reads (cifs counts it
to a thread of its own), so the kernel's account proves nothing there. What does: that
nothing of the file was left in our page cache before it was read again, and that
whatever is below that cache is the network. It is not for FUSE, whose daemon may
answer from anywhere on this machine, nor with a cache on disk (`fsc`).
"""

import os
import re
from dataclasses import replace
from pathlib import Path

from dock_agent.recording import ReadBack
from dock_agent.vault.disk import Beat, Reread, silent
from dock_agent.vault.real import RealDisk

MOUNTS = Path("/proc/self/mountinfo")
NETWORK = frozenset({"nfs", "nfs4", "cifs", "smb3", "ceph"})
LOCAL_CACHE = re.compile(r"\bfsc(?![^,=])")  # what was read once may be on a disk here


class ShareDisk(RealDisk):
    """Meets `vault.disk.Disk`; a share's read-back past our cache counts as one."""

    def __init__(self, mounts: Path = MOUNTS) -> None:
        super().__init__()
        self._mounts = mounts

    def reread(self, path: Path, beat: Beat = silent) -> Reread:
        found = super().reread(path, beat)
        if found.method is not ReadBack.CACHED or not found.dropped:
            return found
        if not is_network(path, self._mounts):
            return found
        return replace(found, method=ReadBack.DROPPED)


def is_network(path: Path, mounts: Path = MOUNTS) -> bool:
    """Whether a path is on the network, with nothing on this machine in between.

    By the table of mounts (proc(5), /proc/[pid]/mountinfo); False where that does not
    tell. May raise `OSError`.
    """
    device = path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    kinds = [
        (kind, options)
        for line in mounts.read_text("utf-8", "surrogateescape").splitlines()
        for before, _, after in [line.partition(" - ")]
        if before.split()[2:3] == [number]
        for kind, _, options in [after.split(" ", 2)]
    ]
    return bool(kinds) and all(
        kind in NETWORK and not LOCAL_CACHE.search(options) for kind, options in kinds
    )
