"""What is committed after each part of an upload, and what a restart finds of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.errors import Unreachable
from dock_agent.sync.destination import Acknowledged, Object, Progress, Remember
from dock_agent.sync.wrappers import Through
from support.outbox import Outbox, outbox
from support.queues import CLOUD

PARTS = 200
A_STEP = 8  # rows that one step may change, however many parts there are


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Outbox]:
    with outbox(tmp_path) as made:
        yield made


class Reaching(Through):
    """Remembers these steps, and is cut."""

    def __init__(self, bench: Outbox, *steps: Progress) -> None:
        super().__init__(bench.cloud)
        self._steps = steps

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        del item, done
        for step in self._steps:
            remember(step)
        raise Unreachable("cut")


def reached(*etags: str, generation: int = 1) -> Progress:
    """Return how an upload stands with parts of these ETags."""
    parts = tuple(Acknowledged(n, etag) for n, etag in enumerate(etags, 1))
    return Progress(f"1:{generation}", generation, parts, sent=len(parts))


def kept(bench: Outbox) -> list[str]:
    """Return the ETags that a restart resumes from."""
    rows = bench.conn.execute(
        "SELECT part.etag FROM transfer_part part JOIN transfer ON id = transfer"
        " WHERE part.generation = transfer.generation ORDER BY number"
    )
    return [row[0] for row in rows]


def test_a_step_writes_the_part_that_is_new_and_not_all_of_them(bench: Outbox) -> None:
    etags = [f"e{number}" for number in range(PARTS)]
    steps = [reached(*etags[:count]) for count in range(1, PARTS + 1)]
    bench.queue.docking(1, [10])
    before = bench.conn.total_changes

    bench.through(Reaching(bench, *steps)).step(bench.conn, CLOUD)

    assert bench.conn.total_changes - before < PARTS * A_STEP
    assert kept(bench) == etags


def test_a_part_that_was_sent_again_is_kept_by_its_newest_etag(bench: Outbox) -> None:
    steps = [reached("a", "b"), reached("a"), reached("a", "c")]
    bench.queue.docking(1, [10])

    bench.through(Reaching(bench, *steps)).step(bench.conn, CLOUD)

    assert kept(bench) == ["a", "c"]


def test_an_upload_that_is_begun_again_keeps_its_own_parts(bench: Outbox) -> None:
    steps = [reached("a", "b"), reached("a", generation=2)]
    bench.queue.docking(1, [10])

    bench.through(Reaching(bench, *steps)).step(bench.conn, CLOUD)

    assert kept(bench) == ["a"]
