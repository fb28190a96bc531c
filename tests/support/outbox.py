"""A station's sending side on a real store and a cloud in memory, in virtual time."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from dock_agent.recording import LinkState
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.cloud import SimulatedCloud
from dock_agent.store import custody, destinations
from dock_agent.store.db import connect
from dock_agent.store.destinations import DestinationRow
from dock_agent.sync.destination import Destination, Object, Progress, Remember
from dock_agent.sync.lane import Lane
from dock_agent.sync.worker import Worker
from dock_agent.sync.wrappers import Through
from support.queues import CLOUD, Queue
from support.sending import sha256

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass
class Outbox:
    """What is queued, the cloud that it goes to, and the worker between them."""

    conn: sqlite3.Connection
    queue: Queue
    clock: ManualClock
    cloud: SimulatedCloud
    worker: Worker

    def through(self, destination: Destination, **terms: Any) -> Worker:
        """Return another worker, that reaches the cloud through a destination."""
        lanes = {CLOUD: Lane(destination, **terms)}
        return Worker(self.queue.vault, lanes, self.clock)

    def send_for(
        self, time: timedelta, step: timedelta = SECOND, worker: Worker | None = None
    ) -> None:
        """Let the worker run for so long, in virtual time."""
        for _ in range(time // step):
            (worker or self.worker).run_once(self.conn)
            self.clock.advance(step)

    def arrived(self) -> dict[str, str]:
        """Return the digest of each object that the cloud keeps."""
        return {key: sha256(data) for key, data in self.cloud.objects.items()}

    def row(self) -> DestinationRow:
        """Return what the station believes of the cloud."""
        return destinations.get(self.conn, CLOUD)

    def link(self) -> LinkState:
        """Return what the station believes of the way to the cloud."""
        return self.row().link

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Return what the custody events of one kind say."""
        events = map(json.loads, custody.log(self.conn).splitlines())
        return [event["facts"] for event in events if event["kind"] == kind]

    def column(self, name: str) -> list[Any]:
        """Return one column of every row of the queue, in order."""
        rows = self.conn.execute("SELECT * FROM transfer ORDER BY id")
        return [row[name] for row in rows]


@contextmanager
def outbox(folder: Path) -> Iterator[Outbox]:
    """Yield a station with nothing queued yet."""
    clock = ManualClock()
    cloud = SimulatedCloud(clock)
    vault = folder / "vault"
    with closing(connect(folder / "store.db", create=True)) as conn:
        worker = Worker(vault, {CLOUD: Lane(cloud)}, clock)
        yield Outbox(conn, Queue(conn, vault, clock), clock, cloud, worker)


class Around(Through):
    """A destination at which something happens before, or after, each sending."""

    def __init__(
        self,
        inner: Destination,
        *,
        before: Callable[[Object], object] = id,
        after: Callable[[Object], object] = id,
    ) -> None:
        super().__init__(inner)
        self._before, self._after = before, after

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        self._before(item)
        told = super().send(item, done, remember)
        self._after(item)
        return told
