"""A whole station on the bench: the agent by its own unit, mounts by PID 1."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import (
    Environment,
    FileSystemLoader,
    StrictUndefined,
    select_autoescape,
)

from dock_agent.bays.rules import rules
from dock_agent.recording import BayName
from hardware import program
from hardware.guest import Extra, Guest
from hardware.image import digest

ROLE = program.ROOT / "ansible/roles/dock_agent/templates"
UNITS = program.ROOT / "systemd"
MOUNTING = ("dock-mount@.service", "dock-mount-failed@.service")
# Bays 1 to 4 are the ports of one hub, 5 to 8 those of another.
BAYS = {str(4 * h + p - 4): f"{h}.{p}" for h in (1, 2) for p in (1, 2, 3, 4)}
PORT = "pci-0000:00:14.0-usb-0:{}"
VAULT, STATE, KEYS = "/data/vault", "/data/state", "/data/keys"
NAS = "/data/nas"  # a destination, on the very disk whose power is cut
CONFIG_FILE = "/etc/dock-agent/dock-agent.toml"
RULES = "/etc/udev/rules.d/70-dock-agent.rules"
VARIABLES = {
    "dock_agent_vault": {"path": VAULT},
    "dock_agent_store": {"path": f"{STATE}/dock.sqlite"},
    "dock_agent_keys": {"signing_file": f"{KEYS}/station.pem"},
    "dock_agent_prefix": program.PREFIX,
    "dock_agent_config_file": CONFIG_FILE,
    "dock_agent_credentials_directory": "/etc/dock-agent/credentials",
    "dock_agent_credentials": (),
    "dock_agent_destinations": ({"kind": "directory", "path": NAS},),
}
CONFIG = f"""\
[station]
id = "bench-1"
[vault]
path = "{VAULT}"
reserve_bytes = 1000000
[store]
path = "{STATE}/dock.sqlite"
[keys]
signing_file = "{KEYS}/station.pem"
"""
ERASE = '[release]\nerase = "after_verified"\n[cameras]\nprofiles = "profiles"\n'
OPENER = "/usr/local/lib/dock-agent/dock-erase"
PROFILES = "/etc/dock-agent/profiles"
PROFILE = """\
name = "KT-Z3"
driver = "mass_storage"
labels = ["CAMERA"]
may_erase = true
"""
DESTINATION = f"""\
[[destinations]]
name = "nas"
kind = "directory"
path = "{NAS}"
local = true
"""
BAY = '[[bays]]\nname = "{}"\nport = "{}"\n'
PREPARE = f"""
mkdir -p /etc/dock-agent/credentials && chmod 700 /etc/dock-agent/credentials
install -d -o dock -g dock -m 750 {VAULT}
install -d -o dock -g dock -m 770 {STATE}
install -d -o dock -g dock -m 700 {KEYS}
systemd-tmpfiles --create dock-agent.conf
systemctl daemon-reload && udevadm control --reload \\
  && systemctl enable --now dock-agent && sync
"""
# What the role does for a station that sends.
PREPARE_TO_SEND = f"""
useradd -r -g dock -d /nonexistent dock-sync
install -d -o dock-sync -g dock -m 750 {NAS}
install -d -o dock -g dock -m 770 {STATE}
install -o dock -g dock -m 660 /dev/null {STATE}/dock.sqlite
"""
SEND = "systemctl enable --now dock-sync && sync"
CHECK_BAGS = f"""
set -e
for bag in $(find {VAULT}/dockings -name tagmanifest.sig -printf '%h\\n'); do
  cd $bag
  sha256sum --check --strict --quiet manifest-sha256.txt tagmanifest-sha256.txt
  echo $bag
done
"""


@dataclass(frozen=True, slots=True)
class Moment:
    """A line of the guest's journal, and when it was, in seconds since its start."""

    at: float
    text: str


def extra(*, erases: bool = False, sends: bool = False) -> Extra:
    """Return a station that has begun to watch its bays, to be saved as such.

    It takes its agent seconds to start under emulation: once is enough. One that
    `erases` clears cameras whose volume is called CAMERA; one that `sends` has a
    directory as its destination, too.
    """
    packed, files = program.packed(), _files(erases=erases, sends=sends)
    before, after = (PREPARE_TO_SEND, SEND) if sends else ("", "")

    def put(guest: Guest) -> None:
        guest.unpack(packed, to=program.HOME)
        for path, text in files.items():
            guest.run(f"mkdir -p {Path(path).parent}; cat > {path}", given=text)
        guest.run(f"chmod 755 {OPENER}")
        guest.run(before + PREPARE, timeout=300)
        StationInGuest(guest).wait_for_log("Watching the bays")
        guest.run(after, timeout=300)

    how = digest(packed, files, before, PREPARE, after)
    return Extra(how, put, program.needs())


