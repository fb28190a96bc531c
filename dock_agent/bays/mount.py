"""Where a sighted camera's tree is.

PID 1 mounts cameras (a hardened service's own mounts would be invisible to its
children's neighbours); we wait until the mount is there and is as it should
be. A folder bay's tree is the folder itself.
"""

import re
import select
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dock_agent.bays.detector import Sighting
from dock_agent.errors import CameraError

MOUNTS = Path("/run/dock-agent/bays")
MOUNTINFO = Path("/proc/self/mountinfo")
NEEDED = frozenset({"ro", "nosuid", "nodev", "noexec"})
PATIENCE = 20.0  # seconds for PID 1 to mount a card


class Mounter(Protocol):
    """Knows where a camera's tree is."""

    def path(self, sighting: Sighting) -> Path:
        """Return the root of its tree; raise `CameraError` if there is none.

        May block for PATIENCE seconds.
        """
        ...


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo (proc(5)): what is mounted where, and how."""

    device: str  # major:minor
    point: Path
    options: frozenset[str]
    kind: str


class FolderMounter:
    """A folder bay: nothing has to be mounted."""

    def path(self, sighting: Sighting) -> Path:
        path = Path(sighting.node)
        if not path.is_dir():
            raise CameraError(f"{path} is no longer there")
        return path


class SystemMounter:
    """Waits for the mount that PID 1 makes for a bay."""

    def __init__(self, mounts: Path = MOUNTS, mountinfo: Path = MOUNTINFO) -> None:
        self._mounts, self._mountinfo = mounts, mountinfo

    def path(self, sighting: Sighting) -> Path:
        point = self._mounts / sighting.bay
        device = sighting.facts.get("device", "")
        for text in _versions(self._mountinfo, PATIENCE):
            mounts = list(parse(text))
            here = [m for m in mounts if m.point == point]
            if here:
                return _checked(here[-1], device)
            elsewhere = [m for m in mounts if m.device == device]
            if elsewhere:
                other = elsewhere[0].point
                raise CameraError(f"something else mounted it at {other}")
        raise CameraError(f"nothing was mounted at {point} within {PATIENCE:.0f} s")


class BayMounter:
    """A folder is its own tree; for anything else PID 1 is waited for."""

    def __init__(self, system: Mounter | None = None) -> None:
        self._system = system or SystemMounter()

    def path(self, sighting: Sighting) -> Path:
        mounter = FolderMounter() if "folder" in sighting.facts else self._system
        return mounter.path(sighting)


def parse(text: str) -> Iterator[Mount]:
    """Read the text of a mountinfo file."""
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) > 5 and after:  # noqa: PLR2004  as proc(5) numbers them
            point = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m[1], 8)), fields[4])
            options = frozenset(fields[5].split(","))
            yield Mount(fields[2], Path(point), options, after.split()[0])


def _checked(mount: Mount, device: str) -> Path:
    missing = NEEDED - mount.options
    if missing:
        without = ", ".join(sorted(missing))
        raise CameraError(f"{mount.point} is mounted without {without}")
    if device and mount.device != device:
        raise CameraError(f"{mount.point} holds {mount.device}, not {device}")
    return mount.point


def _versions(path: Path, patience: float) -> Iterator[str]:
    """Yield the file's text now and after each change, for `patience` seconds."""
    with path.open("rb") as file:
        poller = select.poll()
        poller.register(file, select.POLLPRI | select.POLLERR)
        while True:
            file.seek(0)
            yield file.read().decode("utf-8", "surrogateescape")
            if not poller.poll(patience * 1000):
                return
