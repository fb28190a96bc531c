"""A station with a sealed docking, and stores to send it to, for the benchmarks."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Event

from dock_agent.clock import SystemClock
from dock_agent.config import load
from dock_agent.store import backlog, destinations
from dock_agent.store.db import connect, reading
from dock_agent.sync.open import worker

sys.path.append(str(Path(__file__).parents[1] / "tests"))  # their servers
from support.fault_kinds import CALM, Fault, Plan
from support.fault_proxy import fault_proxy
from support.seaweed import BUCKET, KEY_ID, SECRET, seaweed

__all__ = ["BUCKET", "CALM", "KEY_ID", "SECRET", "Fault", "Plan", "fault_proxy"]
MIB, GIB, GB = 1 << 20, 1 << 30, 10**9
BLOCK = 64 * MIB
AGENT = str(Path(sys.executable).with_name("dock-agent"))
CONFIG = """
[station]
id = "benchmark"
[vault]
path = "{vault}"
reserve_bytes = 0
cached = "accept"  # it may lie in memory
[store]
path = "store.db"
[offload]
rest_s = 0
"""
DESTINATION = """
[[destinations]]
name = "main"
kind = "s3"
endpoint = "{endpoint}"
bucket = "{bucket}"
credentials_file = "credentials"
insecure = true
proof = "{proof}"
connections = {connections}
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """How ours is to send: the least proof, and how many objects at a time."""

    proof: str = "echoed"
    connections: int = 1


@dataclass(frozen=True)
class Station:
    """A vault with one sealed docking, and a store that knows its digests."""

    root: Path

    @cached_property
    def files(self) -> list[Path]:
        """The evidence files, as the peers are given them."""
        found = (self.root / "vault").rglob("data/DCIM/*")
        return sorted(path for path in found if path.is_file())

    @cached_property
    def size(self) -> int:
        """The bytes of these files."""
        return sum(path.stat().st_size for path in self.files)

    @contextmanager
    def queue(self, endpoint: str, terms: Terms) -> Iterator["Queue"]:
        """Yield the same station, that has met the store and sent nothing to it yet.

        What it wrote is removed afterwards.
        """
        folder = self.root / "queue"
        folder.mkdir()
        shutil.copy(self.root / "store.db", folder)
        (folder / "credentials").write_text(
            f"[default]\naws_access_key_id = {KEY_ID}\n"
            f"aws_secret_access_key = {SECRET}\n"
        )
        to = DESTINATION.format(
            endpoint=endpoint,
            bucket=BUCKET,
            proof=terms.proof,
            connections=terms.connections,
        )
        whole = CONFIG.format(vault=self.root / "vault") + to
        (folder / "dock.toml").write_text(whole)
        try:
            _meet(folder)
            yield Queue(folder)
        finally:
            shutil.rmtree(folder)


@dataclass(frozen=True, slots=True)
class Queue:
    """What is to be sent, once."""

    folder: Path

    @property
    def command(self) -> list[str]:
        """What sends it, until it is told to end."""
        return [AGENT, "sync", "--config", str(self.folder / "dock.toml")]

    def is_confirmed(self) -> bool:
        """Whether the destination has proved all of it."""
        with reading(self.folder / "store.db") as conn:
            left = backlog.waiting(conn)
            if left.refused:
                raise SystemExit(f"{left.refused} objects were refused")
            return backlog.confirmed(conn) > 0 and left.count == 0


def _meet(folder: Path) -> None:
    """Mark the store and try what it checks, as a station does the first time."""
    with closing(connect(folder / "store.db")) as conn:
        sending = worker(load(folder / "dock.toml"), SystemClock(), conn, Event())
        for name, lane in sending.lanes.items():
            with closing(lane.destination):
                row = destinations.get(conn, name)
                sending.contact.ask(conn, row, lane, metered=False)


def station(root: Path, count: int, size: int) -> Station:
    """Offload so many files of so many bytes, as `dock-agent import` does."""
    card = root / "card"
    (card / "DCIM").mkdir(parents=True)
    for number in range(count):
        _write(card / "DCIM" / f"F{number:04}.MP4", size)
    (root / "dock.toml").write_text(CONFIG.format(vault="vault"))
    told = ["--config", str(root / "dock.toml"), "--camera", "GENERIC:1", str(card)]
    done = subprocess.run(
        [AGENT, "import", *told],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"the offload failed:\n{done.stderr}")
    shutil.rmtree(card)
    return Station(root)


def _write(path: Path, size: int) -> None:
    block = os.urandom(min(BLOCK, size))
    with path.open("wb") as file:
        for left in range(size, 0, -BLOCK):
            file.write(block[:left])


@contextmanager
def store(root: Path) -> Iterator[str]:
    """Run a fresh SeaweedFS; yield its endpoint. Its data is removed."""
    folder = root / "store"
    folder.mkdir()
    try:
        with seaweed(folder) as running:
            yield running.endpoint
    finally:
        shutil.rmtree(folder)


@contextmanager
def sink(root: Path) -> Iterator[str]:
    """Run a store that keeps and checks nothing; yield its endpoint."""
    del root
    start = [sys.executable, str(Path(__file__).with_name("_sink.py"))]
    with subprocess.Popen(
        start, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        if running.stdout is None or running.stdin is None:
            raise SystemExit("pipes were asked for")
        try:
            yield running.stdout.readline().strip()
        finally:
            running.stdin.close()
