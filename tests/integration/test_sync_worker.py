"""The worker with a real store and a cloud in memory, in virtual time."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dock_agent.errors import Unreachable
from dock_agent.recording import (
    PART_SIZE,
    DestinationName,
    LinkState,
    Priority,
    Proof,
    TransferId,
    TransferState,
)
from dock_agent.simulated.cloud import Lie, SimulatedCloud
from dock_agent.store import custody, orders
from dock_agent.store.db import connect, transaction
from dock_agent.store.orders import Which
from dock_agent.sync.carry import Outcome
from dock_agent.sync.destination import Object
from dock_agent.sync.lane import Lane
from dock_agent.sync.policy import CEILING
from dock_agent.sync.worker import Worker
from support.outbox import HOUR, MINUTE, Around, Outbox, outbox
from support.queues import CLOUD, SEAL, Queue, states

LARGE = 2 * PART_SIZE + 5
OTHER = DestinationName("other")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Outbox]:
    with outbox(tmp_path) as made:
        yield made


def test_everything_that_is_queued_arrives_and_the_chain_tells_of_it(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [0, 1, 1000, LARGE])

    told = bench.worker.run_once(bench.conn)

    assert (told.confirmed, told.waiting, told.refused) == (5, 0, 0)
    assert bench.arrived() == bench.queue.sent
    custody.check(bench.conn)
    kinds = [row[0] for row in bench.conn.execute("SELECT line FROM custody")]
    assert sum('"confirmed"' in line for line in kinds) == 5


def test_after_an_outage_of_an_hour_everything_arrives_exactly_once(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [1000] * 20)
    bench.queue.docking(2, [LARGE, 5])
    bench.cloud.weather.out_until = bench.clock.now().utc + HOUR

    bench.send_for(HOUR)
    during = dict(bench.cloud.objects)
    bench.send_for(2 * CEILING)

    assert during == {}
    assert bench.arrived() == bench.queue.sent
    assert set(bench.cloud.written.values()) == {1}
    assert set(states(bench.conn).values()) == {TransferState.CONFIRMED}
    assert bench.link() is LinkState.ONLINE
    custody.check(bench.conn)


def test_a_destination_that_rests_is_probed_with_one_call_and_not_for_every_file(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10] * 50)
    bench.cloud.weather.out_until = bench.clock.now().utc + HOUR

    bench.send_for(HOUR)

    assert 12 <= bench.cloud.calls <= 40  # every 150 to 300 s, sooner at first
    assert bench.link() is LinkState.OFFLINE


def test_a_step_while_the_destination_rests_asks_nothing(bench: Outbox) -> None:
    bench.queue.docking(1, [10, 10])
    bench.cloud.weather.out_until = bench.clock.now().utc + HOUR

    outcomes = [bench.worker.step(bench.conn, CLOUD) for _ in range(10)]

    assert outcomes == [Outcome.POSTPONED] + [Outcome.IDLE] * 9
    assert bench.cloud.calls == 1


def test_the_seal_goes_last_and_only_when_all_else_is_there(bench: Outbox) -> None:
    bench.queue.docking(1, [10, LARGE, 10])
    bench.cloud.weather.outages = {7, 12, 20}

    bench.send_for(HOUR)

    assert list(bench.cloud.objects)[-1].endswith(SEAL)
    assert bench.arrived() == bench.queue.sent


def test_a_refused_object_goes_to_a_person_and_does_not_stop_the_others(
    bench: Outbox,
) -> None:
    docking = bench.queue.docking(1, [10, 20, 30])
    unwanted = f"dockings/{docking}/data/0001.MP4"
    bench.queue.docking(2, [10])
    bench.cloud.weather.refuses = {unwanted}

    told = bench.worker.run_once(bench.conn)
    bench.send_for(HOUR, MINUTE)

    assert (told.confirmed, told.refused) == (4, 1)
    assert states(bench.conn)[unwanted] is TransferState.REFUSED
    assert states(bench.conn)[f"dockings/{docking}/{SEAL}"] is TransferState.BLOCKED
    assert f"dockings/{docking}/{SEAL}" not in bench.cloud.objects
    custody.check(bench.conn)


def test_a_refused_object_that_is_asked_for_again_frees_the_seal(bench: Outbox) -> None:
    docking = bench.queue.docking(1, [10, 20])
    bench.cloud.weather.refuses = {f"dockings/{docking}/data/0001.MP4"}
    bench.worker.run_once(bench.conn)

    bench.cloud.weather.refuses = set()
    with transaction(bench.conn):
        orders.ask_again(bench.conn, Which(ids=[TransferId(2)]), bench.clock.now())
    bench.worker.run_once(bench.conn)

    assert bench.arrived() == bench.queue.sent


def test_a_portal_makes_the_link_captive_until_it_lets_us_through(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])
    bench.cloud.weather.portal = True

    bench.worker.run_once(bench.conn)
    captive = bench.link()
    bench.cloud.weather.portal = False
    bench.send_for(MINUTE)

    assert captive is LinkState.CAPTIVE
    assert bench.link() is LinkState.ONLINE
    assert bench.arrived() == bench.queue.sent


def test_lost_replies_lose_nothing_and_double_nothing(bench: Outbox) -> None:
    bench.queue.docking(1, [10, LARGE, 0])
    bench.cloud.weather.lost_replies = 5

    bench.send_for(HOUR)

    assert bench.arrived() == bench.queue.sent
    assert set(bench.cloud.written.values()) == {1}
    assert set(states(bench.conn).values()) == {TransferState.CONFIRMED}


def test_an_upload_that_was_interrupted_sends_only_what_is_missing(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [4 * PART_SIZE])
    bench.cloud.weather.outages = {
        10
    }  # found, tried, asked, begun, two parts, then nothing

    bench.send_for(MINUTE)

    assert bench.arrived() == bench.queue.sent
    assert bench.cloud.part_calls == 5  # four, and the one that was not answered


@pytest.mark.parametrize("lie", Lie)
@pytest.mark.parametrize("size", [1000, LARGE])
def test_a_destination_that_keeps_other_bytes_is_never_confirmed(
    bench: Outbox, lie: Lie, size: int
) -> None:
    bench.queue.docking(1, [size])
    bench.cloud.weather.lies = lie
    least = Proof.READ_BACK if lie is Lie.ECHOED else Proof.ECHOED  # a word is a word
    worker = bench.through(bench.cloud, least=least)

    bench.send_for(HOUR, MINUTE, worker)

    assert TransferState.CONFIRMED not in states(bench.conn).values()
    assert TransferState.SENDING not in states(bench.conn).values()
    assert not any(key.endswith(SEAL) for key in bench.cloud.objects)


def test_our_own_file_that_changed_is_never_confirmed(bench: Outbox) -> None:
    bench.queue.docking(1, [10, LARGE])
    for key in list(bench.queue.sent)[:2]:
        path = bench.queue.vault / key
        path.write_bytes(path.read_bytes()[:-1] + b"?")

    told = bench.worker.run_once(bench.conn)

    assert (told.confirmed, told.refused) == (0, 2)
    assert bench.cloud.objects == {}


@pytest.mark.parametrize("harm", ["gone", "longer", "a link", "a directory"])
def test_our_own_file_that_cannot_be_read_goes_to_a_person(
    bench: Outbox, harm: str
) -> None:
    bench.queue.docking(1, [10, 10])
    path = bench.queue.vault / next(iter(bench.queue.sent))
    path.rename(path.with_name("elsewhere"))
    match harm:
        case "longer":
            path.write_bytes(path.with_name("elsewhere").read_bytes() + b"?")
        case "a link":
            path.symlink_to("elsewhere")
        case "a directory":
            path.mkdir()

    told = bench.worker.run_once(bench.conn)

    assert (told.confirmed, told.refused) == (1, 1)


def test_a_marked_object_that_always_fails_does_not_keep_the_others_waiting(
    bench: Outbox,
) -> None:
    marked = bench.queue.docking(1, [10], Priority.MARKED)
    bench.queue.docking(2, [10] * 5)
    poison = f"dockings/{marked}/data/0000.MP4"

    def fail(item: Object) -> None:
        if item.key == poison:
            raise Unreachable("the line is cut each time")

    worker = bench.through(Around(bench.cloud, before=fail))
    bench.send_for(HOUR, MINUTE, worker)

    left = [k for k, s in states(bench.conn).items() if s is TransferState.QUEUED]
    assert left == [poison]


def test_one_destination_that_is_out_does_not_hold_up_another(
    bench: Outbox, tmp_path: Path
) -> None:
    other = SimulatedCloud(bench.clock)
    names: Sequence[DestinationName] = (CLOUD, OTHER)
    queue = Queue(bench.conn, tmp_path / "vault", bench.clock, names)
    queue.docking(1, [10, 10])
    bench.cloud.weather.out_until = bench.clock.now().utc + HOUR

    lanes = {CLOUD: Lane(bench.cloud), OTHER: Lane(other)}
    worker = Worker(queue.vault, lanes, bench.clock)
    told = worker.run_once(bench.conn)

    assert (told.confirmed, told.waiting) == (3, 3)
    assert len(other.objects) == 3
    assert bench.cloud.objects == {}


def test_a_worker_that_runs_sends_and_ends_when_it_is_told(
    bench: Outbox, tmp_path: Path
) -> None:
    bench.queue.docking(1, [10, LARGE])
    sent: list[str] = []

    def end(item: Object) -> None:
        sent.append(item.key)
        if len(sent) == len(bench.queue.sent):
            worker.stop.set()

    worker = bench.through(Around(bench.cloud, after=end))
    worker.run(lambda: connect(tmp_path / "store.db"))

    assert bench.arrived() == bench.queue.sent


def test_a_thread_that_fails_unforeseen_ends_the_worker_and_is_heard(
    bench: Outbox, tmp_path: Path
) -> None:
    Queue(bench.conn, tmp_path / "vault", bench.clock, [CLOUD, OTHER]).docking(1, [10])

    def fail(item: Object) -> None:
        raise ZeroDivisionError(item.key)

    broken, other = Around(bench.cloud, before=fail), SimulatedCloud(bench.clock)
    lanes = {CLOUD: Lane(broken), OTHER: Lane(other)}
    worker = Worker(bench.queue.vault, lanes, bench.clock)

    with pytest.raises(ZeroDivisionError):
        worker.run(lambda: connect(tmp_path / "store.db"))

    assert worker.stop.is_set()
