"""A real S3 store as a process of its own: started, killed, stopped, and judged.

The judge is boto3: what it finds is what is there.
"""

import random
import signal
import socket
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import boto3
import httpx
import pytest
from botocore.config import Config

KEY_ID, SECRET = "AKTEST", "SKTESTSKTEST"
BUCKET = "evidence"
GRPC = 10_000  # each port of SeaweedFS has another that much higher
PATIENCE = 60.0  # seconds until it answers, on a busy machine
STEP = 0.05  # seconds between two looks


@dataclass
class S3Program(ABC):
    """One store: a process, its ports, and its data below `folder`."""

    folder: Path
    ports: list[int]  # the first is S3's
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    patience: ClassVar[float] = PATIENCE

    @abstractmethod
    def command(self) -> list[str]:
        """Return what starts it."""

    def environment(self) -> Mapping[str, str] | None:
        """Return its environment; None for ours."""
        return None

    @property
    def key_id(self) -> str:
        """Return the id of the station's key."""
        return KEY_ID

    @property
    def endpoint(self) -> str:
        """Return the base URL of its S3 side."""
        return f"http://127.0.0.1:{self.ports[0]}"

    def start(self) -> None:
        """Start it, and return once the bucket is there."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                env=self.environment(),
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
        """Return boto3's client."""
        return boto3_client(self.endpoint, self.key_id, SECRET)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + self.patience
        while not self._answers():
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                self.kill()
                told = (self.folder / "log").read_text("utf-8", "replace")
                raise TimeoutError(f"the store does not answer:\n{told[-3000:]}")
            threading.Event().wait(STEP)

    def _answers(self) -> bool:
        """Whether it takes an object: listening alone is too early."""
        try:
            if httpx.get(self.endpoint, trust_env=False).status_code >= 500:
                return False
            self.prepare()
            self.judge.put_object(Bucket=BUCKET, Key=".awake", Body=b"x")
            self.judge.delete_object(Bucket=BUCKET, Key=".awake")
        except Exception:  # noqa: BLE001  whatever it says before it is up
            return False
        return True

    def prepare(self) -> None:  # noqa: B027  most have nothing to do
        """Make the bucket, where the store does not do so when it starts."""


Program = TypeVar("Program", bound=S3Program)


@contextmanager
def running(program: Program) -> Iterator[Program]:
    """Run a store for the length of the block; skip the test if there is none."""
    if not Path(program.command()[0]).exists():
        pytest.skip(f"no {program.command()[0]} here: `make test` installs it")
    try:
        program.start()
        yield program
    finally:
        program.stop()


def boto3_client(endpoint: str, key_id: str, secret: str) -> Any:
    """Return a client that sends each request once."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=Config(
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def installed(name: str) -> str:
    """Return where pip puts a program."""
    return str(Path(sys.executable).with_name(name))


def free_ports(count: int) -> list[int]:
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