class StationInGuest:
    """A station in a guest that was started with `extra`."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest

    def status(self) -> dict[str, Any]:
        """Return what `dock-agent status --json` says."""
        job = self.guest.run("dock-agent status --json", timeout=120)
        return dict(json.loads(job.out))

    def snapshot(self) -> dict[str, Any]:
        """Return the agent's last snapshot, which takes no program in the guest."""
        return dict(json.loads(self.guest.read(f"{STATE}/status.json")))

    def watch_also(self, name: str, port: str) -> None:
        """Make a port a bay of its own, and start the agent anew."""
        self.guest.run(
            f"""
            cat >> {CONFIG_FILE}
            dock-agent bays udev --config {CONFIG_FILE} > {RULES}
            udevadm control --reload && systemctl restart dock-agent
            """,
            given=BAY.format(name, port).encode(),
            timeout=180,
        )
        end = self.guest.clock() + 180
        while name not in [bay["name"] for bay in self.bays()]:
            if self.guest.clock() > end:
                raise TimeoutError(self.log()[-3000:])

    def bays(self) -> list[dict[str, Any]]:
        """Return the bays as the agent's last snapshot has them."""
        return list(self.snapshot()["bays"])

    def bay(self, name: str) -> dict[str, Any]:
        """Return one bay of the last snapshot."""
        return next(bay for bay in self.bays() if bay["name"] == name)

    def wait(self, name: str, *states: str, timeout: float = 180) -> dict[str, Any]:
        """Wait until a bay is in one of these states; return it."""
        return self.wait_until(name, lambda bay: bay["state"] in states, timeout)

    def wait_until(
        self,
        name: str,
        true: Callable[[dict[str, Any]], bool],
        timeout: float = 180,
    ) -> dict[str, Any]:
        """Wait until something is true of a bay; return the bay."""
        end = self.guest.clock() + timeout
        while not true(bay := self.bay(name)):
            if self.guest.clock() > end:
                raise TimeoutError(f"{bay}\n{self.log()[-3000:]}")
        return bay

    def wait_for_log(self, pattern: str, timeout: float = 180) -> None:
        """Wait until the agent has said something."""
        follow = "journalctl --follow --lines=all --unit=dock-agent --output=cat"
        job = self.guest.spawn(follow)
        try:
            job.wait(timeout, until=pattern)
        finally:
            job.kill()

    def log(self) -> str:
        """Return what the agent, PID 1 and the kernel said."""
        return self.guest.run("journalctl --no-pager -o short-monotonic").text

    def moments(self, pattern: str) -> list[Moment]:
        """Return each line of the journal that has something, with its time."""
        lines = (line for line in self.log().splitlines() if re.search(pattern, line))
        found = (re.match(r"\[ *([\d.]+)\] (.*)", line) for line in lines)
        return [Moment(float(f[1]), f[2]) for f in found if f is not None]

    def check_bags(self) -> int:
        """Have sha256sum check every sealed bag; return how many there are.

        Raises `BenchError` if one is not what its manifest says.
        """
        return len(self.guest.run(CHECK_BAGS, timeout=300).text.splitlines())


def _files(*, erases: bool, sends: bool) -> dict[str, bytes]:
    ports = {PORT.format(port): BayName(name) for name, port in BAYS.items()}
    config = CONFIG + "".join(BAY.format(bay, port) for port, bay in ports.items())
    config += ERASE if erases else ""
    config += DESTINATION if sends else ""
    told = rules(ports, erases=erases)
    return {
        CONFIG_FILE: config.encode(),
        f"{PROFILES}/kt-z3.toml": PROFILE.encode(),
        RULES: told.encode(),
        "/etc/systemd/system/dock-agent.service": unit("dock-agent").encode(),
        **{f"/etc/systemd/system/{unit}": _own(unit) for unit in MOUNTING},
        "/etc/systemd/system/dock-erase@.path": _own("dock-erase@.path"),
        "/etc/systemd/system/dock-erase@.service": _own("dock-erase@.service"),
        OPENER: _own("dock-erase"),
        "/etc/systemd/system/dock-sync.service": unit("dock-sync").encode(),
        "/etc/tmpfiles.d/dock-agent.conf": _own("dock-agent.conf"),
    }


def unit(name: str) -> str:
    """Return a unit as the role writes it."""
    environment = Environment(  # as Ansible's
        loader=FileSystemLoader(ROLE),
        trim_blocks=True,
        undefined=StrictUndefined,
        autoescape=select_autoescape(),
    )
    environment.filters["dirname"] = lambda path: str(Path(path).parent)
    return environment.get_template(f"{name}.service.j2").render(VARIABLES)


def _own(name: str) -> bytes:
    return (UNITS / name).read_bytes()
