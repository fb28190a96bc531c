"""Where a sighted camera's tree is.

PID 1 mounts cameras (a hardened service's own mounts would be invisible to its
children's neighbours), each attachment where the udev rules say; we wait until the
mount is there and is as it should be. A folder bay's tree is the folder itself.
"""

import os
import re
import select
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dock_agent.bays import rules
from dock_agent.bays.attachment import DEVICES, sequence_of
from dock_agent.bays.detector import Sighting
from dock_agent.errors import CameraError

MOUNTINFO = Path("/proc/self/mountinfo")
PATIENCE = 20.0  # seconds for PID 1 to mount a card
# Class 03, subclass 01: keyboards and mice (Device Class Definition for HID 1.11, 4.2).
TYPES = re.compile(r":0301\d\d(?=:)")


class Mounter(Protocol):
    """Knows where a camera's tree is."""

    def path(self, sighting: Sighting) -> Path:
        """Return the root of its tree; raise `CameraError` if there is none.

        May block for PATIENCE seconds.
        """
        ...


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo (proc(5)): what is mounted where, and how.

    `options` are the mount's own, `system` those of its file system.
    """

    device: str  # major:minor
    point: Path
    options: frozenset[str]
    kind: str
    system: frozenset[str] = frozenset()


class FolderMounter:
    """A folder bay: nothing has to be mounted."""

    def path(self, sighting: Sighting) -> Path:
        path = Path(sighting.node)
        if not path.is_dir():
            raise CameraError(f"{path} is no longer there")
        return path


class SystemMounter:
    """Waits for the mount that PID 1 makes of a camera."""

    def __init__(
        self,
        mounts: Path = Path(rules.MOUNTS),
        mountinfo: Path = MOUNTINFO,
        devices: Path = DEVICES,
        patience: float = PATIENCE,
    ) -> None:
        self._mounts, self._mountinfo, self._devices = mounts, mountinfo, devices
        self._patience = patience

    def path(self, sighting: Sighting) -> Path:
        _require_a_camera(sighting)
        _require_readable(sighting)
        point = self._point(sighting)
        for text in _versions(self._mountinfo, self._patience):
            mounts = list(parse(text))
            here = [m for m in mounts if m.point == point]
            if here:
                return self._checked(here[-1], sighting)
            self._refuse_elsewhere(mounts, sighting)
        raise CameraError(
            f"its {sighting.facts['fs_type']} was not mounted within"
            f" {self._patience:.0f} s: it may be damaged; the station's journal says"
            " what the kernel found"
        )

    def _point(self, sighting: Sighting) -> Path:
        """Return where the rules have it mounted: below its own bay or nowhere."""
        point = Path(sighting.facts.get("mount", "/"))
        if point.parent != self._mounts / rules.place(sighting.bay):
            raise CameraError(
                "the udev rules of this station do not know this bay: write them"
                " again with `dock-agent bays udev`, and dock the camera again"
            )
        return point

    def _refuse_elsewhere(self, mounts: list[Mount], sighting: Sighting) -> None:
        device = sighting.facts.get("device")
        for mount in mounts:
            if mount.device == device and self._mounts not in mount.point.parents:
                raise CameraError(f"something else mounted it at {mount.point}")

    def _checked(self, mount: Mount, sighting: Sighting) -> Path:
        missing = set(rules.NEEDED) - mount.options
        if missing:
            without = ", ".join(sorted(missing))
            raise CameraError(f"{mount.point} is mounted without {without}")
        device, counted = (sighting.facts.get(f, "") for f in ("device", "diskseq"))
        if mount.device != device:
            raise CameraError(f"{mount.point} holds {mount.device}, not {device}")
        major, minor = map(int, device.split(":"))
        if str(sequence_of(os.makedev(major, minor), self._devices)) != counted:
            raise CameraError(f"{mount.point}: another disk took the place of this one")
        return mount.point


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
            kind, *_, system = after.split()
            told = frozenset(system.split(","))
            yield Mount(fields[2], Path(point), options, kind, told)


def _require_a_camera(sighting: Sighting) -> None:
    """Refuse what could type on this station while it passes for a camera."""
    if TYPES.search(sighting.facts.get("interfaces", "")):
        raise CameraError(
            "it is a keyboard or a mouse as well, which no camera is:"
            " take it out, and find out where it comes from"
        )


def _require_readable(sighting: Sighting) -> None:
    kind, known = sighting.facts.get("fs_type"), ", ".join(rules.KINDS)
    if kind is None:
        raise CameraError(f"no file system is on it that is known here ({known})")
    if kind not in rules.KINDS:
        raise CameraError(
            f"its file system is {kind}, and only {known} are read here:"
            " copy it on a machine that knows it, and use `dock-agent import`"
        )


def _versions(path: Path, patience: float) -> Iterator[str]:
    """Yield the file's text now and after each change, for `patience` seconds."""
    end = time.monotonic() + patience
    with path.open("rb") as file:
        poller = select.poll()
        poller.register(file, select.POLLPRI | select.POLLERR)
        while True:
            file.seek(0)
            yield file.read().decode("utf-8", "surrogateescape")
            if not poller.poll(max(0.0, end - time.monotonic()) * 1000):
                return
