"""Every bay at once, two cameras with one serial: none waits, and none is mixed up."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.bays.machine import Advanced, Event, Sealed
from dock_agent.offload.clerk import Terms
from dock_agent.offload.parent import Limits, ProcessOffloader
from dock_agent.recording import CameraId, DockingState
from dock_agent.store import custody
from dock_agent.vault.verify import verify_bag
from dock_agent.vault.verify_rows import verify_rows
from support.bench import KEY, Bench
from support.cards import card, digests
from support.process import Ending, wait_until
from support.programs import Site, site

BAYS = 8
MIB = 1 << 20
TWIN = "KT-Z3:KTZ3A00017"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


class Hearing(Ending):
    """Hears one bay, and writes down in what order all of them spoke."""

    def __init__(self, bay: int, order: list[tuple[int, Event]]) -> None:
        super().__init__()
        self.bay, self.order = bay, order

    def __call__(self, event: Event) -> None:
        self.order.append((self.bay, event))
        super().__call__(event)


def test_eight_bays_at_once_are_all_sealed_and_none_waits_for_another(
    bench: Bench, tmp_path: Path
) -> None:
    order: list[tuple[int, Event]] = []
    terms = Terms(0, pace=MIB)
    offloader = ProcessOffloader(bench.connect, bench.sealer, Limits(30, terms))
    sources = [
        card(tmp_path / str(bay), {f"{bay}/{n}.MP4": MIB // 4 for n in range(8)})
        for bay in range(BAYS)
    ]
    jobs = [bench.job(s, CameraId(f"KT-Z1:{s.name}")) for s in sources]
    endings = [Hearing(bay, order) for bay in range(BAYS)]

    for job, ending in zip(jobs, endings, strict=True):
        offloader.start(job, ending)
    ends = [ending.wait() for ending in endings]
    offloader.close()

    assert ends == [Sealed(8)] * BAYS
    first_end = next(n for n, (_, event) in enumerate(order) if event == Sealed(8))
    assert {
        bay
        for bay, event in order[:first_end]
        if isinstance(event, Advanced) and event.size > 0
    } == set(range(BAYS))
    for source, job in zip(sources, jobs, strict=True):
        docking, bag = bench.docking(job.docking), bench.vault / job.bag
        assert (docking.state, docking.complete) == (DockingState.SEALED, True)
        assert digests(bag / "data") == digests(source)
        assert verify_bag(bench.disk, bag, docking.id, KEY.public).failed == []
        assert verify_rows(bench.conn, bench.disk, bench.vault, docking).failed == []
    assert custody.check(bench.conn).seq > 0


def test_one_bay_that_is_given_up_leaves_the_others_alone(
    bench: Bench, tmp_path: Path
) -> None:
    terms = Terms(0, pace=MIB)
    offloader = ProcessOffloader(bench.connect, bench.sealer, Limits(30, terms))
    sources = [card(tmp_path / f"{bay}", {"1.MP4": MIB}) for bay in range(3)]
    jobs = [bench.job(s, CameraId(f"KT-Z1:{s.name}")) for s in sources]
    endings = [Ending() for _ in jobs]

    for job, ending in zip(jobs, endings, strict=True):
        offloader.start(job, ending)
    offloader.cancel(jobs[0].docking)
    ends = [ending.wait() for ending in endings]
    offloader.close()

    assert ends[1:] == [Sealed(1)] * 2
    assert not isinstance(ends[0], Sealed)


@pytest.fixture
def here(tmp_path: Path) -> Site:
    made = site(tmp_path)
    made.configure(pace=MIB)
    return made


def test_two_cameras_with_one_serial_that_are_offloaded_at_once_stay_two(
    here: Site,
) -> None:
    twins = [
        card(
            here.root / f"aside/{bay}" / TWIN,
            {f"VIDEO/{bay}-{n}.MP4": MIB // 2 for n in range(8)},
        )
        for bay in (1, 2)
    ]
    before = [digests(twin) for twin in twins]
    together = threading.Event()

    with here.running():
        for bay, twin in enumerate(twins, 1):
            twin.rename(here.root / f"bays/{bay}" / TWIN)

        def both_ended() -> bool:
            states = [here.bay(name)["state"] for name in ("1", "2")]
            if set(states) <= {"copying", "checking"}:
                together.set()
            return states == ["sealed"] * 2

        wait_until(both_ended)

    assert together.is_set()
    recordings = here.agent("recordings", "--json").json
    cameras = {recording["camera"] for recording in recordings}
    assert cameras == {TWIN, f"{TWIN}~2"}
    bags = sorted((here.root / "vault/dockings").glob("*/*/*/*/*"))
    kept = [digests(bag / "data") for bag in bags]
    assert sorted(map(sorted, kept)) == sorted(map(sorted, before))
    assert here.agent("verify", "--all").code == 0
