"""A lease outlasts whatever a worker waits for without a sign of life."""

from dock_agent.store.transfers import FARTHEST
from dock_agent.sync.carry import BEAT_EVERY
from dock_agent.sync.policy import LEASE
from dock_agent.sync.s3.upload import PUT_TOGETHER_S
from dock_agent.sync.transport import client
from dock_agent.sync.transport.wire import PATIENCE

# The longest waits for one answer, in seconds; nothing moves meanwhile.
SILENT = {
    "an upload is put together": PUT_TOGETHER_S,
    "a small answer, a few times": client.TRIES * client.DEADLINE_S,
    "a body begins": PATIENCE.begin_s,
}


def test_a_lease_is_longer_than_any_wait_for_one_answer() -> None:
    asking = PATIENCE.connect_s + PATIENCE.write_s + PATIENCE.pool_s
    longest = max(SILENT.values()) + asking + BEAT_EVERY.total_seconds()

    assert longest < LEASE.total_seconds()


def test_a_lease_is_renewed_many_times_before_it_ends() -> None:
    assert 10 * BEAT_EVERY < LEASE


def test_a_lease_is_never_so_long_that_it_is_not_believed() -> None:
    assert LEASE < FARTHEST
