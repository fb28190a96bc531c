"""What a bay does next: a table of moves, and nothing else.

Everything that decides how a bay moves lives in this file, and this file
touches no device, disk, clock or network. `station.py` feeds it events and
carries out the effects it returns.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from dock_agent.bays.events import (
    Advanced,
    Cancel,
    ChargeRead,
    Clear,
    Cleared,
    Copied,
    Docked,
    Effect,
    Event,
    Failed,
    Identified,
    Identify,
    Listed,
    Lost,
    Offload,
    OutOfRoom,
    Returned,
    Sealed,
    Show,
    ToClear,
    Undocked,
)
from dock_agent.machine import IllegalMove
from dock_agent.recording import BayName, BayState, CameraId, Colour

__all__ = [
    "MOVES",
    "Advanced",
    "Bay",
    "Cancel",
    "ChargeRead",
    "Clear",
    "Cleared",
    "Copied",
    "Docked",
    "Effect",
    "Event",
    "Failed",
    "Identified",
    "Identify",
    "Listed",
    "Lost",
    "Offload",
    "OutOfRoom",
    "Returned",
    "Sealed",
    "Show",
    "ToClear",
    "Undocked",
    "as_mermaid",
    "step",
]


@dataclass(frozen=True, slots=True)
class Bay:
    """One bay, as it is now. Sizes are bytes, `percent` is the battery's."""

    name: BayName
    state: BayState = BayState.EMPTY
    token: str | None = None
    camera: CameraId | None = None
    reports_charge: bool = True
    percent: int | None = None
    files_total: int = 0
    files_done: int = 0
    size_total: int = 0
    size_done: int = 0
    size_fresh: int = 0
    code: str | None = None
    reason: str | None = None

    @property
    def charged(self) -> bool:
        """Whether the battery is full, or cannot be asked."""
        return not self.reports_charge or (self.percent or 0) >= FULL

    @property
    def size_owed(self) -> int:
        """Return how many bytes the vault must still find room for, at most."""
        if self.state not in (BayState.COPYING, BayState.CHECKING):
            return 0
        return max(0, min(self.size_total - self.size_done, self.size_fresh))

    @property
    def colour(self) -> Colour:
        """What the light says: offload and charge decide it together."""
        match self.state:
            case BayState.EMPTY:
                return Colour.OFF
            case BayState.FAULT | BayState.PULLED:
                return Colour.RED
            case BayState.SEALED if self.charged:
                return Colour.GREEN
            case _:
                return Colour.AMBER


FULL = 95  # percent; lithium cells are held below 100 on purpose

_S = BayState
_BUSY = (_S.IDENTIFYING, _S.COPYING, _S.CHECKING, _S.WAITING)
_HELD = (*_BUSY, _S.SEALED, _S.CLEARING, _S.FAULT)  # a camera is in the bay
MOVES: Mapping[tuple[BayState, type[Event]], BayState] = {
    (_S.EMPTY, Docked): _S.IDENTIFYING,
    (_S.PULLED, Docked): _S.IDENTIFYING,
    (_S.IDENTIFYING, Identified): _S.IDENTIFYING,
    (_S.IDENTIFYING, Listed): _S.COPYING,
    (_S.COPYING, Listed): _S.COPYING,  # more appeared while it was copied
    (_S.COPYING, Advanced): _S.COPYING,
    (_S.COPYING, Copied): _S.CHECKING,
    (_S.CHECKING, Advanced): _S.CHECKING,
    (_S.CHECKING, Sealed): _S.SEALED,
    (_S.CHECKING, ToClear): _S.CLEARING,
    (_S.SEALED, ToClear): _S.CLEARING,  # confirmed while it stayed docked
    (_S.CLEARING, Advanced): _S.CLEARING,
    (_S.CLEARING, Cleared): _S.SEALED,
    (_S.IDENTIFYING, OutOfRoom): _S.WAITING,
    (_S.COPYING, OutOfRoom): _S.WAITING,
    (_S.CHECKING, OutOfRoom): _S.WAITING,  # not even for the seal
    (_S.WAITING, Identified): _S.IDENTIFYING,  # there is room again
    # Pulled after the last byte was proved: the seal still arrives, and is true.
    (_S.PULLED, Sealed): _S.EMPTY,
    (_S.PULLED, ToClear): _S.EMPTY,
    (_S.PULLED, Returned): _S.EMPTY,
    **{(s, ChargeRead): s for s in _HELD},
    **{(s, Failed): _S.FAULT for s in _HELD},
    # The reader's error comes before the kernel's word that the plug is out.
    **{(s, Lost): _S.PULLED for s in _BUSY},
    **{(s, Undocked): _S.PULLED for s in (*_BUSY, _S.PULLED, _S.FAULT)},
    (_S.SEALED, Undocked): _S.EMPTY,
    (_S.CLEARING, Undocked): _S.EMPTY,  # nothing is lost: every file is in the vault
}


