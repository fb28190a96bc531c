"""What it means for the docking and its bay that an offload could not go on."""

from collections.abc import Mapping
from dataclasses import dataclass

from dock_agent.bays.machine import Event, Failed, Lost, OutOfRoom
from dock_agent.errors import every_error
from dock_agent.offload.docking import DockingMove
from dock_agent.offload.messages import Ended

LEAST_MORE = 64 << 20  # bytes: where nobody knows how many are missing
CODES: Mapping[str, str] = {
    "CameraError": "D-10",
    "SourceChanged": "D-10",
    "FixityError": "D-20",
    "CustodyError": "D-21",
    "StoreError": "D-31",
    "StillWritten": "D-10",
    "StoreFull": "D-31",
    "StoreLocked": "D-31",
    "StoreDamaged": "D-31",
    "VaultUnusable": "D-32",
}
UNKNOWN = "D-1"


@dataclass(frozen=True, slots=True)
class Ending:
    """How the docking moves, and what the bay is told."""

    move: DockingMove
    event: Event


def ending(why: Ended, free: int) -> Ending:
    """Return what follows from `why`; `free` bytes are free in the vault now.

    A docking that waits for room is begun again only when there is more room
    than there was: else it would be tried for ever.
    """
    match why.error:
        case "CameraGone":
            return Ending(DockingMove.LOST, Lost(why.detail))
        case "NoRoom":
            needed = free + (why.missing or LEAST_MORE)
            return Ending(DockingMove.OUT_OF_ROOM, OutOfRoom(needed))
    return Ending(DockingMove.BROKEN, Failed(_code(why.error), why.detail))


def _code(error: str) -> str:
    """Return the code of an error, by its class's name: its own, or its family's."""
    for kind in every_error():
        if kind.__name__ == error:
            names = (parent.__name__ for parent in kind.__mro__)
            return next((CODES[name] for name in names if name in CODES), UNKNOWN)
    return UNKNOWN
