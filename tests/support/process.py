"""Wait for things that other threads and processes do, with a deadline."""

import threading
from collections.abc import Callable

from dock_agent.bays.machine import Event, Failed, Lost, OutOfRoom, Sealed

PATIENCE = 60.0  # seconds
STEP = 0.01


def wait_until(true: Callable[[], bool], patience: float = PATIENCE) -> None:
    """Return as soon as `true()` is; fail after `patience` seconds."""
    pause = threading.Event()
    for _ in range(int(patience / STEP)):
        if true():
            return
        pause.wait(STEP)
    raise AssertionError("it never came true")


class Ending:
    """Hears a docking's events, and knows when it is over."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.over = threading.Event()

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Sealed | Failed | Lost | OutOfRoom):
            self.over.set()

    def wait(self, patience: float = PATIENCE) -> Event:
        assert self.over.wait(patience), self.events
        return self.events[-1]
