"""The clock is set back: the log holds, and nothing lasts less than nothing."""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dock_agent.bays.machine import Bay, Docked, Identified, step
from dock_agent.clock import Instant
from dock_agent.config import Config, load
from dock_agent.custody import chain
from dock_agent.offload.messages import AllCopied, Inventory, Named, Proved, Said
from dock_agent.recording import FileState
from dock_agent.store import custody
from dock_agent.vault.verify import verify_bag
from dock_agent.vault.verify_rows import verify_rows
from dock_agent.watch import status
from dock_agent.watch.compose import Watcher
from dock_agent.watch.status import Status
from support.bench import BAY, CAMERA, KEY, Bench
from support.cards import card
from support.programs import site
from web_status import create_app

SIZES = {"VIDEO/1.MP4": 5 << 20, "VIDEO/2.MP4": 5 << 20, "LOG/1.LOG": 100}
BACK = timedelta(hours=-26)


@dataclass
class SteppingClock:
    """Meets `clock.Clock`. `pace` s pass between two readings; its UTC can be set."""

    utc: datetime = datetime(2026, 3, 5, 8, 0, tzinfo=UTC)
    passed: int = 10**15  # ns since boot
    pace: int = 1
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def now(self) -> Instant:
        self.utc += timedelta(seconds=self.pace)
        self.passed += self.pace * 10**9
        return Instant(self.utc, self.passed, "boot", trusted=False)

    def monotonic_ns(self) -> int:
        return self.now().monotonic_ns

    def entropy(self, count: int) -> bytes:
        return self.chance.randbytes(count)

    def set(self, by: timedelta) -> None:
        self.utc += by


@pytest.fixture
def clock() -> SteppingClock:
    return SteppingClock()


@pytest.fixture
def bench(tmp_path: Path, clock: SteppingClock) -> Iterator[Bench]:
    made = Bench(tmp_path, clock=clock)
    yield made
    made.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return card(tmp_path / "card", SIZES)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load(site(tmp_path).root / "dock.toml")


def stepped(
    bench: Bench, clock: SteppingClock, source: Path, said: type[Said]
) -> list[dict[str, Any]]:
    """Dock while the clock is set back once; return what the log says of it."""
    job, done = bench.job(source), list[Said]()

    def then(told: Said) -> None:
        if isinstance(told, said) and not done:
            done.append(told)
            clock.set(BACK)

    bench.offload(job, then)
    assert bench.docking(job.docking).complete
    lines = custody.lines(bench.conn, job.docking)
    return [chain.parse(line, number) for number, line in enumerate(lines, 1)]


@pytest.mark.parametrize("said", [Inventory, Proved, Named, AllCopied])
def test_a_docking_during_which_the_clock_is_set_back_is_sealed_and_its_log_holds(
    bench: Bench, clock: SteppingClock, source: Path, said: type[Said]
) -> None:
    lines = stepped(bench, clock, source, said)

    at = [line["at"] for line in lines]
    assert at != sorted(at)  # it was set back in the midst
    for kind in ("seq", "docking_seq", "monotonic_ns"):
        told = [line[kind] for line in lines]
        assert told == sorted(told)
    assert {line["clock_trusted"] for line in lines} == {False}
    assert lines[-1]["kind"] == "sealed"
    assert custody.check(bench.conn).seq >= len(lines)
    (ident,) = {line["docking"] for line in lines}
    docking = bench.docking(ident)
    bag = bench.bag(docking)
    assert verify_bag(bench.disk, bag, docking.id, KEY.public).failed == []
    assert verify_rows(bench.conn, bench.disk, bench.vault, docking).failed == []


def test_what_was_docked_before_the_clock_was_set_back_is_held_afterwards(
    bench: Bench, clock: SteppingClock, source: Path
) -> None:
    first = bench.dock(source)
    clock.set(BACK)

    second = bench.dock(source)

    assert second.id < first.id  # its id was made from the earlier time
    states = {file.state for file in bench.files(second).values()}
    assert states == {FileState.HELD}
    assert second.complete
    assert custody.check(bench.conn).seq > 0


def test_a_docking_that_was_interrupted_before_is_closed_after_the_clock_was_set_back(
    bench: Bench, clock: SteppingClock, source: Path
) -> None:
    old = bench.dies_at(source, AllCopied, before=True)
    clock.set(BACK)

    again = bench.dock(source)

    closed = bench.docking(old.id)
    assert again.complete
    assert closed.complete is False
    assert closed.opened_at is not None
    assert closed.ended_at is not None
    assert closed.ended_at < closed.opened_at  # what the clock said, and no more
    assert custody.check(bench.conn).seq > 0


def durations(looked: Status) -> list[float]:
    etas = [bay.eta_s for bay in looked.bays]
    known = [*etas, looked.queue.oldest_age_s, looked.vault.days_left]
    return [seconds for seconds in known if seconds is not None]


def test_nothing_that_is_shown_of_a_docking_lasts_less_than_nothing(
    bench: Bench, clock: SteppingClock, source: Path, config: Config
) -> None:
    bench.dock(source)
    events, watcher, bay = list(bench.events), Watcher(config), Bay(BAY)
    looks = []

    for event in (Docked("t"), Identified(CAMERA, reports_charge=False), *events):
        bay, _ = step(bay, event)
        clock.set(BACK / 4)
        looks += [
            watcher.look(bench.conn, {BAY: bay}, clock.now())
            for _ in range(8)  # seconds: after five there is an estimate
        ]

    told = [seconds for look in looks for seconds in durations(look)]
    assert looks[-1].bays[0].colour == "green"
    assert any(look.bays[0].eta_s for look in looks)
    assert 0 in told
    assert min(told) >= 0


def test_no_page_shows_a_length_of_time_below_nothing(
    bench: Bench, clock: SteppingClock, source: Path, config: Config
) -> None:
    bench.dock(source)
    look = Watcher(config).look(bench.conn, {BAY: Bay(BAY)}, clock.now())
    status.write(config.snapshot_path, look)

    clock.set(BACK)
    clock.pace = 0
    client = create_app(config, clock).test_client()
    pages = {path: client.get(path) for path in ("/", "/it", "/recordings")}
    told = json.loads(client.get("/api/v1/status").text)

    for page in pages.values():
        assert page.status_code == 200
        assert re.findall(r"-\s*\d+(?:\.\d+)? (?:s|min|h|days?)\b", page.text) == []
    assert "Live: the agent wrote its status 0 s ago" in pages["/it"].text
    assert told["live"] is True
    assert told["queue"]["oldest_age_s"] >= 0
