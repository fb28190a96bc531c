"""What may go now, in which order, how fast: decided by the claim, not by waiting."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from dock_agent.config_tables import Window
from dock_agent.recording import LinkState, Priority, TransferState
from dock_agent.simulated.clock import BEGIN
from dock_agent.store.db import connect
from dock_agent.sync.carry import Outcome
from dock_agent.sync.destination import Object
from dock_agent.sync.lane import Lane
from dock_agent.sync.policy import Policy
from dock_agent.sync.route import Routes
from dock_agent.sync.worker import Network, Worker
from support.outbox import DAY, HOUR, MINUTE, Around, Outbox, outbox
from support.queues import CLOUD, SEAL, states

LONDON = ZoneInfo("Europe/London")
NIGHT = Window(days="mon-sun", begin="20:00", end="06:00")
EVENING = datetime(2026, 3, 5, 20, 0, tzinfo=UTC)
MARKED, NORMAL = Priority.MARKED, Priority.NORMAL
COSTLY = Network(lambda: Routes(("wwan0", "eth0")), {"wwan0"})


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Outbox]:
    with outbox(tmp_path) as made:
        yield made


def sent(bench: Outbox) -> list[str]:
    """Return what arrived, in order, as docking and file."""
    keys = [key.split("/") for key in bench.cloud.objects]
    return [f"{int(key[1][-6:])} {key[-1]}" for key in keys]


def over(bench: Outbox, network: Network, policy: Policy) -> Worker:
    """Return a worker that sends over a network, by a policy."""
    lanes = {CLOUD: Lane(bench.cloud, policy)}
    return Worker(bench.queue.vault, lanes, bench.clock, network)


def test_marked_evidence_goes_before_all_that_waited_longer(bench: Outbox) -> None:
    bench.queue.docking(1, [10, 10])
    bench.queue.docking(2, [10], MARKED)

    bench.worker.run_once(bench.conn)

    assert sent(bench)[:2] == ["2 0000.MP4", f"2 {SEAL}"]
    assert len(sent(bench)) == 5


def test_the_newest_incident_goes_first_of_what_is_alike(bench: Outbox) -> None:
    for number, rank in ((1, -100), (2, -300), (3, -200)):
        bench.queue.docking(number, [10])
        bench.conn.execute("UPDATE transfer SET rank = ? WHERE rank = 0", (rank,))

    bench.worker.run_once(bench.conn)

    assert [name.split()[0] for name in sent(bench)] == ["2", "2", "3", "3", "1", "1"]


def test_outside_its_window_a_destination_gets_what_is_marked_and_no_more(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10])
    bench.queue.docking(2, [10], MARKED)
    worker = bench.through(bench.cloud, policy=Policy(LONDON, (NIGHT,)))

    bench.send_for(EVENING - BEGIN, MINUTE, worker)
    by_day = sent(bench)
    bench.send_for(MINUTE, MINUTE, worker)

    assert by_day == ["2 0000.MP4", f"2 {SEAL}"]
    assert bench.arrived() == bench.queue.sent
    assert bench.column("attempts") == [0] * 4  # to wait is no failure


def test_a_window_that_marked_evidence_may_not_pass_keeps_everything(
    bench: Outbox,
) -> None:
    bench.queue.docking(1, [10], MARKED)
    policy = Policy(LONDON, (NIGHT,), marked_pass=False)
    worker = bench.through(bench.cloud, policy=policy)

    outcome = worker.step(bench.conn, CLOUD)
    bench.send_for(EVENING - BEGIN, MINUTE, worker)

    assert outcome is Outcome.IDLE
    assert bench.cloud.objects == {}
    assert bench.link() is LinkState.ONLINE  # and it is asked, so that the page knows


def test_a_window_that_closes_lets_no_further_object_go(bench: Outbox) -> None:
    bench.queue.docking(1, [10] * 5)
    bench.clock.advance(EVENING + 10 * HOUR - 2 * MINUTE - BEGIN)  # 05:58
    worker = bench.through(bench.cloud, policy=Policy(LONDON, (NIGHT,)))

    for _ in range(10):
        worker.step(bench.conn, CLOUD)
        bench.clock.advance(MINUTE)

    assert len(bench.cloud.objects) == 2


@pytest.mark.parametrize(
    ("metered", "goes"), [("all", [1, 2]), ("marked", [2]), ("nothing", [])]
)
def test_over_a_link_that_costs_goes_what_the_configuration_lets_go(
    bench: Outbox, metered: str, goes: list[int]
) -> None:
    bench.queue.docking(1, [10])
    bench.queue.docking(2, [10], MARKED)
    policy = Policy(LONDON, metered=metered)

    over(bench, COSTLY, policy).run_once(bench.conn)
    costly, link = sent(bench), bench.link()
    over(bench, Network(lambda: Routes(("eth0",)), {"wwan0"}), policy).run_once(
        bench.conn
    )

    assert sorted({int(name.split()[0]) for name in costly}) == goes
    assert link is LinkState.METERED
    assert bench.arrived() == bench.queue.sent


def test_each_step_says_how_fast_it_may_go_by_the_window_of_now(bench: Outbox) -> None:
    slow = Window(days="mon-sun", begin="06:00", end="20:00", rate=1000)
    fast = Window(days="mon-sun", begin="20:00", end="06:00", rate=50_000)
    heard: list[int] = []
    policy = Policy(LONDON, (slow, fast))
    worker = bench.through(bench.cloud, policy=policy, limit=heard.append)
    worker.begin(bench.conn, {CLOUD: "s3"})

    worker.run_once(bench.conn)
    bench.clock.advance(EVENING - BEGIN)
    worker.run_once(bench.conn)

    assert heard == [1000, 50_000]


def test_an_object_that_failed_lets_the_others_go_before_it(bench: Outbox) -> None:
    docking = bench.queue.docking(1, [10], MARKED)
    bench.queue.docking(2, [10] * 3)
    bench.cloud.weather.not_taken[f"dockings/{docking}/data/0000.MP4"] = 1

    bench.send_for(MINUTE)

    assert sent(bench)[-2:] == ["1 0000.MP4", f"1 {SEAL}"]
    assert bench.arrived() == bench.queue.sent


def test_an_object_that_keeps_failing_is_tried_ever_less_often(bench: Outbox) -> None:
    docking = bench.queue.docking(1, [10])
    bench.cloud.weather.never_taken = {f"dockings/{docking}/data/0000.MP4"}

    tries = []
    for _ in range(3):
        before = bench.column("attempts")[0]
        bench.send_for(8 * HOUR, MINUTE)
        tries.append(bench.column("attempts")[0] - before)

    assert tries == sorted(tries, reverse=True)
    assert tries[0] > 10
    assert 1 <= tries[-1] <= 4


def test_a_network_that_comes_back_ends_every_rest_at_once(
    bench: Outbox, tmp_path: Path
) -> None:
    bench.queue.docking(1, [10])
    bench.cloud.weather.out_until = bench.clock.now().utc + timedelta(seconds=1)
    bench.worker.run_once(bench.conn)
    bench.conn.execute("UPDATE destination SET try_after = '2026-03-05T09:00:00Z'")
    bench.clock.advance(MINUTE)
    looks = iter((Routes(()), Routes(())))

    def end(item: Object) -> None:
        if item.about.seal:
            worker.stop.set()

    network = Network(lambda: next(looks, Routes(("eth0",))))
    lanes = {CLOUD: Lane(Around(bench.cloud, after=end))}
    worker = Worker(bench.queue.vault, lanes, bench.clock, network)
    worker.run(lambda: connect(tmp_path / "store.db"))

    assert bench.arrived() == bench.queue.sent
    assert bench.clock.now().utc < BEGIN + HOUR  # and it did not wait for the end


def test_a_week_of_nights_drains_in_order_and_never_by_day(bench: Outbox) -> None:
    worker = bench.through(bench.cloud, policy=Policy(LONDON, (NIGHT,)))
    bench.cloud.weather.out_until = bench.clock.now().utc + 7 * DAY
    for number in range(20):
        bench.queue.docking(number, [10, 20], MARKED if number % 4 == 0 else NORMAL)

    bench.send_for(7 * DAY, 10 * MINUTE, worker)
    during = dict(bench.cloud.objects)
    bench.send_for(DAY, 10 * MINUTE, worker)

    order = [int(name.split()[0]) for name in sent(bench)]
    assert during == {}
    assert bench.arrived() == bench.queue.sent
    assert set(states(bench.conn).values()) == {TransferState.CONFIRMED}
    assert order == sorted(order, key=lambda number: (number % 4 != 0, number))
