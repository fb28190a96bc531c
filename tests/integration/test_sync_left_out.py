"""A worker whose destination is left out, and what is withdrawn while it is sent."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.recording import DestinationName, TransferState
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.cloud import SimulatedCloud
from dock_agent.store import backlog, configured, custody, files, orders
from dock_agent.store.configured import Withdrawal
from dock_agent.store.db import transaction
from dock_agent.sync.carry import Outcome
from dock_agent.sync.destination import Object
from dock_agent.sync.lane import Lane
from dock_agent.sync.worker import Worker
from support.bench import Bench
from support.cards import card
from support.outbox import Around, Outbox, outbox
from support.queues import CLOUD, SEAL, states

OTHER = DestinationName("other")
SIZES = {"VIDEO/1.MP4": 30_000, "VIDEO/2.MP4": 20_000}
S = TransferState


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Outbox]:
    with outbox(tmp_path) as made:
        yield made


@pytest.fixture
def station(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def worker(station: Bench, **clouds: SimulatedCloud) -> Worker:
    """Return a worker that began with these destinations, and no others."""
    lanes = {DestinationName(name): Lane(cloud) for name, cloud in clouds.items()}
    made = Worker(station.vault, lanes, ManualClock())
    made.begin(station.conn, dict.fromkeys(lanes, "s3"))
    return made


def cloud() -> SimulatedCloud:
    return SimulatedCloud(ManualClock())


def leave_out(bench: Outbox) -> None:
    """Begin, as another worker would, with settings that do not name the cloud."""
    with transaction(bench.conn):
        configured.tell(bench.conn, [], bench.clock.now())


def give_up(bench: Outbox) -> None:
    """Leave the cloud out, and withdraw what waits for it, as a person would."""
    leave_out(bench)
    order = Withdrawal(CLOUD, "A. Chief", "scrapped", although_nowhere_else=True)
    with transaction(bench.conn):
        configured.withdraw(bench.conn, order, bench.clock.now())


# ---- which destinations there are --------------------------------------------


def test_a_worker_tells_the_station_which_destinations_there_are(
    station: Bench, tmp_path: Path
) -> None:
    station.dock(card(tmp_path / "a", SIZES))
    worker(station, cloud=cloud())
    before = backlog.waiting(station.conn)

    worker(station, other=cloud()).run_once(station.conn)

    after = backlog.waiting(station.conn)
    assert before.stranded == 0
    assert after.stranded == after.count == before.count


def test_a_worker_that_began_earlier_sends_nothing_more_to_what_is_left_out(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])
    leave_out(bench)

    told = bench.worker.run_once(bench.conn)

    assert (told.confirmed, told.waiting) == (0, 2)
    assert bench.cloud.calls == 0


def test_a_destination_that_is_put_back_gets_all_that_is_sealed_each_once(
    station: Bench, tmp_path: Path
) -> None:
    first = station.dock(card(tmp_path / "a", SIZES))
    there = cloud()
    worker(station, cloud=there)
    worker(station, other=cloud())
    order = Withdrawal(CLOUD, "A. Chief", "scrapped", although_nowhere_else=True)
    with transaction(station.conn):
        configured.withdraw(station.conn, order, station.clock.now())
    second = station.dock(card(tmp_path / "b", {"VIDEO/3.MP4": 70}))

    worker(station, cloud=there).run_once(station.conn)

    held = {
        str(path.relative_to(station.vault)): path.read_bytes()
        for docking in (first, second)
        for path in station.bag(docking).rglob("*")
        if path.is_file()
    }
    assert there.objects == held
    assert set(there.written.values()) == {1}
    for docking in (first, second):
        keys = [key for key in there.objects if key.startswith(str(docking.bag))]
        assert keys[-1].endswith(SEAL)


def test_a_worker_that_began_earlier_queues_nothing_for_what_is_left_out(
    station: Bench, tmp_path: Path
) -> None:
    earlier = worker(station, other=cloud())
    worker(station, cloud=cloud())
    station.dock(card(tmp_path / "a", SIZES))

    earlier.fill(station.conn, OTHER)

    assert backlog.waiting(station.conn).stranded == 0


# ---- withdrawn while it is sent ----------------------------------------------


def test_an_object_that_is_given_up_while_it_is_sent_is_not_confirmed(
    bench: Outbox,
) -> None:
    docking = bench.queue.docking(1, [10])
    key = f"dockings/{docking}/data/0000.MP4"

    def gone(item: Object) -> None:
        del item
        give_up(bench)

    told = bench.through(Around(bench.cloud, after=gone)).run_once(bench.conn)

    assert told.confirmed == 0
    assert key in bench.cloud.objects  # it was sent, and nobody says so
    assert set(states(bench.conn).values()) == {S.WITHDRAWN}
    assert bench.told("confirmed") == []
    (fact,) = [fact for fact in bench.told("withdrawn") if fact["key"] == key]
    assert (fact["was"], fact["may_be_there"]) == ("sending", True)


def test_an_object_that_is_given_up_in_the_midst_of_an_upload_is_left_at_once(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [5000])
    bench.cloud.part_size = 1000
    parts = []

    def gone(item: Object) -> None:
        parts.append(item)
        give_up(bench)

    outcome = bench.through(Around(bench.cloud, before=gone)).step(bench.conn, CLOUD)

    assert outcome is Outcome.POSTPONED
    assert len(parts) == 1
    assert bench.cloud.objects == {}
    assert bench.cloud.part_calls <= 1
    assert set(states(bench.conn).values()) == {S.WITHDRAWN}


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_file_that_is_set_aside_while_it_is_sent_is_never_confirmed(
    station: Bench, tmp_path: Path, when: str
) -> None:
    docking = station.dock(card(tmp_path / "a", SIZES))
    doubted = station.files(docking)["VIDEO/1.MP4"]
    key = str(docking.bag / "data/VIDEO/1.MP4")

    def doubt(item: Object) -> None:
        if item.key == key:
            at = station.clock.now()
            with transaction(station.conn):
                files.quarantined(station.conn, doubted.id, "differs", at)
                orders.withdraw(station.conn, doubted.id, at)

    lane = Lane(Around(cloud(), **{when: doubt}))
    Worker(station.vault, {CLOUD: lane}, ManualClock()).run_once(station.conn)

    lines = map(json.loads, custody.lines(station.conn, docking.id))
    told = [line["kind"] for line in lines if line["facts"].get("key") == key]
    assert states(station.conn)[key] is S.WITHDRAWN
    assert told == ["sent before"]
    assert backlog.waiting(station.conn).count == 0
