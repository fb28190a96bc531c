"""A real object store of one's own for a demonstration: SeaweedFS, on loopback."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dock_agent.errors import Unreachable
from dock_agent.signals import dies_with

LOOPBACK = "127.0.0.1"
GRPC = 10_000  # SeaweedFS adds this to each port for its own protocol
PATIENCE = 30.0  # seconds until it must answer
KEY_ID, SECRET = "demo", "demo-secret-of-this-machine"  # for loopback only
IDENTITY = (
    '{"identities":[{"name":"demo","credentials":[{"accessKey":"%s","secretKey":"%s"}],'
    '"actions":["Admin","Read","Write","List","Tagging"]}]}'
)


@dataclass(frozen=True, slots=True)
class Running:
    """Where it listens, and the file with its key."""

    endpoint: str
    bucket: str
    credentials: Path


def program() -> str | None:
    """Return the SeaweedFS program, beside our own Python or on the PATH."""
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


@contextmanager
def running(weed: str, folder: Path) -> Iterator[Running]:
    """Run a store below `folder` for the length of the block."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    keys = folder / "s3.json"
    keys.write_text(IDENTITY % (KEY_ID, SECRET), encoding="utf-8")
    credentials = folder / "credentials"
    credentials.write_text(
        f"[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n",
        encoding="utf-8",
    )
    credentials.chmod(0o600)
    s3, master, volume, filer = free_ports(4)
    command = [weed, "mini", f"-dir={data}", f"-ip={LOOPBACK}"]
    command += [f"-ip.bind={LOOPBACK}", f"-s3.config={keys}", "-bucket=evidence"]
    command += [f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}"]
    command += [f"-filer.port={filer}", "-admin.ui=false", "-webdav=false"]
    command += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    told = folder / "store.log"
    with told.open("wb") as log, ExitStack() as ending:
        process = subprocess.Popen(  # noqa: S603  our own words
            command,
            stdout=log,
            stderr=log,
            cwd=folder,
            preexec_fn=dies_with(os.getpid()),  # noqa: PLW1509  no thread runs yet
        )
        ending.callback(_end, process)
        wait_for(s3, process, told)
        yield Running(f"http://{LOOPBACK}:{s3}", "evidence", credentials)


def free_ports(count: int) -> list[int]:
    """Return ports of loopback that are free, and free again GRPC higher."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            low = held.enter_context(socket.socket())
            low.bind((LOOPBACK, 0))
            port = low.getsockname()[1]
            high = held.enter_context(socket.socket())
            try:
                high.bind((LOOPBACK, port + GRPC))
            except (OSError, OverflowError):
                continue
            found.append(port)
    return found


def wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until something accepts connections; `Unreachable` if it never does."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.1)):
        if process.poll() is not None:
            ended = f"the object store ended with {process.returncode}"
            raise Unreachable(f"{ended}; its log is {log}")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((LOOPBACK, port)) == 0:
                return
        pause.wait(0.1)
    raise Unreachable(f"the object store does not answer; its log is {log}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
