"""What a test needs before a browser: a dock that stays live, and Chromium's flags."""

import threading
from collections.abc import Callable

import msgspec
from playwright.sync_api import Page

from dock_agent.clock import SystemClock, stamp
from dock_agent.config import Config
from dock_agent.watch.status import Status
from support.boards import show

CHROMIUM = "/usr/bin/chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
HEARTBEAT = 0.5  # seconds

Open = Callable[..., Page]


class Dock:
    """An agent that writes its status again and again, until it is told to stop."""

    def __init__(self, config: Config) -> None:
        self._config, self._clock = config, SystemClock()
        self._writing = threading.Lock()  # two threads would share one .new file
        self._over = threading.Event()
        self._status: Status | None = None
        self._thread = threading.Thread(target=self._beat)
        self._thread.start()

    def shows(self, status: Status) -> None:
        """Write this, now and from now on, as of that moment."""
        self._status = status
        self._write()

    def falls_silent(self) -> None:
        """Write nothing more, as an agent that hangs."""
        self._status = None

    def close(self) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(HEARTBEAT):
            self._write()

    def _write(self) -> None:
        with self._writing:
            if self._status is not None:
                now = self._clock.now()
                fresh = msgspec.structs.replace(
                    self._status,
                    at=stamp(now.utc),
                    boot=now.boot,
                    monotonic_ns=now.monotonic_ns,
                )
                show(self._config, fresh)
