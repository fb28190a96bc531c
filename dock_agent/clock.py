"""Time, chance and identifiers, as arguments: nothing else asks the machine."""

import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Protocol

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Instant:
    """One reading of every clock the custody log keeps.

    `utc` is aware; `monotonic_ns` counts from boot and never steps; `boot` is
    the kernel's boot id; `trusted` tells whether the UTC was synchronised.
    """

    utc: datetime
    monotonic_ns: int
    boot: str
    trusted: bool


class Clock(Protocol):
    """Where time and chance come from."""

    def now(self) -> Instant: ...

    def monotonic_ns(self) -> int:
        """Return what `now()` would say of it, and read nothing else.

        For what is asked with every piece that moves.
        """
        ...

    def entropy(self, count: int) -> bytes:
        """Return `count` random bytes."""
        ...


class SystemClock:
    """The machine's own clocks and randomness."""

    def __init__(self) -> None:
        self._boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()

    def now(self) -> Instant:
        return Instant(
            utc=datetime.now(UTC),
            monotonic_ns=time.monotonic_ns(),
            boot=self._boot,
            trusted=_synchronised(),
        )

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def entropy(self, count: int) -> bytes:
        return os.urandom(count)


def _synchronised() -> bool:
    # Written by systemd-timesyncd and by chrony's unit once the clock is set.
    return os.path.exists("/run/systemd/timesync/synchronized")  # noqa: PTH110  hot


def ulid(clock: Clock) -> str:
    """Return a new ULID (26 Crockford digits; sorts by time of making)."""
    milliseconds = int(clock.now().utc.timestamp() * 1000)
    number = int.from_bytes(milliseconds.to_bytes(6, "big") + clock.entropy(10), "big")
    return "".join(CROCKFORD[number >> shift & 31] for shift in range(125, -1, -5))


@lru_cache(maxsize=8)  # lines that are written together are of one instant
def stamp(instant: datetime) -> str:
    """Return RFC 3339 UTC with microseconds, as the store and the log keep it."""
    utc = instant.astimezone(UTC).replace(tzinfo=None)
    return utc.isoformat(timespec="microseconds") + "Z"


def unstamp(text: str) -> datetime:
    """Read what `stamp` wrote."""
    return datetime.fromisoformat(text)
