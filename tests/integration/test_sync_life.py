"""A worker that reads our own file for long lives, hears a stop, keeps its lease."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dock_agent.recording import PART_SIZE, TransferState
from dock_agent.store import transfers
from dock_agent.store.db import connect, transaction
from dock_agent.store.transfers import Claim
from dock_agent.sync.carry import Outcome
from dock_agent.sync.destination import Confirmation, Look, Object, Progress
from dock_agent.sync.lane import Lane
from dock_agent.sync.policy import LEASE
from dock_agent.sync.worker import Worker
from dock_agent.sync.wrappers import Through
from support.books import THIEF
from support.outbox import DAY, MINUTE, Around, Outbox, outbox
from support.queues import CLOUD, states

LARGE = 3 * PART_SIZE  # its parts are not known: they are hashed before it is sent


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Outbox]:
    with outbox(tmp_path) as made:
        yield made


class Soon(threading.Event):
    """Is set once it was asked often enough."""

    asked = 0

    def is_set(self) -> bool:
        self.asked += 1
        return self.asked > 5


def test_a_worker_that_hashes_a_long_object_hears_that_it_is_to_stop(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [LARGE])
    sent: list[Object] = []
    lanes = {CLOUD: Lane(Around(bench.cloud, before=sent.append))}
    worker = Worker(bench.queue.vault, lanes, bench.clock, stop=Soon())

    outcome = worker.step(bench.conn, CLOUD)

    assert outcome is Outcome.IDLE
    assert sent == []
    assert next(iter(states(bench.conn).values())) is TransferState.QUEUED


@dataclass
class Minutes(threading.Event):
    """A minute passes at each look: a disk that is very slow."""

    bench: Outbox

    def __post_init__(self) -> None:
        super().__init__()

    def is_set(self) -> bool:
        self.bench.clock.advance(MINUTE)
        return False


def test_a_worker_that_hashes_a_long_object_keeps_its_lease(bench: Outbox) -> None:
    bench.queue.docking(1, [LARGE])
    begun, found = bench.clock.now().utc, []

    def claim(item: Object) -> None:
        del item
        now = bench.clock.now().utc
        with transaction(bench.conn):
            found.append(transfers.claim(bench.conn, Claim(CLOUD, THIEF, now, LEASE)))
        assert now - begun > LEASE

    lanes = {CLOUD: Lane(Around(bench.cloud, before=claim))}
    worker = Worker(bench.queue.vault, lanes, bench.clock, stop=Minutes(bench))
    outcome = worker.step(bench.conn, CLOUD)

    assert outcome is Outcome.CONFIRMED
    assert found == [None]


def test_a_worker_that_reads_an_object_again_stops_when_it_is_told(
    bench: Outbox, tmp_path: Path
) -> None:
    bench.queue.docking(1, [10])
    bench.worker.run_once(bench.conn)
    bench.clock.advance(2 * DAY)
    with transaction(bench.conn):
        bench.conn.execute("UPDATE transfer SET etag = 'before'")
    read: list[str] = []

    class Large(Through):
        def look(self, item: Object, done: Progress) -> Look | None:
            del done
            return Look(item.size, etag="after")

        def confirm(
            self, item: Object, done: Progress, *, sent: bool = False
        ) -> Confirmation | None:
            worker.stop.set()
            item.moved(1)
            read.append(item.key)
            return super().confirm(item, done, sent=sent)

    worker = bench.through(Large(bench.cloud))
    worker.run(lambda: connect(tmp_path / "store.db"))

    assert read == []
    assert set(states(bench.conn).values()) == {TransferState.CONFIRMED}
