"""A camera that is taken out and put back at once: two contacts, and no harm."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest

from dock_agent.bays.machine import Advanced, Event, Failed, Listed, Lost
from dock_agent.bays.machine import Sealed as SealedBay
from dock_agent.custody import manifest
from dock_agent.errors import StoreError
from dock_agent.offload.bench import Bench as Parts
from dock_agent.offload.child import Offload
from dock_agent.offload.clerk import Clerk, Terms
from dock_agent.offload.inline import Direct, InlineOffloader
from dock_agent.offload.messages import (
    AllCopied,
    AllPassed,
    Heard,
    Inventory,
    Matched,
    Named,
    Proved,
    Said,
)
from dock_agent.offload.parent import Limits, ProcessOffloader
from dock_agent.offload.recover import recover
from dock_agent.offload.scan import MountedSource
from dock_agent.offload.settle import close_old
from dock_agent.recording import DockingId, DockingState
from dock_agent.store import custody, files
from dock_agent.store.db import connect
from dock_agent.store.dockings import Docking
from dock_agent.vault.verify import verify_bag
from dock_agent.vault.verify_rows import verify_rows
from support.bench import KEY, Bench
from support.cards import card
from support.holding import descriptors, locked
from support.process import Ending, wait_until

PATIENCE = 30.0  # seconds for the other contact's offload to end
OLD = {"VIDEO/1.MP4": 300_000, "LOG/1.LOG": 100}
NEW = {"VIDEO/2.MP4": 200_000}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def source(bench: Bench, tmp_path: Path) -> Path:
    """A camera that was docked before, and has recorded since."""
    root = card(tmp_path / "card", OLD)
    bench.dock(root)
    return card(root, NEW)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as made:
        yield made


def redock(bench: Bench, source: Path) -> DockingId:
    """Dock in another thread, with its own connection."""
    with closing(bench.connect()) as conn:
        terms = Terms(0, patience=PATIENCE)
        offloader = InlineOffloader(
            conn, bench.sealer, MountedSource, bench.waits.append, terms
        )
        job = bench.job(source)
        offloader.start(job, Ending())
    return job.docking


def failures(bench: Bench, docking: Docking) -> list[object]:
    """Return whatever our own check has against a docking."""
    bag = bench.bag(docking)
    alone = verify_bag(bench.disk, bag, docking.id, KEY.public)
    rows = verify_rows(bench.conn, bench.disk, bench.vault, docking)
    return [*alone.failed, *rows.failed]


def kinds(bench: Bench, docking: DockingId) -> list[str]:
    lines = custody.lines(bench.conn, docking)
    return [json.loads(line)["kind"] for line in lines]


def test_a_camera_seated_again_while_it_is_sealed_leaves_its_seal_as_it_is(
    bench: Bench, source: Path, pool: ThreadPoolExecutor
) -> None:
    job, second = bench.job(source), list[Future[DockingId]]()
    bag = bench.vault / job.bag

    def seat_again(said: Said) -> None:
        if isinstance(said, AllCopied):
            second.append(pool.submit(redock, bench, source))
            wait_until(lambda: descriptors(bag) > 1)  # it waits for the first

    with locked(bag):
        bench.offload(job, seat_again)
    again = bench.docking(second[0].result(PATIENCE))

    first = bench.docking(job.docking)
    assert (first.state, first.complete) == (DockingState.SEALED, True)
    assert failures(bench, first) == []
    assert not (bench.vault / "quarantine").exists()
    assert kinds(bench, first.id)[-1] == "sealed"
    assert (again.state, again.complete) == (DockingState.SEALED, True)
    assert failures(bench, again) == []


MOMENTS: dict[str, Callable[[Path], bool]] = {
    "at once": lambda bag: bag.exists(),
    "as it is settled": lambda bag: descriptors(bag) > 0,
    "as its bag is written": lambda bag: (bag / "bagit.txt").exists(),
    "as it is signed": lambda bag: (bag / manifest.TAG_MANIFEST).exists(),
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("said", [Proved, Named, AllCopied])
def test_two_contacts_on_one_interrupted_docking_both_end_well(
    bench: Bench, source: Path, pool: ThreadPoolExecutor, said: type[Said], moment: str
) -> None:
    old = bench.dies_at(source, said, before=True)
    recover(bench.conn, bench.sealer)

    first = pool.submit(reopen, bench, source)
    wait_until(lambda: MOMENTS[moment](bench.bag(old)) or first.done())
    second = pool.submit(reopen, bench, source)
    first.result(PATIENCE)
    second.result(PATIENCE)

    closed = bench.docking(old.id)
    assert closed.state is DockingState.SEALED
    assert failures(bench, closed) == []
    assert kinds(bench, old.id).count("sealed") == 1
    assert bench.dock(source).complete


def reopen(bench: Bench, source: Path) -> None:
    """Do what a contact does first: close what the camera left, open a docking."""
    with closing(bench.connect()) as conn:
        clerk = Clerk(conn, bench.sealer, bench.job(source), lambda _: None)
        clerk.open(Terms(0, patience=PATIENCE))


FILES = {f"VIDEO/{n:04d}.MP4": 1 << 19 for n in range(8)}


@pytest.mark.parametrize("reached", [Listed(8, 4 << 20, 4 << 20), Advanced(1, 1 << 19)])
def test_a_real_camera_seated_again_at_once_is_docked_again_and_nothing_is_at_fault(
    bench: Bench, tmp_path: Path, reached: Event
) -> None:
    source = card(tmp_path / "card", FILES)
    terms = Terms(0, pace=4 << 20, patience=PATIENCE)
    offloader = ProcessOffloader(bench.connect, bench.sealer, Limits(15, terms))
    jobs, endings = [bench.job(source), bench.job(source)], [Ending(), Ending()]

    offloader.start(jobs[0], endings[0])
    wait_until(lambda: has_come(reached, endings[0].events))
    offloader.cancel(jobs[0].docking)
    offloader.start(jobs[1], endings[1])
    ends = [ending.wait() for ending in endings]
    offloader.close()

    assert isinstance(ends[0], Lost)
    assert ends[1] == SealedBay(len(FILES))
    for job in jobs:
        docking = bench.docking(job.docking)
        assert docking.state is DockingState.SEALED
        assert failures(bench, docking) == []


def has_come(reached: Event, events: list[Event]) -> bool:
    return any(
        type(event) is type(reached) and event.files >= reached.files  # type: ignore[union-attr]
        for event in events
    )


SAID = {
    "the inventory": (Inventory, 1),
    "a proof": (Proved, 1),
    "a name": (Named, 1),
    "a match": (Matched, 1),
    "a second inventory": (Inventory, 2),
    "the last copy": (AllCopied, 1),
    "the last proof": (AllPassed, 1),
}


@pytest.mark.parametrize("what", SAID)
def test_a_docking_that_somebody_else_closed_gets_nothing_more(
    bench: Bench, source: Path, what: str
) -> None:
    kind, count = SAID[what]
    said_so_far, closed = list[Said](), list[list[object]]()

    class Overtaken(Clerk):
        def answer(self, said: Said) -> Heard | None:
            said_so_far.append(said)
            if sum(isinstance(s, kind) for s in said_so_far) == count and not closed:
                with closing(bench.connect()) as conn:
                    close_old(conn, bench.sealer, job.docking, PATIENCE)
                closed.append(books(bench, job.docking))
            answer = super().answer(said)
            card(source, {"VIDEO/3.MP4": 100})  # recorded meanwhile
            return answer

    job, told = bench.job(source), list[Event]()
    clerk = Overtaken(bench.conn, bench.sealer, job, told.append)
    order = clerk.open(Terms(0))
    with closing(MountedSource(source)) as tree, suppress(StoreError):
        parts = Parts(tree, bench.disk, Direct(clerk), bench.waits.append)
        Offload(parts, order).run()

    assert books(bench, job.docking) == closed[0]
    assert clerk.over
    assert isinstance(told[-1], Failed)


def books(bench: Bench, docking: DockingId) -> list[object]:
    """Return everything the database has about one docking."""
    queued = bench.conn.execute(
        "SELECT * FROM transfer WHERE docking = ? ORDER BY id", (docking,)
    )
    return [
        bench.docking(docking),
        *files.of_docking(bench.conn, docking),
        *custody.lines(bench.conn, docking),
        *map(tuple, queued),
    ]


def test_a_pull_while_the_database_is_locked_is_told_at_once_and_recorded_later(
    bench: Bench, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = card(tmp_path / "card", {"VIDEO/1.MP4": 30 << 20})
    limits = Limits(15, Terms(0, pace=1 << 20))
    impatient = partial(connect, tmp_path / "store.db", patience=0.1)
    offloader = ProcessOffloader(impatient, bench.sealer, limits)
    job, ending = bench.job(source), Ending()
    offloader.start(job, ending)
    wait_until(lambda: has_come(Listed(1, 0), ending.events))

    bench.conn.execute("BEGIN IMMEDIATE")  # another program's
    offloader.cancel(job.docking)
    told = ending.wait()
    wait_until(lambda: "end not on record" in caplog.text)  # it was tried in vain
    known = bench.docking(job.docking).state
    bench.conn.execute("ROLLBACK")
    wait_until(lambda: bench.docking(job.docking).ended_at is not None)
    offloader.close()

    after = bench.docking(job.docking)
    assert told == Lost("it was taken out")
    assert known is DockingState.COPYING
    assert (after.state, after.reason) == (DockingState.INTERRUPTED, "it was taken out")
    assert ending.events.count(told) == 1
    assert kinds(bench, job.docking)[-1] == "interrupted"
