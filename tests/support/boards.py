"""Status snapshots for tests of the page, and a clock that stands still."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from dock_agent.clock import Instant, stamp
from dock_agent.config import Config, parse
from dock_agent.recording import BayName, BayState, CameraId, Colour, LinkState
from dock_agent.watch import status as watch
from dock_agent.watch.status import (
    BayStatus,
    Link,
    Owed,
    Queue,
    Room,
    Status,
    Verdict,
    refusal,
)
from dock_agent.watch.verdict import verdict

NOW = datetime(2026, 11, 24, 6, 58, 12, tzinfo=UTC)
BOOT, UPTIME_NS = "test", 10**15
GIGABYTE = 10**9
ONLINE = Link(
    name="main",
    kind="s3",
    state=LinkState.ONLINE,
    since=stamp(NOW),
    last_success=stamp(NOW),
    last_failure=None,
    failure=None,
)
OFFLINE = msgspec.structs.replace(
    ONLINE,
    state=LinkState.OFFLINE,
    last_failure=stamp(NOW),
    failure="objects.example.org: no route to host",
)
ROOM = Room(
    free_bytes=413 * GIGABYTE,
    total_bytes=500 * GIGABYTE,
    reserve_bytes=GIGABYTE,
    days_left=None,
)
FULL = msgspec.structs.replace(ROOM, free_bytes=GIGABYTE)
SENT = Queue(waiting=0, bytes=0, oldest_age_s=None, refused=0)
UNSENT = Queue(waiting=38, bytes=12 * GIGABYTE, oldest_age_s=14_100.0, refused=0)

_EMPTY = BayStatus(
    name=BayName("1"),
    state=BayState.EMPTY,
    colour=Colour.OFF,
    camera=None,
    label=None,
    done=0,
    total=0,
    bytes_done=0,
    bytes_total=0,
    bytes_owed=0,
    percent=None,
    reports_charge=True,
    eta_s=None,
    code=None,
    reason=None,
    since=stamp(NOW),
)
LIGHTS = {
    BayState.EMPTY: Colour.OFF,
    BayState.PULLED: Colour.RED,
    BayState.FAULT: Colour.RED,
}


def instant(when: datetime) -> Instant:
    """Return the moment with the clock that never steps."""
    passed = (when - NOW) // timedelta(microseconds=1) * 1000
    return Instant(when, UPTIME_NS + passed, BOOT, trusted=True)


def bay(name: str, state: BayState, **facts: Any) -> BayStatus:
    """Return a bay with the light its state has; a sealed one is amber."""
    known: dict[str, Any] = {
        "name": name,
        "state": state,
        "colour": LIGHTS.get(state, Colour.AMBER),
    }
    if state not in (BayState.EMPTY, BayState.IDENTIFYING):
        known |= {
            "camera": CameraId(f"KT-Z3:KTZ3A001{name:0>2}"),
            "label": f"01{name:0>2}",
        }
    return msgspec.structs.replace(_EMPTY, **(known | facts))


def copying(name: str, done: int = 9, total: int = 31, **facts: Any) -> BayStatus:
    known = {"done": done, "total": total, "eta_s": 340.0}
    known |= {"bytes_done": done * 10**8, "bytes_total": total * 10**8}
    known["bytes_owed"] = known["bytes_total"] - known["bytes_done"]
    return bay(name, BayState.COPYING, **(known | facts))


def ready(name: str, files: int = 14, **facts: Any) -> BayStatus:
    known = {"colour": Colour.GREEN, "done": files, "total": files, "percent": 100}
    return bay(name, BayState.SEALED, **(known | facts))


def charging(name: str, percent: int | None = 62, files: int = 14) -> BayStatus:
    return bay(name, BayState.SEALED, done=files, total=files, percent=percent)


def pulled(name: str, done: int = 7, total: int = 22, **facts: Any) -> BayStatus:
    return bay(name, BayState.PULLED, done=done, total=total, **facts)


def fault(name: str, **facts: Any) -> BayStatus:
    known = {"code": "D-17", "reason": "no profile knows this camera"}
    return bay(name, BayState.FAULT, **(known | facts))


def owed(camera: str, bay: str = "2", done: int = 7, total: int = 22) -> Owed:
    return Owed(camera=camera, bay=bay, done=done, total=total, since=stamp(NOW))


def mixed() -> tuple[BayStatus, ...]:
    """One bay in each state an officer may meet."""
    return (
        ready("1"),
        copying("2"),
        fault("3"),
        bay("4", BayState.IDENTIFYING),
        bay(
            "5",
            BayState.CHECKING,
            done=31,
            total=31,
            eta_s=40.0,
            bytes_done=9,
            bytes_total=10,
        ),
        charging("6"),
        pulled("7"),
        bay("8", BayState.EMPTY),
    )


_REVISIONS = itertools.count(1)


def status(  # noqa: PLR0913  a whole snapshot, one part at a time
    bays: Sequence[BayStatus],
    *,
    at: datetime = NOW,
    vault: Room = ROOM,
    queue: Queue = SENT,
    links: tuple[Link, ...] = (ONLINE,),
    owed: tuple[Owed, ...] = (),
) -> Status:
    """Return what the agent would write about these bays."""
    said = verdict(bays, live=True, refusal=refusal(vault, bays))
    return Status(
        station="harbour-1",
        rev=next(_REVISIONS),
        at=stamp(at),
        boot=BOOT,
        monotonic_ns=instant(at).monotonic_ns,
        live=True,
        verdict=Verdict(key=said.key, text=said.text, tone=said.tone),
        bays=tuple(bays),
        queue=queue,
        links=links,
        vault=vault,
        owed=owed,
    )


def station(base: Path, *, bays: int = 8, web: str = "") -> Config:
    """Return the configuration of a station below `base`."""
    tables = "".join(
        f'[[bays]]\nname = "{n}"\nfolder = "b{n}"\n' for n in range(1, bays + 1)
    )
    text = f"""
[station]
id = "harbour-1"
timezone = "Europe/London"
[vault]
path = "vault"
[store]
path = "store.db"
{tables}
[web]
{web or 'listen = "127.0.0.1:0"'}
"""
    return parse(text, base=base)


def show(config: Config, what: Status) -> None:
    """Leave a snapshot where the page looks for it."""
    watch.write(config.snapshot_path, what)


@dataclass(slots=True)
class StillClock:
    """Time that passes only when told to."""

    utc: datetime = field(default=NOW)

    def now(self) -> Instant:
        return instant(self.utc)

    def monotonic_ns(self) -> int:
        return self.now().monotonic_ns

    def entropy(self, count: int) -> bytes:
        return bytes(count)

    def advance(self, seconds: float) -> None:
        self.utc += timedelta(seconds=seconds)
