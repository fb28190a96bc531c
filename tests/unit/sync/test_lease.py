"""A lease outlasts whatever a worker waits for without a sign of life."""

from dock_agent.store.transfers import FARTHEST
from dock_agent.sync.carry import BEAT_EVERY
from dock_agent.sync.policy import LEASE
from dock_agent.sync.s3.upload import PUT_TOGETHER_S
from dock_agent.sync.transport import client

# The longest waits for one answer, in seconds; nothing moves meanwhile.
SILENT = {
    "an upload is put together": PUT_TOGETHER_S,
    "a small answer, a few times": client.TRIES * client.DEADLINE_S,
    "a body begins": client.BEGIN_S,
}


def test_a_lease_is_longer_than_any_wait_for_one_answer() -> None:
    times = client.TIMEOUTS
    asking = (times.connect or 0) + (times.write or 0) + (times.pool or 0)
    longest = max(SILENT.values()) + asking + BEAT_EVERY.total_seconds()

    assert None not in {times.connect, times.write, times.read, times.pool}
    assert longest < LEASE.total_seconds()


def test_a_lease_is_renewed_many_times_before_it_ends() -> None:
    assert 10 * BEAT_EVERY < LEASE


def test_a_lease_is_never_so_long_that_it_is_not_believed() -> None:
    assert LEASE < FARTHEST
