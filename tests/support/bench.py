"""A vault, a store and a key in a temporary directory, and dockings on them."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dock_agent.bays.machine import Event
from dock_agent.clock import Clock, SystemClock, ulid
from dock_agent.custody.signing import SigningKey
from dock_agent.errors import DockError
from dock_agent.offload.bench import Bench as Parts
from dock_agent.offload.bench import Tree
from dock_agent.offload.child import Offload
from dock_agent.offload.clerk import Clerk, Job, Terms
from dock_agent.offload.inline import Direct, InlineOffloader
from dock_agent.offload.messages import Heard, Said, ended
from dock_agent.offload.scan import MountedSource
from dock_agent.recording import (
    BayName,
    CameraId,
    DestinationName,
    DockingId,
)
from dock_agent.store import destinations, dockings, files
from dock_agent.store.db import connect, transaction
from dock_agent.store.dockings import Docking
from dock_agent.store.file import File
from dock_agent.vault import reached
from dock_agent.vault.bag import Sealer
from dock_agent.vault.disk import Disk
from dock_agent.vault.layout import MARKER, bag_path
from dock_agent.vault.real import RealDisk

CAMERA = CameraId("KT-Z3:KTZ3A00017")
BAY = BayName("1")
CLOUD = DestinationName("cloud")
KEY = SigningKey.from_seed(bytes(32))


def unheard(said: Said) -> None:
    """Do nothing about it."""
    del said


class Died(BaseException):
    """The agent was killed."""


@dataclass
class Bench:
    """Everything an offload needs, and what came of the last one."""

    root: Path
    disk: Disk = field(default_factory=RealDisk)
    clock: Clock = field(default_factory=SystemClock)
    events: list[Event] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    cancel: Callable[[], None] = field(default=lambda: None)
    recipients: tuple[bytes, ...] = ()  # to whom everything is encrypted

    def __post_init__(self) -> None:
        self.vault = self.root / "vault"
        self.vault.mkdir(exist_ok=True)
        (self.vault / MARKER).touch()
        self.conn = self.connect(create=True)
        with transaction(self.conn):
            destinations.ensure(self.conn, CLOUD, "directory")
        reached.note(self.disk, self.vault, self.conn)

    @property
    def sealer(self) -> Sealer:
        return Sealer(self.disk, self.vault, KEY, self.clock, "bench", (CLOUD,))

    def connect(self, *, create: bool = False) -> sqlite3.Connection:
        return connect(self.root / "store.db", create=create)

    def job(self, source: Path, camera: CameraId = CAMERA) -> Job:
        docking = DockingId(ulid(self.clock))
        bag = bag_path(docking, camera, self.clock.now().utc)
        return Job(docking, camera, BAY, source, bag, {"bay": BAY})

    def dock(
        self,
        source: Path,
        tree: Callable[[Path], Tree] = MountedSource,
        reserve: int = 0,
        rest: float = 0.0,
    ) -> Docking:
        """Offload a directory in this thread; return the docking as it ended."""
        job = self.job(source)
        self.events = []
        offloader = InlineOffloader(
            self.conn,
            self.sealer,
            tree,
            self.waits.append,
            Terms(reserve, rest=rest, recipients=self.recipients),
        )
        offloader.start(job, self.events.append)
        return self.docking(job.docking)

    def offload(
        self,
        job: Job,
        then: Callable[[Said], None] = unheard,
        *,
        wait: Callable[[float], None] | None = None,
        rest: float = 0.0,
    ) -> None:
        """Offload; do something after each answer."""
        clerk = Clerk(self.conn, self.sealer, job, self.events.append)

        class Watched(Direct):
            def ask(self, said: Said) -> Heard:
                answer = super().ask(said)
                then(said)
                return answer

        order = clerk.open(Terms(0, rest=rest, recipients=self.recipients))
        tree = MountedSource(job.source)
        channel = Watched(clerk)
        parts = Parts(tree, self.disk, channel, wait or self.waits.append)
        try:
            Offload(parts, order).run()
        except DockError as error:
            clerk.end(ended(error))
        finally:
            tree.close()

    def dies_at(self, source: Path, kind: type[Said], *, before: bool) -> Docking:
        """Offload until the child says `kind`; die before or after its commit."""

        class Mortal(Clerk):
            def answer(self, said: Said) -> Heard | None:
                if isinstance(said, kind) and before:
                    raise Died
                answer = super().answer(said)
                if isinstance(said, kind):
                    raise Died
                return answer

        job = self.job(source)
        mortal = Mortal(self.conn, self.sealer, job, self.events.append)
        order = mortal.open(Terms(0, recipients=self.recipients))
        tree = MountedSource(source)
        parts = Parts(tree, self.disk, Direct(mortal), self.waits.append)
        with suppress(Died):
            Offload(parts, order).run()
        return self.docking(job.docking)

    def docking(self, ident: DockingId) -> Docking:
        return dockings.get(self.conn, ident)

    def files(self, docking: Docking) -> dict[str, File]:
        return {f.stored: f for f in files.of_docking(self.conn, docking.id)}

    def bag(self, docking: Docking) -> Path:
        return self.vault / docking.bag

    def close(self) -> None:
        self.conn.close()
