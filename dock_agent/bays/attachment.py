"""Whether a block device is still the disk it was: its sequence number (diskseq).

Names and numbers of disks are used again at once; this one never is (Linux 5.15).
And what else the kernel tells of a disk that a file system may keep to itself.
"""

import os
from pathlib import Path

DEVICES = Path("/sys/dev/block")  # a name for each block device, as major:minor
SECTOR = 512  # bytes, in sysfs, whatever the disk's own are
UNKNOWN = 0  # the sequence number of a device whose kernel keeps none


def sequence_of(device: int, devices: Path = DEVICES) -> int | None:
    """Return how many disks the kernel had seen when this one came; None: no disk."""
    disk = devices / f"{os.major(device)}:{os.minor(device)}"
    if not disk.exists():
        return None
    for place in (disk, disk.resolve().parent):  # a partition's number is its disk's
        try:
            return int((place / "diskseq").read_text("ascii"))
        except (OSError, ValueError):
            continue
    return UNKNOWN


def failures_of(device: int, devices: Path = DEVICES) -> int | None:
    """Return how many commands the disk has failed since it came; None: not counted.

    SCSI and USB disks count them (ioerr_cnt).
    """
    place = (devices / f"{os.major(device)}:{os.minor(device)}").resolve()
    for disk in (place, place.parent):  # a partition's are its disk's
        try:
            return int((disk / "device/ioerr_cnt").read_text("ascii"), 16)
        except (OSError, ValueError):
            continue
    return None


def size_of(device: int, devices: Path = DEVICES) -> int | None:
    """Return the bytes that a disk or a partition has; None: no disk."""
    place = devices / f"{os.major(device)}:{os.minor(device)}/size"
    try:
        return int(place.read_text("ascii")) * SECTOR
    except (OSError, ValueError):
        return None
