"""A faulty way to a real store: nothing lost, doubled, or said that is not so.

`make campaign` plays 200 seeds; the suite plays the first few. One seed in five has
the worker as it runs in a station: threads, two destinations, real time.
"""

import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from dock_agent.errors import Unreachable
from dock_agent.recording import Proof
from dock_agent.sync.transport.client import Transport
from support.answering import Asked, Said, server
from support.fault_kinds import CALM, Fault, Kind
from support.fault_proxy import fault_proxy
from support.place_s3 import Reach
from support.proxy_run import ProxyRun
from support.proxy_storm import ProxyStorm
from support.seaweed import Seaweed, seaweed
from support.sending import item, sent_whole

FIRST, LAST = map(int, os.environ.get("DOCK_PROXY_SEEDS", "0:2").split(":"))
FILES = int(os.environ.get("DOCK_PROXY_FILES", "10"))  # where the worker runs
SEEDS = range(FIRST, LAST)
RUNNING = [seed for seed in SEEDS if seed % 5 == 1]
ONE_BY_ONE = [seed for seed in SEEDS if seed not in RUNNING]


@pytest.fixture(scope="module")
def store() -> Iterator[Seaweed]:
    with TemporaryDirectory() as folder, seaweed(Path(folder)) as running:
        yield running


@pytest.mark.parametrize("seed", RUNNING)
def test_however_faulty_the_way_a_worker_that_runs_has_everything_arrive_once(
    seed: int, store: Seaweed
) -> None:
    with TemporaryDirectory() as folder, fault_proxy(store.ports[0]) as proxy:
        run = ProxyRun(seed, Path(folder), store, proxy, FILES)

        run.rage()

        run.require_the_end()


@pytest.mark.parametrize("seed", ONE_BY_ONE)
def test_however_faulty_the_way_everything_arrives_once_and_nothing_else_is_said(
    seed: int, store: Seaweed
) -> None:
    with TemporaryDirectory() as folder, fault_proxy(store.ports[0]) as proxy:
        storm = ProxyStorm(seed, Path(folder), store, proxy)

        storm.rage()

        storm.require_the_end()


def test_one_bit_that_flips_on_the_way_back_does_not_make_ours_another_object(
    store: Seaweed, tmp_path: Path
) -> None:
    sent = item(tmp_path, 1000)
    reach = Reach(store.endpoint, tmp_path, "flipped-once/")
    with closing(reach.s3()) as direct:
        assert sent_whole(direct, sent) is not None
    with fault_proxy(store.ports[0]) as proxy:
        _look, _look_again, read_back = range(3)  # the requests, in order
        faults = {0: Fault(Kind.FLIP, after=read_back, at=500)}
        proxy.plan = lambda number: faults.get(number, CALM)
        with closing(replace(reach, endpoint=proxy.url).s3()) as spoilt:
            told = sent_whole(spoilt, sent)

        assert proxy.played[Kind.FLIP] == 1
    assert told is not None
    assert told.proof is Proof.READ_BACK


def test_an_answer_that_comes_twice_is_not_taken_for_that_to_the_next_question() -> (
    None
):
    def say(asked: Asked) -> Said:
        return Said(200, {"x-path": asked.path})

    with (
        server(say) as url,
        fault_proxy(int(url.rpartition(":")[2])) as proxy,
        closing(Transport()) as transport,
    ):
        proxy.plan = lambda number: CALM if number else Fault(Kind.TWICE)
        transport.call("HEAD", f"{proxy.url}/first", {})

        with pytest.raises(Unreachable):
            transport.call("HEAD", f"{proxy.url}/second", {})
        answer = transport.call("HEAD", f"{proxy.url}/third", {})

    assert answer.headers["x-path"] == "/third"
