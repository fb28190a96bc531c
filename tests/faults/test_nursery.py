"""Whoever ends, and however: no child is left over, and the next docking has one."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from dock_agent.bays.machine import Sealed
from dock_agent.offload.children import Child, Children, Nursery, NurseryGone, end
from dock_agent.offload.clerk import Terms
from dock_agent.offload.parent import Limits, ProcessOffloader
from support.bench import Bench
from support.cards import card
from support.process import Ending, wait_until

KEEPER = Path(__file__).parent.parent / "support/keeper.py"


@pytest.fixture
def nursery() -> Iterator[Nursery]:
    with closing(Nursery()) as made:
        yield made


@pytest.fixture
def child(nursery: Nursery) -> Iterator[Child]:
    made = nursery.child()
    yield made
    let_go(made)


def let_go(child: Child) -> None:
    child.connection.close()
    end(child)
    os.close(child.pidfd)


def lives(pid: int) -> bool:
    """Whether there is such a process, be it one that nobody has waited for."""
    return Path(f"/proc/{pid}").exists()


def more_than_standard(pid: int) -> int:
    """Return how many descriptors it has besides input, output and errors."""
    return len([fd for fd in Path(f"/proc/{pid}/fd").iterdir() if int(fd.name) > 2])


def dump_limits(pid: int) -> tuple[str, str]:
    text = Path(f"/proc/{pid}/limits").read_text(encoding="ascii")
    (line,) = (line for line in text.splitlines() if line.startswith("Max core"))
    soft, most = line.split()[4:6]
    return soft, most


def children(pid: int) -> list[int]:
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(word) for word in told.split()]


# ---- the child ---------------------------------------------------------------------


def test_a_child_without_an_order_ends_when_nobody_can_give_one(
    child: Child,
) -> None:
    child.connection.close()

    assert child.ended(within=30)
    wait_until(lambda: not lives(child.pid))  # and its nursery has buried it


def test_a_child_that_hangs_is_killed(child: Child) -> None:
    os.kill(child.pid, signal.SIGSTOP)

    end(child)

    assert child.ended(within=0)


def test_a_child_has_no_way_to_another_ones_parent(
    nursery: Nursery, child: Child
) -> None:
    second = nursery.child()
    pids = child.pid, second.pid

    # One that had would keep the first from being told that its agent is gone.
    wait_until(lambda: [more_than_standard(pid) for pid in pids] == [1, 1])
    let_go(second)


def test_a_child_that_crashes_leaves_no_footage_and_no_key_in_a_dump(
    child: Child,
) -> None:
    """Neither in a file nor by a pipe, to whatever the machine has for dumps."""
    assert dump_limits(child.pid) in {("1", "1"), ("0", "0")}


def test_threads_that_ask_at_once_get_a_child_each(nursery: Nursery) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: nursery.child(), range(8)))

    assert len({child.pid for child in made}) == 8
    assert {*children(nursery.pid)} == {child.pid for child in made}
    for child in made:
        let_go(child)
    wait_until(lambda: not children(nursery.pid))


# ---- the nursery -------------------------------------------------------------------


def test_a_nursery_has_nothing_of_the_agents_but_its_socket(tmp_path: Path) -> None:
    with (tmp_path / "store").open("wb") as store:
        os.set_inheritable(store.fileno(), True)  # noqa: FBT003  it has no name
        with closing(Nursery()) as nursery:
            let_go(nursery.child())

            wait_until(lambda: more_than_standard(nursery.pid) == 1)


def test_a_child_is_killed_with_its_nursery(nursery: Nursery, child: Child) -> None:
    os.kill(child.pid, signal.SIGSTOP)  # so it does not see for itself

    os.kill(nursery.pid, signal.SIGKILL)

    assert child.ended(within=30)


def test_a_nursery_that_ended_gives_no_child(nursery: Nursery) -> None:
    os.kill(nursery.pid, signal.SIGKILL)
    wait_until(nursery.has_ended)

    with pytest.raises(NurseryGone):
        nursery.child()


def test_a_nursery_that_ended_is_followed_by_another() -> None:
    with closing(Children()) as kept:
        first = kept.nursery()
        assert first is not None
        assert kept.nursery() is first
        os.kill(first.pid, signal.SIGKILL)
        wait_until(first.has_ended)

        second = kept.nursery()

        assert second is not None
        assert second.pid != first.pid
        let_go(second.child())


def test_a_nursery_is_not_interrupted_from_the_keyboard(
    nursery: Nursery, child: Child
) -> None:
    os.kill(nursery.pid, signal.SIGINT)
    os.kill(child.pid, signal.SIGINT)

    let_go(nursery.child())
    assert not child.ended(within=0)


@pytest.mark.parametrize("how", [signal.SIGCONT, signal.SIGSTOP])
def test_a_nursery_that_is_closed_is_gone_and_its_children_with_it(
    how: signal.Signals,
) -> None:
    nursery = Nursery()
    child = nursery.child()
    os.kill(child.pid, signal.SIGSTOP)
    os.kill(nursery.pid, how)

    nursery.close()

    assert child.ended(within=30)
    assert nursery.has_ended()
    child.connection.close()
    os.close(child.pidfd)


# ---- the agent ---------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGCONT, signal.SIGSTOP])
def test_an_agent_that_is_killed_leaves_neither_nursery_nor_child(
    how: signal.Signals,
) -> None:
    command = [sys.executable, str(KEEPER)]
    agent = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert agent.stdout is not None
    nursery, child = map(int, agent.stdout.readline().split())
    os.kill(child, how)

    agent.kill()
    agent.wait()
    agent.stdout.close()

    wait_until(lambda: not lives(nursery) and not lives(child))


def test_a_docking_whose_nursery_is_killed_just_then_is_sealed_all_the_same(
    tmp_path: Path,
) -> None:
    bench, source = Bench(tmp_path), card(tmp_path / "card", {"1.MP4": 1 << 18})
    limits, ending = Limits(30, Terms(0)), Ending()
    with closing(bench), closing(Children()) as kept:
        nursery = kept.nursery()
        assert nursery is not None
        let_go(nursery.child())
        offloader = ProcessOffloader(bench.connect, bench.sealer, limits, kept)
        before = {*children(os.getpid())}
        os.kill(nursery.pid, signal.SIGSTOP)  # it is not seen to be gone

        offloader.start(bench.job(source), ending)
        os.kill(nursery.pid, signal.SIGKILL)

        assert ending.wait() == Sealed(1)
        offloader.close()
        wait_until(lambda: {*children(os.getpid())} <= before)


def test_the_docking_after_a_nursery_was_killed_is_sealed(tmp_path: Path) -> None:
    bench, source = Bench(tmp_path), card(tmp_path / "card", {"1.MP4": 1 << 18})
    limits, ending = Limits(30, Terms(0)), Ending()
    with closing(bench), closing(Children()) as kept:
        nursery = kept.nursery()
        assert nursery is not None
        offloader = ProcessOffloader(bench.connect, bench.sealer, limits, kept)
        os.kill(nursery.pid, signal.SIGKILL)
        wait_until(nursery.has_ended)

        offloader.start(bench.job(source), ending)

        assert ending.wait() == Sealed(1)
        offloader.close()
