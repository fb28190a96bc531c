"""The official tus server on loopback, and a judge who reads its directory.

`kill` takes its power, `start` brings it back on the same port and data.
"""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from support.process import wait_until

SCRIPT = Path(__file__).parent / "tus" / "server.mjs"


@dataclass
class TusServer:
    """One server: a process, its port, and its uploads below `folder`."""

    folder: Path
    port: int
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def endpoint(self) -> str:
        """Return where uploads are created."""
        return f"http://127.0.0.1:{self.port}/files"

    def start(self) -> None:
        """Start it, and return once it answers."""
        node = shutil.which("node")
        assert node, "no node here: `make test` installs it"
        assert (SCRIPT.parent / "node_modules").exists(), "`make test` runs npm ci"
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [node, str(SCRIPT), str(self.port), str(self.folder / "uploads")],
                stdout=log,
                stderr=log,
            )
        wait_until(self._answers)

    def kill(self) -> None:
        """Take its power: nothing of it runs any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def found(self, name: str) -> bytes | None:
        """Return the newest whole upload that was begun under a name."""
        whole = [
            (fact["creation_date"], file.with_suffix("").read_bytes())
            for file, fact in self._facts()
            if fact["metadata"]["key"] == name
            and file.with_suffix("").stat().st_size == fact["size"]
        ]
        return max(whole)[1] if whole else None

    def names(self) -> list[str]:
        """Return the name of each upload, whole or not; one that is twice, twice."""
        return [fact["metadata"]["key"] for _, fact in self._facts()]

    def sizes(self) -> list[int]:
        """Return how many bytes of each upload are there."""
        return [file.with_suffix("").stat().st_size for file, _ in self._facts()]

    def _facts(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        for file in sorted((self.folder / "uploads").glob("*.json")):
            yield file, json.loads(file.read_text("utf-8"))

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "log").read_text("utf-8")
        try:
            return httpx.options(self.endpoint, trust_env=False).is_success
        except httpx.TransportError:
            return False


@contextmanager
def tus_server(folder: Path) -> Iterator[TusServer]:
    """Run a server for the length of the block."""
    (folder / "uploads").mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = TusServer(folder, port)
    try:
        made.start()
        yield made
    finally:
        made.kill()
