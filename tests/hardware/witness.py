"""What a station said, and how many writes its disk had been given by then.

A cut after so many writes must leave what was said before: a line of the custody
log that anybody could read, a bay that was green.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hardware.crash import count
from hardware.guest import Guest
from hardware.station import STATE

# Runs in the guest. One JSON line each: a line of the custody log as soon as another
# process than the agent can read it; a bay, when its colour is another than before;
# how many objects are not confirmed.
LISTENER = """\
import json, pathlib, sqlite3, sys, time
state = pathlib.Path(sys.argv[1])
store = f"file:{state}/dock.sqlite?mode=ro"
conn = sqlite3.connect(store, uri=True, isolation_level=None)
seq, before = 0, dict()
unsent = "SELECT count(*) FROM transfer WHERE state <> 'confirmed'"
query = "SELECT seq, sha256, line FROM custody WHERE seq > ? ORDER BY seq"

def look():
    global seq
    for seq, sha256, line in conn.execute(query, (seq,)).fetchall():
        print(json.dumps(dict(seq=seq, sha256=sha256, line=line)), flush=True)
    for bay in json.loads((state / "status.json").read_text())["bays"]:
        if before.get(bay["name"]) != bay["colour"]:
            before[bay["name"]] = bay["colour"]
            print(json.dumps(bay), flush=True)
    (left,) = conn.execute(unsent).fetchone()
    if before.get("") != left:
        before[""] = left
        print(json.dumps(dict(unsent=left)), flush=True)

while True:
    try:
        look()
    except (sqlite3.OperationalError, OSError, ValueError):
        pass  # the agent is just starting after a cut
    time.sleep(0.1)
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that was said. The disk had got `at` writes by then, or less."""

    at: int
    said: dict[str, Any]


class Witness:
    """Hears one station until the power is cut."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._job = guest.spawn(f"exec python3 -ISu - {STATE}", LISTENER.encode())
        self._pause = threading.Event()
        self.seen: list[Seen] = []

    def until(self, true: Callable[[list[Seen]], bool], patience: float) -> None:
        """Hear until it is true of what was said, or nothing comes for so long.

        `patience` in seconds. Raises `TimeoutError`.
        """
        waited = 0.0
        while not true(self.seen):
            if self.look():
                waited = 0.0
            elif self._job.rc is not None or waited > patience:
                raise TimeoutError(f"{self._job.text[-2000:]}")
            self._pause.wait(0.02)
            waited += 0.02

    def until_written(self, writes: int, patience: float) -> None:
        """Hear until the disk was given so many more writes. Raises `TimeoutError`."""
        log = self._guest.folder / "data.log"
        end = count(log) + writes
        self.until(lambda _: count(log) >= end, patience)

    def look(self) -> bool:
        """Note what was said since, and return whether anything was."""
        lines = bytes(self._job.out).split(b"\n")[len(self.seen) : -1]
        at = count(self._guest.folder / "data.log")  # after it was heard, not before
        self.seen += [Seen(at, json.loads(line)) for line in lines]
        return bool(lines)


def custody(seen: list[Seen], kind: str = "") -> list[dict[str, Any]]:
    """Return the custody lines that were seen, of one kind or all."""
    lines = [json.loads(s.said["line"]) for s in seen if "line" in s.said]
    return [line for line in lines if kind in {"", line["kind"]}]
