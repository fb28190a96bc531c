"""Which of the cameras that are owed must come back. Pure."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

from dock_agent.recording import BayState
from dock_agent.watch.status import BayStatus


class OfCamera(Protocol):
    """Something that is told of a camera."""

    @property
    def camera(self) -> str: ...


Told = TypeVar("Told", bound=OfCamera)
OUT = frozenset({BayState.EMPTY, BayState.PULLED})


def away(owed: Iterable[Told], bays: Iterable[BayStatus]) -> tuple[Told, ...]:
    """Return the ones whose camera is in none of the bays, in their order."""
    inside = {bay.camera for bay in bays if bay.state not in OUT}
    return tuple(one for one in owed if one.camera not in inside)
