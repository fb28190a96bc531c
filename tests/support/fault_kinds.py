"""What a faulty way may do to what passes over it: a table, and how it is planned."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What may happen to a connection. `at`, `seconds` are those of `Fault`."""

    CALM = "calm"  # nothing, ever
    END = "end"  # it is closed between two requests
    HOLE = "hole"  # the request is swallowed; reset after so many seconds
    CUT_ASKING = "cut-asking"  # reset once `at` bytes of the request's body went on
    CUT = "cut"  # reset once `at` bytes of the answer went back
    SHORT = "short"  # closed once `at` bytes of the answer went back
    LOST = "lost"  # the request is served, then comes a reset and no answer
    HALF = "half"  # our side is closed before the request's body, which is served
    LATE = "late"  # reset; and so many seconds later the request is served after all
    DELAY = "delay"  # the request waits so many seconds
    DRIP = "drip"  # `at` bytes of the answer come one by one, so many seconds apart
    FLIP_ASKING = "flip-asking"  # a bit of byte `at` of the request's body is another
    FLIP = "flip"  # a bit of byte `at` of the answer's body is another
    TWICE = "twice"  # the answer comes twice
    BUSY = "busy"  # the proxy answers `status` itself
    PORTAL = "portal"  # it answers with a page of its own


LIVES_ON = frozenset({Kind.CALM, Kind.TWICE})


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one connection, with its request number `after` (from 0).

    Besides, it is reset once `most` bytes of requests came, whichever they are of.
    """

    kind: Kind = Kind.CALM
    after: int = 0
    at: int = 0  # bytes
    seconds: float = 0.0
    status: int = 503
    retry_after: str | None = None
    most: int | None = None


CALM = Fault()
Plan = Callable[[int], Fault]
"""Says what happens to a connection, by its number (from 0)."""
