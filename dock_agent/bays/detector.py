"""What the station needs of whatever sees cameras come and go.

A detector posts what it sees from a thread of its own, and tells on request
what is there now: events can be lost, doubled or come in the wrong order, and
the station asks again every half minute.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from dock_agent.recording import BayName


@dataclass(frozen=True, slots=True)
class Sighting:
    """Something is in a bay. `token` tells this contact from the next one.

    `node` is a device node, or a directory; `facts` are what was seen of it.
    """

    bay: BayName
    token: str
    node: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Vanished:
    """A contact is no longer in its bay."""

    bay: BayName
    token: str


Seen = Sighting | Vanished


@dataclass(frozen=True, slots=True)
class Presence:
    """What is in the bays right now; of the `unknown` ones nothing could be learnt."""

    sightings: tuple[Sighting, ...]
    unknown: frozenset[BayName] = frozenset()


class Detector(Protocol):
    """Sees cameras come and go."""

    def start(self, post: Callable[[Seen], None]) -> None:
        """Begin to post; what is there already is posted first."""
        ...

    def present(self) -> Presence:
        """Return what is in the bays right now, every volume of it."""
        ...

    def stop(self) -> None:
        """Stop posting, and end the thread."""
        ...
