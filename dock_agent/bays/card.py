"""A whole card, opened to be read past the cache: for its image, not for its files."""

import os
import stat
from pathlib import Path

from dock_agent.bays.attachment import DEVICES, sequence_of
from dock_agent.bays.detector import Sighting
from dock_agent.errors import CameraError, CameraGone

FLAGS = os.O_RDONLY | os.O_DIRECT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
AS_DOCK = "the udev rules of this station give it to the group of the agent"


class BlockDevice:
    """Meets `offload.image.Card`; close it afterwards."""

    def __init__(self, disk: Sighting, devices: Path = DEVICES) -> None:
        """Open a disk that was sighted, and no other by its name.

        Raises `CameraGone` if it left, `CameraError` if it may not be read, or if
        the kernel would let anybody write to it.
        """
        try:
            self._fd = os.open(disk.node, FLAGS)
        except PermissionError as error:
            raise CameraError(f"{disk.node}: {error.strerror}; {AS_DOCK}") from error
        except OSError as error:
            raise CameraGone(f"{disk.node}: {error.strerror}") from error
        try:
            self._hold(disk, devices)
        except BaseException:
            os.close(self._fd)
            raise

    def _hold(self, disk: Sighting, devices: Path) -> None:
        facts = os.fstat(self._fd)
        if not stat.S_ISBLK(facts.st_mode):
            raise CameraError(f"{disk.node} is no block device")
        self._number, self._devices = facts.st_rdev, devices
        self._sequence = sequence_of(facts.st_rdev, devices)
        if str(self._sequence) != disk.facts.get("diskseq"):
            raise CameraGone(f"{disk.node}: another disk took the place of this one")
        if self.place.joinpath("ro").read_text("ascii").strip() != "1":
            raise CameraError(
                f"{disk.node} could be written: write the udev rules again with"
                " `dock-agent bays udev`, and dock the camera again"
            )
        self._size = os.lseek(self._fd, 0, os.SEEK_END)

    @property
    def place(self) -> Path:
        """Return where the kernel tells of it."""
        number = f"{os.major(self._number)}:{os.minor(self._number)}"
        return (self._devices / number).resolve()

    @property
    def size(self) -> int:
        return self._size

    def read(self, buffer: memoryview, offset: int) -> int:
        return os.preadv(self._fd, [buffer], offset)

    def attached(self) -> bool:
        return sequence_of(self._number, self._devices) == self._sequence

    def close(self) -> None:
        os.close(self._fd)
