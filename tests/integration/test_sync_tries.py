"""What counts as a try of an object, and what is not its doing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.errors import Busy, Full, Portal, SyncError
from dock_agent.recording import TransferState
from dock_agent.store import transfers
from dock_agent.store.db import transaction
from dock_agent.store.transfers import Claim
from dock_agent.sync.destination import Object
from dock_agent.sync.policy import GIVE_UP_AFTER, LEASE
from support.outbox import HOUR, Around, Outbox, outbox
from support.queues import CLOUD


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Outbox]:
    with outbox(tmp_path) as made:
        yield made


@pytest.mark.parametrize("error", [Portal("a page"), Full("507"), Busy("503", 5.0)])
def test_what_is_no_object_s_doing_is_no_try_of_it_however_often(
    bench: Outbox, error: SyncError
) -> None:
    bench.queue.docking(1, [10])

    def fails(item: Object) -> None:
        del item
        raise error

    worker = bench.through(Around(bench.cloud, before=fails))
    for _ in range(GIVE_UP_AFTER + 5):
        worker.run_once(bench.conn)
        bench.clock.advance(HOUR)

    assert bench.column("state")[0] == TransferState.QUEUED
    assert bench.column("attempts")[0] == 0
    assert bench.told("refused") == []


def test_an_object_at_which_every_worker_ends_goes_to_a_person(bench: Outbox) -> None:
    bench.queue.docking(1, [10])
    for _ in range(GIVE_UP_AFTER):  # each claims it, and is never heard of again
        with transaction(bench.conn):
            wish = Claim(CLOUD, "ends", bench.clock.now().utc, LEASE)
            assert transfers.claim(bench.conn, wish) is not None
        bench.clock.advance(LEASE)

    bench.worker.run_once(bench.conn)

    assert bench.column("state")[0] == TransferState.REFUSED
    (told,) = bench.told("refused")
    assert "time after time" in told["reason"]
    assert bench.cloud.objects == {}
