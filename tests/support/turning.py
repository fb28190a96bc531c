"""What a worker meets, made to take turns: a cloud, a way to it, and a nap."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from dock_agent.simulated.cloud import SimulatedCloud, no_time
from dock_agent.simulated.weather import Wait
from dock_agent.sync.content import each
from dock_agent.sync.destination import (
    Confirmation,
    Destination,
    Object,
    Progress,
    Remember,
)
from dock_agent.sync.meter import Way
from dock_agent.sync.wrappers import Through
from support.turns import Turns

ANSWERS_IN_S = 20.0  # at most; but for one that puts parts together
SEVERAL = 30  # naps that may pass until a thread that waits looks again
Pause = Callable[[], None]


@dataclass
class Shared(SimulatedCloud):
    """A cloud that several ask at once: what it does takes time, by `chance`.

    `slow_s` is how long it may take to put an object together.
    """

    pause: Wait = no_time
    chance: Random = field(default_factory=Random)
    slow_s: float = 0.0

    def _asked(self) -> None:
        seldom = self.chance.random() < 0.02
        self.pause(self.chance.uniform(0, ANSWERS_IN_S) if seldom else 0)
        super()._asked()

    def _keep(self, key: str, content: bytes) -> None:
        seldom = self.chance.random() < 0.05
        self.pause(self.slow_s * self.chance.choice([0.1, 0.5, 1]) if seldom else 0)
        super()._keep(key, content)


class Turning(Through):
    """A destination at which others may go on wherever the worker could be cut.

    `late` is how what it was told may come late: perhaps later than a lease.
    """

    def __init__(self, inner: Destination, pause: Wait, late: Pause) -> None:
        super().__init__(inner)
        self._pause, self._late = pause, late

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        def remembered(progress: Progress) -> None:
            self._late()
            remember(progress)
            self._pause(0)

        told = super().send(item, done, remembered)
        self._late()
        return told

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        told = super().confirm(item, done, sent=sent)
        self._late()
        return told

    def _heard(self, item: Object, way: Way) -> Object:
        def between(count: int) -> None:
            del count
            self._pause(0)

        del way
        return replace(item, moved=each(between, item.moved, between))


class Nap(threading.Event):
    """A `stop` that is waited for in virtual time; who waits may oversleep."""

    def __init__(self, turns: Turns) -> None:
        super().__init__()
        self._turns = turns

    def wait(self, timeout: float | None = None) -> bool:
        longer = self._turns.chance.choice([1, 1, SEVERAL])
        self._turns.pause((timeout or 0) * longer)
        return self.is_set()
