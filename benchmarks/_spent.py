"""What a program costs: seconds on the clock and of processors, bytes at its peak.

The kernel counts a program's peak from what started it, so that is a small Python of
its own (10 MiB) and not the benchmark.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from subprocess import PIPE

NAP = 0.02  # seconds between two looks whether all is done
LONGEST = 3600.0  # seconds until it is given up
LAUNCHER = """
import json, os, sys, time
quiet = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
begin = time.monotonic()
pid = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=quiet)
print(pid, flush=True)
_, status, used = os.wait4(pid, 0)
wall, cpu = time.monotonic() - begin, used.ru_utime + used.ru_stime
print(json.dumps([os.waitstatus_to_exitcode(status), wall, cpu, used.ru_maxrss]))
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the clock, seconds of processors, and bytes resident at the peak."""

    wall: float
    cpu: float
    peak: int


def never() -> bool:
    """Let the program end by itself."""
    return False


def spent(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    until: Callable[[], bool] = never,
) -> Cost:
    """Run a program and return what it cost; its children count with it.

    One that runs for ever is asked to end once `until()` is true, and its clock stops
    there. What fails ends the benchmark.
    """
    whole = {**os.environ, **(environment or {})}
    whole.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has it
    start = [sys.executable, "-I", "-S", "-c", LAUNCHER, *command]
    with (
        tempfile.TemporaryFile() as words,
        subprocess.Popen(start, env=whole, stdout=PIPE, stderr=words) as launcher,
    ):
        if launcher.stdout is None:
            raise SystemExit("a pipe was asked for")
        pid, begin = int(launcher.stdout.readline()), time.monotonic()
        try:
            stopped = _stopped(launcher, until)
            wall = time.monotonic() - begin
        finally:
            if until is not never and launcher.poll() is None:
                os.kill(pid, signal.SIGTERM)
        code, lasted, cpu, peak = json.loads(launcher.stdout.readline())
        if code:
            words.seek(0)
            told = words.read().decode(errors="replace")
            raise SystemExit(f"{command[0]} failed with {code}:\n{told}")
    return Cost(wall if stopped else lasted, cpu, peak * 1024)


def _stopped(launcher: "subprocess.Popen[bytes]", until: Callable[[], bool]) -> bool:
    """Wait for the end, or until it is time to ask for it; whether that is so."""
    if until is never:
        return False
    nap = threading.Event()
    for _ in range(int(LONGEST / NAP)):
        if launcher.poll() is not None:
            return False
        if until():
            return True
        nap.wait(NAP)
    raise SystemExit(f"it was not done after {LONGEST:.0f} s")
