"""Which tree a camera is read from, and whether its medium is still attached.

After a pull a stale mount still answers, and lists as empty. So presence is asked
of the kernel's own list of devices: what is gone from there is gone, and a disk
that took its place has another sequence number (diskseq, Linux 5.15).
"""

import os
from dataclasses import dataclass
from pathlib import Path

from dock_agent.bays.attachment import DEVICES, sequence_of


@dataclass(frozen=True, slots=True)
class Root:
    """What tells the directory that a camera is read from, from any other.

    `sequence` is None where no block device lies below it (FUSE, a network share).
    """

    device: int
    inode: int
    sequence: int | None

    @classmethod
    def of(cls, facts: os.stat_result, devices: Path = DEVICES) -> "Root":
        """Return the root with these facts (stat(2)), as it is attached now."""
        return cls(facts.st_dev, facts.st_ino, sequence_of(facts.st_dev, devices))

    def attached(self, devices: Path = DEVICES) -> bool:
        """Whether its device is the one it was; true where there is none to ask."""
        return self.sequence == sequence_of(self.device, devices)
