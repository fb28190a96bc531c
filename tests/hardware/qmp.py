"""QEMU's own hands: plug, pull, slow down, make fail (QEMU machine protocol)."""

import json
import socket
import threading
from typing import Any

from hardware.errors import BenchError


class Qmp:
    """One connection to QEMU. Calls are made one at a time, from any thread."""

    def __init__(self, path: str) -> None:
        self._socket = connected(path)
        self._file = self._socket.makefile("rb")
        self._events: list[dict[str, Any]] = []
        self._lock = threading.RLock()
        self._next(10)  # its greeting
        self("qmp_capabilities")

    def __call__(self, command: str, **arguments: Any) -> Any:
        """Run a command; underscores in arguments stand for dashes, None for absent.

        Raises `BenchError` with what QEMU says.
        """
        given = {k.replace("_", "-"): v for k, v in arguments.items() if v is not None}
        request = json.dumps({"execute": command, "arguments": given})
        with self._lock:
            self._socket.sendall(request.encode() + b"\n")
            while True:
                message = self._next(30)
                if "error" in message:
                    raise BenchError(f"{command}: {message['error']['desc']}")
                if "event" not in message:
                    return message["return"]
                self._events.append(message)

    def wait_until_gone(self, device: str, timeout: float = 30) -> None:
        """Wait until QEMU has let go of a device that was deleted."""
        with self._lock:
            while not any(_is_gone(event, device) for event in self._events):
                self._events.append(self._next(timeout))
            self._events.clear()

    def close(self) -> None:
        self._file.close()
        self._socket.close()

    def _next(self, timeout: float) -> dict[str, Any]:
        self._socket.settimeout(timeout)
        line = self._file.readline()
        if not line:
            raise BenchError("QEMU is gone")
        message: dict[str, Any] = json.loads(line)
        return message


def connected(path: str) -> socket.socket:
    """Return a socket that is connected to a path. Raises `OSError`."""
    made = socket.socket(socket.AF_UNIX)
    try:
        made.connect(path)
    except OSError:
        made.close()
        raise
    return made


def _is_gone(event: dict[str, Any], device: str) -> bool:
    return (
        event.get("event") == "DEVICE_DELETED" and event["data"].get("device") == device
    )
