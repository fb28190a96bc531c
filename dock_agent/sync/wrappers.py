"""What holds for every destination, put around it: each meets `Destination` itself.

They pass everything on, and hook in where bytes move. `wrapped` says in which order.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from dock_agent.clock import Clock
from dock_agent.errors import Busy, Full, Portal, Unreachable
from dock_agent.recording import DestinationName
from dock_agent.sync.brake import Brake, Wait
from dock_agent.sync.content import each
from dock_agent.sync.destination import (
    Capabilities,
    Confirmation,
    Destination,
    Look,
    Object,
    Progress,
    Remember,
)
from dock_agent.sync.meter import Meter, Way
from dock_agent.sync.stall import FLOOR, OVER_S, Stall

log = logging.getLogger(__name__)

T = TypeVar("T")

TRIES = 3  # within one call; longer waits are the row's
FIRST_S = 0.5  # seconds until the second try, at most; doubles
PATIENCE_S = 10.0  # seconds that a busy destination is waited for here
NANO = 1_000_000_000


class Through:
    """Another destination, as it is; what is heard of an object's bytes may differ."""

    def __init__(self, inner: Destination) -> None:
        self._inner = inner

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    def probe(self) -> None:
        self._inner.probe()

    def check(self) -> str:
        return self._inner.check()

    def marker(self) -> str | None:
        return self._inner.marker()

    def mark(self, ident: str) -> None:
        self._inner.mark(ident)

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        return self._inner.send(self._heard(item, Way.SENT), done, remember)

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        return self._inner.confirm(self._heard(item, Way.FETCHED), done, sent=sent)

    def look(self, item: Object, done: Progress) -> Look | None:
        return self._inner.look(item, done)

    def close(self) -> None:
        self._inner.close()

    def _heard(self, item: Object, way: Way) -> Object:
        """Return the object with whoever else is to hear of its bytes."""
        del way
        return item


class Metered(Through):
    """Counts bytes each way. What is read back within `send` counts as sent."""

    def __init__(self, inner: Destination, meter: Meter) -> None:
        super().__init__(inner)
        self._meter = meter

    def _heard(self, item: Object, way: Way) -> Object:
        return replace(item, moved=each(self._meter.moving(way), item.moved))


class Limited(Through):
    """Lets bytes move no faster than its brake does."""

    def __init__(self, inner: Destination, brake: Brake) -> None:
        super().__init__(inner)
        self._brake = brake

    def _heard(self, item: Object, way: Way) -> Object:
        del way  # a link costs in both directions
        return replace(item, moved=each(self._brake.take, item.moved))


class Guarded(Through):
    """Raises `Unreachable` where bytes trickle. See `Stall` for what counts."""

    def __init__(
        self,
        inner: Destination,
        clock: Clock,
        floor: int = FLOOR,
        over_s: float = OVER_S,
    ) -> None:
        super().__init__(inner)
        self._clock, self._floor, self._over_s = clock, floor, over_s

    def _heard(self, item: Object, way: Way) -> Object:
        del way
        watch = Stall(self._clock, item.moved, self._floor, self._over_s)
        return replace(item, moved=watch)


@dataclass
class _Line:
    """What one line of the log will say."""

    outcome: str = "done"
    count: int = 0

    def moved(self, count: int) -> None:
        self.count += count


class Logged(Through):
    """Writes a line of the debug log for each call. It says nothing of contents."""

    def __init__(self, inner: Destination, name: DestinationName, clock: Clock) -> None:
        super().__init__(inner)
        self._name, self._clock = name, clock

    def probe(self) -> None:
        with self._line("probe"):
            super().probe()

    def check(self) -> str:
        with self._line("check"):
            return super().check()

    def marker(self) -> str | None:
        with self._line("marker") as line:
            return _absent_or(super().marker(), line)

    def mark(self, ident: str) -> None:
        with self._line("mark"):
            super().mark(ident)

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        with self._line("send", item.key) as line:
            heard = replace(item, moved=each(line.moved, item.moved))
            return super().send(heard, done, remember)

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        with self._line("confirm", item.key) as line:
            heard = replace(item, moved=each(line.moved, item.moved))
            return _absent_or(super().confirm(heard, done, sent=sent), line)

    def look(self, item: Object, done: Progress) -> Look | None:
        with self._line("look", item.key) as line:
            return _absent_or(super().look(item, done), line)

    @contextmanager
    def _line(self, call: str, key: str = "-") -> Iterator[_Line]:
        line, began = _Line(), self._clock.now().monotonic_ns
        try:
            yield line
        except BaseException as error:
            line.outcome = type(error).__name__
            raise
        finally:
            seconds = (self._clock.now().monotonic_ns - began) / NANO
            log.debug(
                "destination called name=%s call=%s key=%s bytes=%d seconds=%.3f"
                " outcome=%s",
                *(self._name, call, key, line.count, seconds, line.outcome),
            )


class Retried(Through):
    """Asks again within seconds; never sends again: that is the row's to decide.

    A destination that asks for more than PATIENCE_S rests as a whole. A portal and a
    full place are not gone in a second.
    """

    def __init__(self, inner: Destination, clock: Clock, wait: Wait) -> None:
        super().__init__(inner)
        self._clock = clock

        def sleep(seconds: float) -> None:
            wait(seconds)

        self._retrying = Retrying(
            stop=stop_after_attempt(TRIES),
            wait=self._pause,
            retry=retry_if_exception(_passes),
            sleep=sleep,
            reraise=True,
        )

    def probe(self) -> None:
        self._again(super().probe)

    def marker(self) -> str | None:
        return self._again(super().marker)

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        confirm = super().confirm
        return self._again(lambda: confirm(item, done, sent=sent))

    def look(self, item: Object, done: Progress) -> Look | None:
        look = super().look
        return self._again(lambda: look(item, done))

    def _again(self, ask: Callable[[], T]) -> T:
        return self._retrying.copy()(ask)  # a copy: threads share this destination

    def _pause(self, state: RetryCallState) -> float:
        """Return how many seconds to wait: as asked for, or anywhere below a bound."""
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, Busy) and error.wait_s is not None:
            return error.wait_s
        chance = int.from_bytes(self._clock.entropy(4), "big") / 2**32
        return float(FIRST_S * 2 ** (state.attempt_number - 1) * chance)


@dataclass(frozen=True, slots=True)
class Around:
    """What is put around a destination; the brake and the meter are its worker's."""

    name: DestinationName
    clock: Clock
    wait: Wait
    brake: Brake
    meter: Meter


def wrapped(destination: Destination, around: Around) -> Destination:
    """Put everything around a destination.

    From the inside out, and why in this order:

    - `Guarded` stands next to the destination: it counts only the destination's own
      time, so whatever else hears of the bytes must be behind it.
    - `Limited` comes before those who count: what waits for the brake did not move.
    - `Metered` counts every try.
    - `Logged` has a line for every try.
    - `Retried` is outermost, so that each try is braked, counted and logged.
    """
    guarded = Guarded(destination, around.clock)
    metered = Metered(Limited(guarded, around.brake), around.meter)
    logged = Logged(metered, around.name, around.clock)
    return Retried(logged, around.clock, around.wait)


def _passes(error: BaseException) -> bool:
    """Whether it may be gone within seconds."""
    if isinstance(error, Busy):
        return error.wait_s is None or error.wait_s <= PATIENCE_S
    return isinstance(error, Unreachable) and not isinstance(error, Portal | Full)


def _absent_or(found: T, line: _Line) -> T:
    if found is None:
        line.outcome = "absent"
    return found
