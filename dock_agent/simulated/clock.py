"""A clock that stands still until it is told otherwise, and chance with a seed."""

import random
from datetime import UTC, datetime, timedelta

from dock_agent.clock import Instant

BEGIN = datetime(2026, 3, 5, 8, 0, tzinfo=UTC)
BOOT = "00000000-0000-4000-8000-000000000000"


class ManualClock:
    """Meets `clock.Clock`. Equal seeds give equal identifiers.

    `trusted` is whether the UTC counts as synchronised.
    """

    def __init__(self, begin: datetime = BEGIN, seed: int = 0) -> None:
        self.trusted = True
        self._now = begin
        self._begin = begin
        self._chance = random.Random(seed)  # noqa: S311  chance on purpose repeatable

    def now(self) -> Instant:
        passed = self._now - self._begin
        microseconds = passed // timedelta(microseconds=1)
        return Instant(self._now, microseconds * 1000, BOOT, self.trusted)

    def monotonic_ns(self) -> int:
        return self.now().monotonic_ns

    def entropy(self, count: int) -> bytes:
        return self._chance.randbytes(count)

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self._now += by
