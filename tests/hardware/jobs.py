"""Commands inside the guest, as seen from outside."""

import base64
import contextlib
import itertools
import json
import re
import signal
import socket
import threading
from collections.abc import Callable
from typing import Any

from hardware.errors import BenchError
from hardware.qmp import connected

Tell = Callable[..., None]
Clock = Callable[[], float]  # seconds in which the guest had a processor


class Job:
    """A command that runs in the guest; its output arrives while it runs."""

    def __init__(self, ident: int, command: str, tell: Tell, clock: Clock) -> None:
        self.id, self.command = ident, command
        self.out = bytearray()
        self.rc: int | None = None
        self.lost = False
        self.changed = threading.Condition()
        self._tell, self._clock = tell, clock

    @property
    def text(self) -> str:
        return self.out.decode(errors="replace")

    def wait(self, timeout: float = 60, until: str | None = None) -> "Job":
        """Wait for its end or, with `until`, for output that matches it.

        Raises `BenchError` if the guest goes away, `TimeoutError` after `timeout` s
        in which the guest had a processor.
        """
        end = self._clock() + timeout
        with self.changed:
            while self.rc is None and not (until and re.search(until, self.text)):
                if self.lost:
                    raise BenchError(f"the guest went away during: {self.command}")
                left = end - self._clock()
                if left < 0:
                    said = self.text[-1500:]
                    raise TimeoutError(f"{timeout} s: {self.command}\n{said}")
                self.changed.wait(left)
        return self

    def kill(self, number: int = signal.SIGTERM) -> None:
        """Send a signal to the command and all it started."""
        self._tell(id=self.id, kill=int(number))

    def hear(self, message: dict[str, Any]) -> None:
        with self.changed:
            self.out += base64.b64decode(message.get("out", ""))
            self.rc = message.get("rc", self.rc)
            self.changed.notify_all()

    def lose(self) -> None:
        with self.changed:
            self.lost = True
            self.changed.notify_all()


class Channel:
    """The way to the hands inside the guest, from its start to its end."""

    def __init__(self, path: str, clock: Clock) -> None:
        self._clock = clock
        self._socket = connected(path)
        self._ids, self._lock = itertools.count(1), threading.Lock()
        self._jobs: dict[int, Job] = {}
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def start(self, command: str, given: bytes = b"") -> Job:
        """Start a shell command."""
        encoded = {"in": base64.b64encode(given).decode()}
        return self._job(command, sh=command, **encoded)

    def is_up(self, timeout: float) -> bool:
        """Ask whether the hands are there."""
        try:
            self._job("are you there?").wait(timeout)
        except TimeoutError:
            return False
        return True

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()

    def _job(self, label: str, **message: Any) -> Job:
        job = Job(next(self._ids), label, self._tell, self._clock)
        self._jobs[job.id] = job
        self._tell(id=job.id, **message)
        return job

    def _tell(self, **message: Any) -> None:
        with self._lock:
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def _listen(self) -> None:
        rest = b""
        with contextlib.suppress(OSError):
            while got := self._socket.recv(1 << 16):
                *lines, rest = (rest + got).split(b"\n")
                for message in map(json.loads, lines):
                    if job := self._jobs.get(message["id"]):
                        job.hear(message)
        for job in self._jobs.values():
            job.lose()
