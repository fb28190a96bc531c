"""What a cut costs, in bytes: they are counted on the way, and nothing is timed."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import pytest

from dock_agent.errors import Unreachable
from dock_agent.recording import PART_SIZE, Proof
from dock_agent.sync.destination import Confirmation, Object
from support.fault_kinds import CALM, Fault
from support.fault_proxy import FaultProxy, fault_proxy
from support.place_s3 import Reach, fetched
from support.seaweed import Seaweed, seaweed
from support.sending import Memory, file, item

PARTS = range(3)
SMALL, LARGE = len(PARTS) * PART_SIZE, 8 * PART_SIZE
SEEDS = range(2)
MEAN = 30_000_000  # bytes that pass until a link is cut
HEADS = 100_000  # bytes of requests that carry nothing, at most
TRIES = 20  # calls until it must be there


@pytest.fixture(scope="module")
def store() -> Iterator[Seaweed]:
    with TemporaryDirectory() as folder, seaweed(Path(folder)) as running:
        yield running


@pytest.fixture
def proxy(store: Seaweed) -> Iterator[FaultProxy]:
    with fault_proxy(store.ports[0]) as made:
        yield made


@pytest.mark.parametrize("part", PARTS)
def test_a_connection_of_two_that_is_cut_costs_at_most_one_part(
    part: int, store: Seaweed, proxy: FaultProxy, tmp_path: Path
) -> None:
    sent, prefix = item(tmp_path, LARGE), f"one-of-two-{part}/"
    cut = Fault(most=part * PART_SIZE + Random(part).randrange(PART_SIZE))
    proxy.plan = lambda number: cut if number == 1 else CALM

    told = sent_on(Reach(proxy.url, tmp_path, prefix), sent)

    assert proxy.clients[1].came == cut.most  # it was cut
    assert proxy.came <= LARGE + PART_SIZE + HEADS
    assert arrived(store, prefix, sent)
    assert told is not None


@pytest.mark.parametrize("part", PARTS)
def test_after_a_cut_anywhere_at_most_one_part_is_sent_again(
    part: int, store: Seaweed, proxy: FaultProxy, tmp_path: Path
) -> None:
    sent, prefix = item(tmp_path, SMALL), f"one-cut-{part}/"
    proxy.whole = part * PART_SIZE + Random(part).randrange(PART_SIZE)

    told = sent_on(Reach(proxy.url, tmp_path, prefix), sent)

    assert proxy.whole is None  # it was cut, and every connection with it
    assert len(proxy.clients) > 1
    assert proxy.came <= SMALL + PART_SIZE + HEADS
    assert arrived(store, prefix, sent)
    assert told is not None


def test_on_a_link_that_is_cut_every_30_mb_at_most_1_3_times_the_bytes_go(
    store: Seaweed, proxy: FaultProxy, tmp_path: Path
) -> None:
    sent, chance = item(tmp_path, LARGE), Random("every 30 MB")
    proxy.plan = lambda _: Fault(most=int(chance.expovariate(1 / MEAN)))

    told = [
        sent_on(Reach(proxy.url, tmp_path, f"cuts-{seed}/"), sent) for seed in SEEDS
    ]

    assert all(one is not None and one.proof is Proof.READ_BACK for one in told)
    assert len(proxy.clients) > len(SEEDS) * LARGE // MEAN
    assert proxy.came <= 1.3 * len(SEEDS) * LARGE
    assert all(arrived(store, f"cuts-{seed}/", sent) for seed in SEEDS)


def sent_on(reach: Reach, sent: Object) -> Confirmation | None:
    """Send, each time from where it was when nobody answered, and ask for proof."""
    memory = Memory()
    for _ in range(TRIES):
        try:
            with closing(reach.s3()) as station:
                done = station.send(sent, memory.newest, memory)
                return station.confirm(sent, done)
        except Unreachable:
            continue
    raise AssertionError("it never arrived")


def arrived(store: Seaweed, prefix: str, sent: Object) -> bool:
    """Whether boto3 fetches our bytes."""
    return fetched(store.judge, prefix + sent.key) == file(sent).read_bytes()
