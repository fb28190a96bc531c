"""Real S3 stores that the same tests are held against, and what each is found to do.

Those of `make test-servers` stand in the place of the others where it asks.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from dock_agent.sync.destination import Capabilities
from support.ceph import ceph16, ceph18
from support.juicefs import juicefs
from support.rclone_s3 import rclone_s3
from support.rooted import ROOTS
from support.s3_program import S3Program
from support.seaweed import seaweed
from support.swift import swift

ITSELF = "checks SHA-256 itself"
TELLS_NONE = "is read back, it tells no SHA-256"
CHECKS_LITTLE = "is read back, it does not check all that it takes"


@dataclass(frozen=True)
class Store:
    """How one is started, what a check finds of it, and the words of the check.

    `forgets`: its uploads are in memory.
    """

    made: Callable[[Path], AbstractContextManager[S3Program]]
    found: Capabilities
    words: str
    forgets: bool = False


def verdicts(
    *, checks: bool = True, whole: bool = True, conditional: bool
) -> Capabilities:
    """Return what a check finds out."""
    return Capabilities(
        objects=checks, parts=checks, whole=whole, conditional=conditional
    )


QUICK = {
    "seaweed": Store(seaweed, verdicts(conditional=True), ITSELF),
    "juicefs": Store(juicefs, verdicts(conditional=False), TELLS_NONE),
    "rclone": Store(
        rclone_s3,
        verdicts(checks=False, conditional=False),
        CHECKS_LITTLE,
        forgets=True,
    ),
}
SLOW = {
    "ceph16": Store(ceph16, verdicts(conditional=True), TELLS_NONE),
    "ceph18": Store(ceph18, verdicts(conditional=True), TELLS_NONE),
    "swift": Store(swift, verdicts(conditional=False), TELLS_NONE),
}
STORES = SLOW if ROOTS else QUICK
