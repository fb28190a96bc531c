"""How one docking moves, from contact to seal: a table."""

from collections.abc import Mapping
from enum import StrEnum

from dock_agent.recording import DockingState


class DockingMove(StrEnum):
    """What can happen to a docking."""

    LISTED = "listed"  # the inventory is committed
    COPIED = "copied"  # every listed file is verified, held or skipped
    PASSED = "passed"  # the second full pass agreed: manifest written and signed
    CLOSED = "closed"  # sealed with what is there: `complete` is false
    LOST = "lost"  # the camera or the agent went away
    OUT_OF_ROOM = "out of room"
    BROKEN = "broken"  # a person must look


_S, _M = DockingState, DockingMove
OPEN = (_S.OPENED, _S.COPYING, _S.CHECKING)  # its offload may still be at work
_STOPPED = (_S.INTERRUPTED, _S.WAITING, _S.FAULT)
MOVES: Mapping[tuple[DockingState, DockingMove], DockingState] = {
    (_S.OPENED, _M.LISTED): _S.COPYING,
    (_S.COPYING, _M.COPIED): _S.CHECKING,
    (_S.CHECKING, _M.PASSED): _S.SEALED,
    **{(s, _M.LOST): _S.INTERRUPTED for s in (*OPEN, _S.WAITING)},
    **{(s, _M.OUT_OF_ROOM): _S.WAITING for s in OPEN},
    **{(s, _M.BROKEN): _S.FAULT for s in OPEN},
    **{(s, _M.CLOSED): _S.SEALED for s in _STOPPED},
}
