"""A whole station at a field site, in virtual time, before a cloud with weather.

The vault and the store are opened, recovered and closed as the agent does it, the
footage is really offloaded and sealed, the worker has everything around its
destination that a real one has, and the status is written as the agent writes it.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec

from dock_agent.bays.machine import Bay
from dock_agent.clock import ulid
from dock_agent.config import Config, parse
from dock_agent.errors import DockError
from dock_agent.offload.clerk import Job, Terms
from dock_agent.offload.inline import InlineOffloader
from dock_agent.offload.scan import MountedSource
from dock_agent.opened import Opened, opened
from dock_agent.recording import BayName, CameraId, DestinationName, DockingId
from dock_agent.run import farewell
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.cloud import SimulatedCloud
from dock_agent.store.db import connect
from dock_agent.sync.carry import Outcome
from dock_agent.sync.destination import Confirmation, Object, Progress, Remember
from dock_agent.sync.open import Opening
from dock_agent.sync.route import Routes
from dock_agent.sync.worker import Network, Worker
from dock_agent.sync.wrappers import Through
from dock_agent.vault.layout import bag_path
from dock_agent.watch import status
from dock_agent.watch.compose import Watcher
from support.cards import content
from support.sending import sha256

T = TypeVar("T")

CLOUD = DestinationName("cloud")
CAMERA = CameraId("KT-Z3:KTZ3A00017")
BAY = BayName("1")
RATE = 20_000  # bytes a second that the line carries, either way
PIECE = 16_000  # bytes: what the line takes at a time
CONFIG = """
[station]
id = "field-1"
timezone = "Europe/London"
[vault]
path = "vault"
cached = "accept"
[store]
path = "store.db"
[[bays]]
name = "1"
folder = "bay"
[[destinations]]
name = "cloud"
kind = "s3"
endpoint = "https://objects.example.org"
bucket = "evidence"
credentials_file = "credentials"
[web]
listen = "127.0.0.1:0"
"""


class Killed(BaseException):
    """The power went: nothing is tidied up."""


def nothing() -> None:
    """Do nothing."""


@dataclass
class Witness(Through):
    """Stands at the cloud itself: when it answered last, and failed, and how."""

    cloud: SimulatedCloud
    answered_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str = ""

    def __post_init__(self) -> None:
        super().__init__(self.cloud)

    def probe(self) -> None:
        self._seen(super().probe)

    def marker(self) -> str | None:
        return self._seen(super().marker)

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        send = super().send
        return self._seen(lambda: send(item, done, remember))

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        confirm = super().confirm
        return self._seen(lambda: confirm(item, done, sent=sent))

    def _seen(self, ask: Callable[[], T]) -> T:
        try:
            found = ask()
        except DockError as error:
            self.failed_at, self.failure = self.cloud.clock.now().utc, str(error)
            raise
        self.answered_at = self.cloud.clock.now().utc
        return found


@dataclass(frozen=True)
class Owing:
    """One object that the station owes the cloud: when it was queued, and what."""

    size: int
    digest: str
    since: datetime


@dataclass
class FieldSite:
    """The machine, what was put into its vault, and the cloud far away.

    `during` is called again and again while bytes are on the line, `ended` when no
    object is; `moved` says when how many bytes were.
    """

    root: Path
    clock: ManualClock = field(default_factory=ManualClock)
    owing: dict[str, Owing] = field(default_factory=dict)
    moved: list[tuple[datetime, int]] = field(default_factory=list)
    during: Callable[[], None] = nothing
    ended: Callable[[], None] = nothing
    rev: int = 0

    def __post_init__(self) -> None:
        self.config: Config = parse(CONFIG, base=self.root)
        self.config.vault_path.mkdir()
        self.cloud = SimulatedCloud(self.clock, part_size=PIECE, wait=self._carries)
        self.cloud.weather.slow = RATE
        self.witness = Witness(self.cloud)

    def _carries(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        self.moved.append((self.clock.now().utc, round(seconds * RATE)))
        self.during()

    @contextmanager
    def agent(self) -> Iterator["Agent"]:
        """Run the agent for the block; one that is killed says no farewell."""
        farewell(self.config)
        with opened(self.config, self.clock) as held:
            yield Agent(self, held)
        farewell(self.config)

    @contextmanager
    def sync(self) -> Iterator["Sync"]:
        """Run the sending process for the block."""
        with closing(connect(self.config.store_path)) as conn:
            table = self.config.destinations[0]
            opening = Opening(self.config, self.clock, self._naps)
            lanes = {CLOUD: opening.around(self.witness, table)}
            network, stop = Network(lambda: Routes(())), threading.Event()
            worker = Worker(self.config.vault_path, lanes, self.clock, network, stop)
            worker.begin(conn, {CLOUD: table.kind})
            yield Sync(self, lambda: worker.step(conn, CLOUD))

    def _naps(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    def arrived(self) -> dict[str, str]:
        """Return the digest of each object that the cloud keeps."""
        return {key: sha256(data) for key, data in self.cloud.objects.items()}


@dataclass(frozen=True)
class Agent:
    """The agent at work: it offloads, and says once a second how things are."""

    site: FieldSite
    held: Opened

    def offloads(self, sizes: Mapping[str, int]) -> None:
        """Offload a camera with such files, and note what has to be sent for it."""
        site, clock = self.site, self.site.clock
        now = clock.now().utc
        card = _card(site.root / f"card-{now:%d}", sizes, now)
        docking = DockingId(ulid(clock))
        bag = bag_path(docking, CAMERA, now)
        offloader = InlineOffloader(
            self.held.conn,
            self.held.sealer,
            MountedSource,
            lambda seconds: clock.advance(timedelta(seconds=seconds)),
            Terms(0),
        )
        offloader.start(Job(docking, CAMERA, BAY, card, bag, {}), lambda _: None)
        for path in sorted((site.config.vault_path / bag).rglob("*")):
            if path.is_file():
                key = str(path.relative_to(site.config.vault_path))
                data = path.read_bytes()
                site.owing[key] = Owing(len(data), sha256(data), now)

    def says(self) -> None:
        """Write the status, as the loop does once a second."""
        site = self.site
        look = Watcher(site.config).look(
            self.held.conn, {BAY: Bay(BAY)}, site.clock.now()
        )
        site.rev += 1
        fresh = msgspec.structs.replace(look, rev=site.rev)
        status.write(site.config.snapshot_path, fresh)


@dataclass(frozen=True)
class Sync:
    """The sending process at work."""

    site: FieldSite
    worker_step: Callable[[], Outcome]

    def step(self) -> Outcome:
        """Send one object that is due."""
        outcome = self.worker_step()
        self.site.ended()
        return outcome

    def works_for(self, time: timedelta, nap: timedelta) -> None:
        """Send what is due, and look again after each nap, for so long."""
        over = self.site.clock.now().utc + time
        while self.site.clock.now().utc < over:
            while self.step() is not Outcome.IDLE:
                pass
            left = over - self.site.clock.now().utc
            self.site.clock.advance(max(timedelta(), min(nap, left)))


def _card(root: Path, sizes: Mapping[str, int], now: datetime) -> Path:
    """Fill a card; its files are of this hour."""
    for name, size in sizes.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(f"{now} {name}", size))
        os.utime(path, (now.timestamp(), now.timestamp()))
    return root
