"""Where a sighted camera's tree is.

PID 1 mounts cameras (a hardened service's own mounts would be invisible to its
children's neighbours), each attachment where the udev rules say; we wait until the
mount is there and is as it should be. A folder bay's tree is the folder itself.
"""

import os
import re
import select
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dock_agent.bays import rules
from dock_agent.bays.attachment import DEVICES, sequence_of
from dock_agent.bays.detector import Sighting
from dock_agent.bays.times import zone_of
from dock_agent.errors import CameraError, CardDamaged

MOUNTINFO = Path("/proc/self/mountinfo")
PATIENCE = 90.0  # seconds for PID 1 to mount a card; one that cannot be is told of
LOOK = 0.2  # seconds between two looks whether it could not
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
        failed = point.with_name(f"{point.name}.failed")  # dock-mount-failed@.service
        for text in versions(self._mountinfo, self._patience):
            mounts = list(parse(text))
            here = [m for m in mounts if m.point == point]
            if here:
                return self._checked(here[-1], sighting)
            self._refuse_elsewhere(mounts, sighting)
            if failed.is_dir():
                raise CardDamaged(self._told(sighting, "cannot be mounted: it is"))
        within = f"was not mounted within {self._patience:.0f} s: it may be"
        raise CameraError(self._told(sighting, within))

    def _told(self, sighting: Sighting, what: str) -> str:
        return (
            f"its {sighting.facts['fs_type']} {what} damaged. The station's journal"
            " says what the kernel found; an image of the whole card can be kept:"
            f" `dock-agent bays image {shlex.quote(sighting.bay)}`"
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


def mount_of(device: int, mountinfo: Path = MOUNTINFO) -> Mount | None:
    """Return the first mount of a device (st_dev), if there is one."""
    named = f"{os.major(device)}:{os.minor(device)}"
    text = mountinfo.read_text("utf-8", "surrogateescape")
    return next((mount for mount in parse(text) if mount.device == named), None)


def told_of(device: int, mountinfo: Path = MOUNTINFO) -> dict[str, str]:
    """Return what a docking keeps of how its camera is mounted, as the kernel has it.

    In whose zone its times are read is among it.
    """
    mount = mount_of(device, mountinfo)
    if mount is None:
        return {}
    return {
        "mounted_as": mount.kind,
        "mount_options": ",".join(sorted(mount.options | mount.system)),
        "times": zone_of(mount.kind, mount.system),
    }


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


def versions(path: Path, patience: float) -> Iterator[str]:
    """Yield the file's text now, after each change, and every `LOOK` seconds.

    It ends after `patience` seconds.
    """
    end = time.monotonic() + patience
    with path.open("rb") as file:
        poller = select.poll()
        poller.register(file, select.POLLPRI | select.POLLERR)
        while True:
            file.seek(0)
            yield file.read().decode("utf-8", "surrogateescape")
            left = end - time.monotonic()
            if left <= 0:
                return
            poller.poll(min(LOOK, left) * 1000)
