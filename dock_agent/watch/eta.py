"""How long an offload still takes: from the bytes of the last half minute.

Pure: the caller brings the time.
"""

from collections import deque
from dataclasses import dataclass, field

WINDOW = 30.0  # seconds of history that count
SETTLING = 5.0  # seconds before anything is said


@dataclass(slots=True)
class Pace:
    """The pace of one docking. Times are seconds of a clock that never steps."""

    _points: deque[tuple[float, int]] = field(default_factory=deque)

    def note(self, at: float, done: int) -> None:
        """Remember that `done` bytes were read at `at`."""
        if self._points and done < self._points[-1][1]:
            self._points.clear()  # another docking began
        self._points.append((at, done))
        while len(self._points) > 2 and at - self._points[0][0] > WINDOW:  # noqa: PLR2004
            self._points.popleft()

    def seconds_left(self, total: int) -> float | None:
        """Return seconds until `total` bytes are read; None while it is a guess."""
        if not self._points:
            return None
        (begin, first), (end, last) = self._points[0], self._points[-1]
        if end - begin < SETTLING or last <= first:
            return None
        return max(0.0, total - last) * (end - begin) / (last - first)
