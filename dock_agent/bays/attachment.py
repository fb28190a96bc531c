"""Whether a block device is still the disk it was: its sequence number (diskseq).

Names and numbers of disks are used again at once; this one never is (Linux 5.15).
"""

import os
from pathlib import Path

DEVICES = Path("/sys/dev/block")  # a name for each block device, as major:minor
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
