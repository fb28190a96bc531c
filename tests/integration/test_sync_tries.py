"""What counts as a try of an object, and what is not its doing."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from dock_agent.errors import Barred, Busy, Full, Portal, SyncError, Unreachable
from dock_agent.recording import LinkState, TransferState
from dock_agent.store import transfers
from dock_agent.store.db import transaction
from dock_agent.store.transfers import Claim
from dock_agent.sync.carry import OTHERS_FIRST
from dock_agent.sync.destination import Object
from dock_agent.sync.policy import GIVE_UP_AFTER, LEASE
from support.outbox import DAY, HOUR, SECOND, Around, Outbox, outbox
from support.queues import CLOUD, states

CUT = "the line is cut"


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


@pytest.mark.parametrize("error", [Busy("503", 5.0), Barred("403"), Full("507")])
def test_an_object_that_the_whole_place_rests_for_lets_all_others_go_first(
    bench: Outbox, error: SyncError
) -> None:
    docking = bench.queue.docking(1, [10] * 30)
    poison, met = f"dockings/{docking}/data/0000.MP4", []

    def fails(item: Object) -> None:
        if item.key == poison:
            met.append(bench.clock.now().utc)
            raise error

    worker = bench.through(Around(bench.cloud, before=fails))
    bench.send_for(OTHERS_FIRST, 30 * SECOND, worker)
    within = list(states(bench.conn).values())
    bench.send_for(HOUR, 30 * SECOND, worker)

    assert within[1:-1] == [TransferState.CONFIRMED] * 29
    assert len(met) > 3
    assert all(b - a >= OTHERS_FIRST for a, b in pairwise(met))


def test_an_object_that_the_line_is_cut_at_each_time_goes_to_a_person_in_the_end(
    bench: Outbox,
) -> None:
    docking = bench.queue.docking(1, [10, 10])
    poison, tries = f"dockings/{docking}/data/0000.MP4", []

    def fails(item: Object) -> None:
        if item.key == poison:
            tries.append(item)
            raise Unreachable(CUT)

    worker = bench.through(Around(bench.cloud, before=fails))
    bench.send_for(4 * DAY, HOUR, worker)
    within_days = states(bench.conn)[poison]
    bench.send_for(10 * DAY, HOUR, worker)

    assert within_days is TransferState.QUEUED
    assert states(bench.conn)[poison] is TransferState.REFUSED
    assert len(tries) == bench.column("attempts")[0] == GIVE_UP_AFTER
    (told,) = bench.told("refused")
    assert told["reason"] == f"tried {GIVE_UP_AFTER} times; the last time: {CUT}"
    assert bench.link() is LinkState.ONLINE


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
