"""Notice a destination that trickles: too slow to ever finish, too live to time out.

A time-out of the transport ends what is silent. What sends or takes a byte now and
then trips none of them, and would hold a worker for days.
"""

from collections import deque

from dock_agent.clock import Clock
from dock_agent.errors import Unreachable
from dock_agent.sync.content import Moved

FLOOR = 1024  # bytes a second
OVER_S = 60.0  # seconds
NANO = 1_000_000_000


class Stall:
    """Watches one call; meets `content.Moved`, and stands before all who hear of it.

    What those take, who wait for the brake or write to the database, is not counted:
    only the time until the next bytes move is the destination's. Bytes are told
    before they are sent, and after they came, so what was told at either end of a
    stretch is counted for it, whichever is more. A stretch between two signs of life
    (0 bytes) is our own: a file is read and hashed. What came before the first of
    all is asked and answered without a payload, by deadlines of its own. Raises
    `Unreachable`.
    """

    def __init__(
        self, clock: Clock, hear: Moved, floor: int = FLOOR, over_s: float = OVER_S
    ) -> None:
        self._clock, self._hear = clock, hear
        self._floor, self._over_s = floor, over_s
        self._stretches: deque[tuple[float, int]] = deque()  # seconds, bytes
        self._seconds, self._bytes = 0.0, 0  # sums of these
        self._last = 0
        self._since: int | None = None

    def __call__(self, count: int) -> None:
        theirs = max(count, self._last)
        if theirs and self._since is not None:
            passed = (self._clock.monotonic_ns() - self._since) / NANO
            self._add(max(0.0, passed), theirs)
            self._judge()
        self._last = count
        self._hear(count)
        self._since = self._clock.monotonic_ns()

    def _add(self, seconds: float, count: int) -> None:
        self._seconds, self._bytes = self._seconds + seconds, self._bytes + count
        if self._stretches and self._stretches[-1][0] + seconds < 1:
            before, counted = self._stretches.pop()
            seconds, count = before + seconds, counted + count
        self._stretches.append((seconds, count))

    def _judge(self) -> None:
        """Look at the last `over_s` seconds, or at the one stretch that is longer."""
        while self._seconds - self._stretches[0][0] >= self._over_s:
            seconds, count = self._stretches.popleft()
            self._seconds, self._bytes = self._seconds - seconds, self._bytes - count
        if self._seconds < self._over_s:
            return
        if self._bytes < self._floor * self._seconds:
            raise Unreachable(
                f"slower than {self._floor} bytes a second"
                f" ({self._bytes} in {self._seconds:.0f} s)"
            )
