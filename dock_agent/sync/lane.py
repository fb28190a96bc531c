"""One destination as the worker drives it: what it is, and on which terms."""

from collections.abc import Callable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from dock_agent.recording import Proof
from dock_agent.sync.content import unheard
from dock_agent.sync.destination import Destination
from dock_agent.sync.place import Where
from dock_agent.sync.policy import Policy


def unmeasured() -> int:
    """Know nothing of how fast it goes."""
    return 0


def nowhere() -> None:
    """Do not say where it is."""


@dataclass(frozen=True, slots=True)
class Lane:
    """A destination, and the terms of the configuration.

    `where` tells where it is now, as one string; `least` is the least proof that
    confirms; `limit` is told how many bytes a second may go (0: any), and `goodput`
    tells how many did lately.
    """

    destination: Destination
    policy: Policy = field(default_factory=lambda: Policy(ZoneInfo("UTC")))
    where: Where = nowhere
    least: Proof = Proof.ECHOED
    connections: int = 1
    limit: Callable[[int], None] = unheard
    goodput: Callable[[], int] = unmeasured
