"""Send no faster than is allowed: one brake for all threads of a destination.

A token bucket (Turner, 1986) in whole sums: how many bytes were allowed so far, how
many were taken. Whoever takes waits for its own turn, first come first served, and
sees within NAP when the rate changes.
"""

import threading
from collections.abc import Callable

from dock_agent.clock import Clock

Wait = Callable[[float], object]
"""Waits so many seconds; what it raises ends the sending."""

BURST_S = 0.1  # seconds of sending that may be saved up while nothing is sent
BURST = 1 << 20  # bytes, at most
NAP = 0.25  # seconds between two looks whether the rate changed
BLINK = 0.001  # seconds: the shortest wait
NANO = 1_000_000_000


class Brake:
    """Lets `rate` bytes a second pass; 0 for no limit."""

    def __init__(self, clock: Clock, wait: Wait, rate: int = 0) -> None:
        self._clock, self._wait, self._rate = clock, wait, rate
        # The sums below are read and changed together, by every thread that sends:
        # docs/adr/0013.
        self._lock = threading.Lock()
        self._allowed, self._taken = 0.0, 0
        self._at = clock.monotonic_ns()

    def limit(self, rate: int) -> None:
        """Change the rate, from now on; those who wait take note of it."""
        with self._lock:
            self._rate = rate

    def take(self, count: int) -> None:
        """Return once so many bytes may go. Meets `content.Moved`."""
        with self._lock:
            self._refill()
            self._taken += count
            mine = self._taken
        while (seconds := self._left(mine)) > 0:
            self._wait(max(BLINK, min(seconds, NAP)))

    def _left(self, mine: int) -> float:
        """Return for how many seconds the byte of that number has to wait."""
        with self._lock:
            self._refill()
            return (mine - self._allowed) / self._rate if self._rate else 0.0

    def _refill(self) -> None:
        """Allow what the time since the last look is worth. The lock is held."""
        now = self._clock.monotonic_ns()
        passed, self._at = max(0, now - self._at), now
        if not self._rate:
            self._allowed = float(self._taken)
            return
        most = self._taken + min(BURST, self._rate * BURST_S)
        self._allowed = min(most, self._allowed + self._rate * passed / NANO)
