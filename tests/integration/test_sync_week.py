"""A week without a link: what waited goes in the order of the policy, once."""

from pathlib import Path

from dock_agent.recording import LinkState, Priority
from dock_agent.store import backlog
from dock_agent.store.db import connect
from dock_agent.sync.lane import Lane
from dock_agent.sync.worker import Worker
from support.outbox import DAY, HOUR, Outbox, outbox
from support.queues import CLOUD, SEAL

DAYS, MARKED, NORMAL = 7, 8, 64  # 504 files
RESTARTS = (120, 333)  # after so many objects


def test_a_week_offline_drains_in_policy_order_across_two_restarts(
    tmp_path: Path,
) -> None:
    with outbox(tmp_path) as bench:
        bench.cloud.weather.out_until = bench.clock.now().utc + DAYS * DAY
        for day in range(DAYS):
            add_shifts(bench, day)
            bench.send_for(DAY, HOUR)
        before, down = backlog.waiting(bench.conn), bench.link()

        drain(bench, tmp_path)

        assert (before.count, down) == (DAYS * (MARKED + NORMAL + 2), LinkState.OFFLINE)
        assert before.oldest == bench.clock.now().utc - (DAYS * DAY + HOUR)
        assert bench.arrived() == bench.queue.sent
        assert set(bench.cloud.written.values()) == {1}
        sent = [facts["key"] for facts in bench.told("confirmed")]
        assert files(sent) == in_policy_order(list(bench.queue.sent))
        assert len(files(sent)) == 504
        assert bench.link() is LinkState.ONLINE
        assert backlog.waiting(bench.conn).oldest is None


def add_shifts(bench: Outbox, day: int) -> None:
    """Queue what a day brings: the newer it is, the smaller its rank."""
    marked, normal = f"{day}0", f"{day}1"
    bench.queue.docking(int(marked), [9] * MARKED, Priority.MARKED, rank=-day)
    bench.queue.docking(int(normal), [9] * NORMAL, rank=-day)


def drain(bench: Outbox, folder: Path) -> None:
    """Send all that waits; the agent ends twice on the way."""
    bench.clock.advance(HOUR)
    for stop_at in (*RESTARTS, 10**6):
        conn = connect(folder / "store.db")
        worker = Worker(bench.queue.vault, {CLOUD: Lane(bench.cloud)}, bench.clock)
        while backlog.confirmed(conn) < min(stop_at, len(bench.queue.sent)):
            worker.step(conn, CLOUD)
        conn.close()


def files(keys: list[str]) -> list[str]:
    """Return the keys without the seals, which follow what they seal."""
    return [key for key in keys if not key.endswith(SEAL)]


def in_policy_order(keys: list[str]) -> list[str]:
    """Return marked ones first, of both the newest day first, each as queued."""
    return sorted(files(keys), key=lambda key: (_docking(key)[-1], -_day(key)))


def _docking(key: str) -> str:
    return key.split("/")[1]


def _day(key: str) -> int:
    return int(_docking(key)[-2])
