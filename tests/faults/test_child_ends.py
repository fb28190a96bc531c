"""A docking's child that breaks or is killed: a person is told, with a code."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from dock_agent.bays.machine import Advanced, Failed, Lost, Sealed
from dock_agent.offload.children import Nursery
from dock_agent.offload.clerk import Job, Terms
from dock_agent.offload.messages import Ended, Inventory, Order, Plan, Stop
from dock_agent.offload.parent import Limits, ProcessOffloader
from dock_agent.recording import CameraId, DockingState
from dock_agent.vault.verify import verify_bag
from support.bench import KEY, Bench
from support.cards import card, digests
from support.holding import holders, locked
from support.process import Ending, wait_until

SIZES = {f"VIDEO/{n}.MP4": 1 << 18 for n in range(8)}
SLOW = Terms(0, pace=1 << 20, patience=15)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return card(tmp_path / "card", SIZES)


@pytest.fixture
def offloader(bench: Bench) -> Iterator[ProcessOffloader]:
    made = ProcessOffloader(bench.connect, bench.sealer, Limits(30, SLOW))
    yield made
    made.close()


def begun(bench: Bench, offloader: ProcessOffloader, job: Job) -> tuple[Ending, int]:
    """Start a docking; return once something is safe, with its child's process id."""
    ending = Ending()
    offloader.start(job, ending)
    wait_until(lambda: any(safe(event) for event in ending.events))
    (child,) = holders(bench.vault / job.bag)
    return ending, child


def safe(event: object) -> bool:
    return isinstance(event, Advanced) and event.files > 0


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM])
def test_a_child_that_is_killed_is_told_of_and_not_called_a_pull(
    bench: Bench, offloader: ProcessOffloader, source: Path, by: signal.Signals
) -> None:
    job = bench.job(source)
    ending, child = begun(bench, offloader, job)

    os.kill(child, by)
    event = ending.wait()

    assert event == Failed("D-1", "its offload ended without a word")
    assert not any(isinstance(event, Lost | Sealed) for event in ending.events)
    docking = bench.docking(job.docking)
    assert docking.state is DockingState.FAULT
    assert docking.reason == "its offload ended without a word"


def test_a_camera_whose_child_was_killed_is_docked_again_and_whole(
    bench: Bench, offloader: ProcessOffloader, source: Path
) -> None:
    job = bench.job(source)
    ending, child = begun(bench, offloader, job)
    os.kill(child, signal.SIGKILL)
    ending.wait()

    again = bench.dock(source)

    assert again.complete
    first = bench.docking(job.docking)
    assert (first.state, first.complete) == (DockingState.SEALED, False)
    for docking in (first, again):
        bag = bench.bag(docking)
        assert verify_bag(bench.disk, bag, docking.id, KEY.public).failed == []


def test_a_child_that_was_killed_leaves_the_other_bays_alone(
    bench: Bench, offloader: ProcessOffloader, source: Path, tmp_path: Path
) -> None:
    other = card(tmp_path / "other", {"1.MP4": 1 << 19})
    second = Ending()
    ending, child = begun(bench, offloader, bench.job(source))
    offloader.start(bench.job(other, CameraId("KT-Z1:2")), second)

    os.kill(child, signal.SIGKILL)

    assert isinstance(ending.wait(), Failed)
    assert second.wait() == Sealed(1)


def test_a_child_that_breaks_is_told_of_with_what_broke(
    bench: Bench, offloader: ProcessOffloader, source: Path
) -> None:
    job = replace(bench.job(source), source=Path("no\0path"))
    ending = Ending()

    offloader.start(job, ending)
    event = ending.wait()

    assert isinstance(event, Failed)
    assert event.code == "D-1"
    assert event.reason.startswith("ValueError: ")
    assert bench.docking(job.docking).state is DockingState.FAULT
    assert bench.docking(job.docking).reason == event.reason
    assert digests(bench.vault / "dockings") == {}


# ---- with the child alone -------------------------------------------------------


@pytest.fixture
def order(bench: Bench, source: Path) -> Order:
    return Order(source, bench.vault, bench.vault / bench.job(source).bag, 0)


@pytest.fixture
def pipe(order: Order) -> Iterator[Connection]:
    """The parent's end of a pipe to a child that has begun."""
    with closing(Nursery()) as nursery:
        child = nursery.child()
        child.connection.send(order)
        yield child.connection
        child.connection.close()
        assert child.ended(within=30)
        os.close(child.pidfd)


def said(pipe: Connection, kind: type[Any]) -> Any:
    """Return the next thing of a kind that the child says."""
    while True:
        assert pipe.poll(30)
        told = pipe.recv()
        if isinstance(told, kind):
            return told


def test_a_child_says_what_it_did_not_foresee(pipe: Connection) -> None:
    said(pipe, Inventory)
    pipe.send(Plan(("nonsense",)))  # type: ignore[arg-type]

    told = said(pipe, Ended)

    assert told.error == "Unforeseen"
    assert told.detail.startswith("AttributeError: ")


def test_a_child_that_is_told_to_stop_ends_with_the_reason(
    pipe: Connection, order: Order
) -> None:
    said(pipe, Inventory)
    pipe.send(Stop("the database is full"))

    assert said(pipe, Ended) == Ended("StoreError", "the database is full")
    assert digests(order.bag) == {}


def test_a_child_whose_parent_is_gone_ends_and_names_nothing(
    pipe: Connection, order: Order
) -> None:
    said(pipe, Inventory)

    pipe.close()

    wait_until(lambda: not holders(order.bag))
    assert digests(order.bag) == {}


def test_a_child_does_not_write_into_a_bag_that_another_one_holds(
    bench: Bench, offloader: ProcessOffloader, source: Path
) -> None:
    job, ending = bench.job(source), Ending()

    with locked(bench.vault / job.bag):
        offloader.start(job, ending)
        event = ending.wait()

    assert isinstance(event, Failed)
    assert event.code == "D-31"
    assert "is being written by an earlier offload" in event.reason
    assert digests(bench.vault / "dockings") == {}
