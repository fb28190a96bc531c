"""The programs themselves, as their users start them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.process import wait_until

CONFIG = """\
[station]
id = "harbour-1"
timezone = "Europe/London"

[vault]
path = "vault"
reserve_bytes = {reserve}
cached = "accept"

[store]
path = "store.db"

[offload]
pace = {pace}
rest_s = 0

[[bays]]
name = "1"
folder = "bays/1"

[[bays]]
name = "2"
folder = "bays/2"

[[destinations]]
name = "nas"
kind = "directory"
path = "nas"
local = true
"""


@dataclass(frozen=True)
class Said:
    """How a program ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Site:
    """A station's directory with a configuration, two bays and a share."""

    root: Path

    def configure(self, *, pace: int = 0, reserve: int = 1000) -> None:
        text = CONFIG.format(pace=pace, reserve=reserve)
        (self.root / "dock.toml").write_text(text, encoding="utf-8")

    def agent(self, *arguments: str) -> Said:
        """Run `dock-agent` to its end."""
        done = subprocess.run(
            command("dock-agent", *arguments),
            check=False,
            capture_output=True,
            text=True,
            env=self.environment(),
            timeout=120,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def running(self) -> Iterator["subprocess.Popen[str]"]:
        """Run the agent for the length of the block."""
        with (self.root / "run.log").open("a") as log:
            agent = subprocess.Popen(
                command("dock-agent", "run"),
                stderr=log,
                text=True,
                env=self.environment(),
            )
            try:
                wait_until(lambda: self.status().get("live") is True)
                yield agent
            finally:
                agent.terminate()
                agent.wait(30)

    def status(self) -> Any:
        """Return the agent's last snapshot, if it is of this agent."""
        said = self.agent("status", "--json")
        return said.json if said.code == 0 else {}

    def bay(self, name: str) -> Any:
        return next(b for b in self.status()["bays"] if b["name"] == name)

    def environment(self) -> dict[str, str]:
        return dict(os.environ) | {"DOCK_CONFIG": str(self.root / "dock.toml")}


def site(root: Path) -> Site:
    """Make a station's directory below `root`."""
    for folder in ("bays/1", "bays/2", "nas"):
        (root / folder).mkdir(parents=True)
    made = Site(root)
    made.configure()
    return made


def command(name: str, *arguments: str) -> list[str]:
    """Return the command line of one of our programs."""
    return [str(Path(sys.executable).with_name(name)), *arguments]
