"""How much of a camera was read, as every lane tells it, and that one lives."""

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue

from dock_agent.errors import CameraGone

LONGEST_SILENCE = 0.5  # seconds without a sign of life while a lane waits


class Meter:
    """Any lane tells; one thread hears. `pace` is bytes a second, 0 for no limit.

    A pace is kept by the one lane that reads: with a pace there is no other.
    """

    def __init__(self, pace: int, wait: Callable[[float], None]) -> None:
        self._pace, self._wait = pace, wait
        self._told: SimpleQueue[int] = SimpleQueue()
        self._given = 0
        self._begun = time.monotonic()
        self._over = False
        self.read = 0  # bytes that were heard of

    def close(self) -> None:
        """Nobody hears any more: whatever still runs in a lane ends soon."""
        self._over = True

    # ---- in a lane --------------------------------------------------------------

    def took(self, count: int) -> None:
        """So many bytes were read from the camera. Raises `CameraGone` once over."""
        self._tell(count)
        if self._pace:
            self._given += count
            self.pause(self._given / self._pace - self.passed())

    def lives(self, count: int) -> None:
        """Something else was read: a sign of life, no progress. Raises as `took`."""
        del count
        self._tell(0)

    def pause(self, seconds: float) -> None:
        """Wait, and say meanwhile that we live: silence would be the end."""
        while seconds > 0:
            self._wait(min(seconds, LONGEST_SILENCE))
            seconds -= LONGEST_SILENCE
            self._tell(0)

    def _tell(self, count: int) -> None:
        if self._over:
            raise CameraGone("its offload is over")
        self._told.put(count)

    # ---- in the thread that speaks to the parent ----------------------------------

    def heard(self) -> bool:
        """Add up what was told; whether anything was."""
        any_sign = False
        try:
            while True:
                self.read += self._told.get_nowait()
                any_sign = True
        except Empty:
            return any_sign

    def passed(self) -> float:
        """Return how many seconds this docking has lasted."""
        return time.monotonic() - self._begun

    def rate(self) -> float:
        """Return bytes a second so far."""
        return self.read / max(self.passed(), 0.1)
