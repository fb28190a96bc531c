"""How many bytes went to a destination and came from it, and how fast just now.

Every thread that moves bytes keeps a tally of its own, and changes no other: nothing
is locked, and a reading adds them up.
"""

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from dock_agent.clock import Clock
from dock_agent.sync.content import Moved

SPAN_S = 30  # seconds that goodput is taken over
NANO = 1_000_000_000


class Way(StrEnum):
    """Where bytes move to."""

    SENT = "sent"
    FETCHED = "fetched"  # read back


@dataclass(frozen=True, slots=True)
class Reading:
    """Bytes so far, each way, and bytes a second over the last 30 s, both ways."""

    sent: int
    fetched: int
    goodput: int


Tell = Callable[[Reading], None]
"""Hears a reading about once a second while bytes move."""


def untold(reading: Reading) -> None:
    """Tell nobody."""
    del reading


@dataclass(slots=True)
class _Tally:
    """What one thread moved. `seconds` is a ring: when, and how many bytes then."""

    moved: Counter[Way] = field(default_factory=Counter)
    seconds: list[tuple[int, int]] = field(
        default_factory=lambda: [(-SPAN_S, 0)] * (SPAN_S + 1)
    )
    told: int = -1

    def add(self, way: Way, count: int, second: int) -> None:
        self.moved[way] += count
        slot = second % len(self.seconds)
        when, before = self.seconds[slot]
        self.seconds[slot] = (second, count + (before if when == second else 0))


class Meter:
    """Counts for one destination; `tell` hears of it."""

    def __init__(self, clock: Clock, tell: Tell = untold) -> None:
        self._clock, self._tell = clock, tell
        self._begin = self._second()
        self._tallies: dict[int, _Tally] = {}  # by thread

    def moving(self, way: Way) -> Moved:
        """Return what counts bytes that move this way."""

        def count(count: int) -> None:
            second, me = self._second(), threading.get_ident()
            tally = self._tallies.get(me)
            if tally is None:  # no other thread makes it
                tally = self._tallies[me] = _Tally()
            tally.add(way, count, second)
            if tally.told != second:
                tally.told = second
                self._tell(self.read())

        return count

    def read(self) -> Reading:
        """Return how it stands."""
        now = self._second()
        tallies = list(self._tallies.values())
        sent, fetched = (sum(t.moved[way] for t in tallies) for way in Way)
        # The second that is not over yet says too little, and is left out.
        span = range(max(now - SPAN_S, self._begin), now)
        lately = sum(
            count for t in tallies for second, count in t.seconds if second in span
        )
        return Reading(sent, fetched, lately // max(1, len(span)))

    def goodput(self) -> int:
        """Return how many bytes a second moved lately."""
        return self.read().goodput

    def _second(self) -> int:
        return self._clock.monotonic_ns() // NANO
