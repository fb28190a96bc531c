"""What does the bench's bidding inside the guest: JSON lines on a virtio-serial port.

Copied into the guest and run by its Python; it needs nothing else. A request is
`{"id": 1, "sh": "ls", "in": base64}`; answers are `{"id": 1, "out": base64}` while
it runs, and `{"id": 1, "rc": 0}` at its end. `{"id": 1, "kill": 9}` sends a signal.
"""

import base64
import contextlib
import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

PORT = "bench"
PAUSE = threading.Event()  # never set
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def port() -> str:
    """Return the path of our port, once the kernel has found it."""
    while True:
        for name in Path("/sys/class/virtio-ports").glob("*/name"):
            if name.read_text().strip() == PORT:
                return f"/dev/{name.parent.name}"
        PAUSE.wait(0.05)


class Hands:
    """Runs commands, several at once, and tells what becomes of them."""

    def __init__(self, fd: int) -> None:
        self._fd, self._lock = fd, threading.Lock()
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    def serve(self) -> None:
        rest = b""
        while True:
            got = os.read(self._fd, 65536)
            if not got:  # nobody is at the other end
                PAUSE.wait(0.05)
            *lines, rest = (rest + got).split(b"\n")
            for line in lines:
                self._hear(json.loads(line))

    def _hear(self, request: dict[str, Any]) -> None:
        if "sh" in request:
            threading.Thread(target=self._work, args=(request,), daemon=True).start()
        elif "kill" not in request:
            self._tell(id=request["id"], rc=0)  # we are up
        elif process := self._running.get(request["id"]):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, request["kill"])

    def _work(self, request: dict[str, Any]) -> None:
        process = subprocess.Popen(
            ["/bin/bash", "-c", request["sh"]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd="/root",
        )
        self._running[request["id"]] = process
        given = base64.b64decode(request["in"])
        threading.Thread(target=feed, args=(process, given), daemon=True).start()
        assert process.stdout is not None
        while chunk := os.read(process.stdout.fileno(), 32768):
            self._tell(id=request["id"], out=base64.b64encode(chunk).decode())
        self._tell(id=request["id"], rc=process.wait())
        del self._running[request["id"]]

    def _tell(self, **message: Any) -> None:
        data = memoryview(json.dumps(message).encode() + b"\n")
        with self._lock:
            while data:
                data = data[os.write(self._fd, data) :]


def feed(process: subprocess.Popen[bytes], given: bytes) -> None:
    """Write what the process is given, unless it does not want it."""
    assert process.stdin is not None
    with contextlib.suppress(OSError):
        process.stdin.write(given)
        process.stdin.close()


if __name__ == "__main__":
    os.environ.update(HOME="/root", PATH=PATH, LANG="C.UTF-8")
    Hands(os.open(port(), os.O_RDWR)).serve()
