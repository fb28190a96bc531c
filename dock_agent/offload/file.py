"""How one file moves while its camera is offloaded, and when its time is over."""

from collections.abc import Mapping
from enum import StrEnum

from dock_agent.recording import FileState


class FileMove(StrEnum):
    """What can happen to a file."""

    PROVED = "proved"  # its part was read back from the medium and matched
    NAMED = "named"  # renamed, its directory is on the disk
    MATCHED = "matched"  # the camera's bytes equal what an earlier docking holds
    PASSED_OVER = "passed over"  # not a regular file
    GIVEN_UP = "given up"  # this docking will not have it
    DOUBTED = "doubted"  # its bytes are not what was recorded
    ROTTED = "rotted"  # the scrub found that it is not what was verified
    HEALED = "healed"  # put there again from a good copy, and read back
    OUTLIVED = "outlived"  # its time is over, and every destination proved its copy
    STAYED = "stayed"  # it was to expire, and is still there


_S, _M = FileState, FileMove
MOVES: Mapping[tuple[FileState, FileMove], FileState] = {
    (_S.LISTED, _M.PROVED): _S.PROVEN,
    (_S.LISTED, _M.MATCHED): _S.HELD,
    (_S.LISTED, _M.PASSED_OVER): _S.SKIPPED,
    (_S.LISTED, _M.GIVEN_UP): _S.MISSED,
    (_S.PROVEN, _M.NAMED): _S.VERIFIED,
    (_S.PROVEN, _M.GIVEN_UP): _S.MISSED,
    (_S.VERIFIED, _M.ROTTED): _S.DAMAGED,
    (_S.DAMAGED, _M.HEALED): _S.VERIFIED,
    (_S.VERIFIED, _M.OUTLIVED): _S.EXPIRED,
    (_S.EXPIRED, _M.STAYED): _S.VERIFIED,
    **{(s, _M.DOUBTED): _S.QUARANTINED for s in (_S.LISTED, _S.PROVEN, _S.VERIFIED)},
}

SAFE = frozenset({_S.VERIFIED, _S.HELD})
"""States in which the file's bytes are in the vault, proved."""

SETTLED = frozenset({*SAFE, _S.SKIPPED})
"""States that do not keep a docking from being complete."""
