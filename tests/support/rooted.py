"""S3 stores of several processes, in a root of their own with Debian's packages.

`make test-servers` makes the roots and names their directory in $DOCK_SERVERS; these
tests are passed then, and only then. What runs in a root sees it read-only, and the
store's folder as /srv. Its mounts end with it, since only it sees them.
"""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from support.s3_program import S3Program

ROOTS = os.environ.get("DOCK_SERVERS", "")
"""Where the roots are; empty: these servers were not asked for."""
ENTER = """\
root=$1 folder=$2
shift 2
mount --bind "$root" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$folder" "$root/srv"
[ ! -d "$root/etc/swift" ] || mount --bind "$folder" "$root/etc/swift"
mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"
"""
ALONE = [
    *("/usr/bin/setpriv", "--pdeathsig", "KILL"),  # it dies with whoever started it
    *("/usr/bin/unshare", "--mount", "--propagation", "private"),
]
PATIENCE = 180.0  # seconds: a store has five processes, and the machine may be busy


@dataclass
class Rooted(S3Program):
    """One store. `command` is its gateway; the other processes have names."""

    root: str = ""
    patience: ClassVar[float] = PATIENCE
    _others: dict[str, "subprocess.Popen[bytes]"] = field(
        default_factory=dict, repr=False
    )

    def inside(self, *command: str) -> list[str]:
        """Return what starts a program in the root; its process id stays the same."""
        root = Path(ROOTS) / self.root
        if not ROOTS or not root.is_dir():
            pytest.fail(f"there is no root {root}: `make test-servers` makes it")
        enter = ["/bin/sh", "-ec", ENTER, "sh", str(root), str(self.folder)]
        return [*ALONE, *enter, *command]

    def ran(self, *command: str) -> str:
        """Run a program in the root to its end; return what it printed."""
        done = subprocess.run(
            self.inside(*command),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE,
            env=self.environment(),
        )
        assert done.returncode == 0, (command, done.stdout + done.stderr)
        return done.stdout

    def begin(self, name: str, *command: str) -> None:
        """Start one of the other processes, if it does not run."""
        known = self._others.get(name)
        if known is not None and known.poll() is None:
            return
        with (self.folder / f"{name}.out").open("ab") as log:
            self._others[name] = subprocess.Popen(
                self.inside(*command), stdout=log, stderr=log, env=self.environment()
            )

    def kill(self) -> None:
        super().kill()
        for process in self._others.values():
            process.kill()
            process.wait()

    def stop(self) -> None:
        """End all of it; nobody needs what it had."""
        self.judge.close()
        self.kill()

    def resident(self) -> dict[str, int]:
        """Return how many MiB of memory each process holds, by its name."""
        running = {"gateway": self._process, **self._others}
        return {
            name: _resident(process.pid)
            for name, process in running.items()
            if process is not None
        }


def _resident(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines["VmRSS"].split()[0]) >> 10