def step(bay: Bay, event: Event) -> tuple[Bay, list[Effect]]:
    """Return the bay after `event`, and what must now be done about it.

    Raises `IllegalMove` where the table has no such move.
    """
    try:
        moved = replace(bay, state=MOVES[bay.state, type(event)])
    except KeyError:
        raise IllegalMove(f"bay {bay.name}: {event} while {bay.state}") from None
    if moved.state is _S.EMPTY:
        moved = Bay(bay.name)
    moved, effects = _enter(moved, event)
    if moved.colour is not bay.colour:
        effects.append(Show(moved.colour))
    return moved, effects


def _enter(bay: Bay, event: Event) -> tuple[Bay, list[Effect]]:
    match event:
        case Sealed(files):
            return _sealed(bay, files) if bay.state is _S.SEALED else bay, []
        case ToClear(files) if bay.state is _S.CLEARING:
            return _to_clear(_sealed(bay, files))
        case ToClear():
            return bay, []
    return _noted(bay, event), _effects(event)


def _noted(bay: Bay, event: Event) -> Bay:
    """Return the bay with what the event tells of the camera."""
    match event:
        case Docked(token):
            return Bay(bay.name, bay.state, token=token)
        case Identified(camera, reports_charge):
            return replace(bay, camera=camera, reports_charge=reports_charge)
        case Listed(files, size, fresh):
            known = replace(bay, files_total=files, size_total=size)
            return replace(known, size_fresh=fresh)
        case Advanced(files, size):
            return replace(bay, files_done=files, size_done=size)
        case ChargeRead(percent):
            return replace(bay, percent=percent)
    return _unsettled(bay, event)


def _unsettled(bay: Bay, event: Event) -> Bay:
    match event:
        case Failed(code, reason):
            return replace(bay, code=code, reason=reason)
        case Undocked():
            return replace(bay, token=None)
        case Lost(reason):
            return replace(bay, token=None, reason=reason)
        case Cleared(reason):
            return replace(bay, files_done=bay.files_total, reason=reason)
    return bay


def _effects(event: Event) -> list[Effect]:
    match event:
        case Docked(token):
            return [Identify(token)]
        case Identified(camera):
            return [Offload(camera)]
        case Undocked() | Lost() | Failed():
            return [Cancel()]
    return []


def _sealed(bay: Bay, files: int) -> Bay:
    """Go green only if the seal covers every file that was listed."""
    if files == bay.files_total:
        return replace(bay, files_done=files, size_done=bay.size_total)
    reason = f"sealed with {files} of {bay.files_total} files"
    return replace(bay, state=_S.FAULT, code="D-20", reason=reason)


def _to_clear(bay: Bay) -> tuple[Bay, list[Effect]]:
    """Begin to count anew: the files that are read again before they may go."""
    if bay.state is not _S.CLEARING:
        return bay, []
    return replace(bay, files_done=0), [Clear()]


def as_mermaid() -> str:
    """Draw the table; `docs/states.md` holds it and a test compares the two."""
    lines = ["stateDiagram-v2", f"    [*] --> {_S.EMPTY}"]
    lines += [f"    {a} --> {b}: {e.__name__}" for (a, e), b in MOVES.items()]
    return "\n".join(lines)
