"""The scrub as it runs: beside the agent, by hand, across restarts, giving way."""

import fcntl
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dock_agent.clock import unstamp
from dock_agent.config import Config, load
from dock_agent.importing import Wish, import_tree
from dock_agent.scrubbing import Ground, Plan, Scrubbing, beside
from dock_agent.simulated.clock import ManualClock
from dock_agent.store import alerts
from dock_agent.store.db import connect, reading
from support.cards import card
from support.process import wait_until
from support.programs import Site, site
from support.scrubbed import flip

SIZES = {"VIDEO/1.MP4": 3_000_000, "VIDEO/2.MP4": 7, "LOG/empty": 0}
DAYS = 30
DAY = timedelta(days=1)


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return site(tmp_path)


@pytest.fixture
def config(here: Site) -> Config:
    made = load(here.root / "dock.toml")
    wish = Wish(card(here.root / "card", SIZES), "KT-Z3:1", "1")
    import_tree(made, wish, lambda *_: None)
    return made


class Turns:
    """The worker on a clock of ours: its turns, one at a time."""

    def __init__(self, config: Config) -> None:
        self.conn = connect(config.store_path)
        row = self.conn.execute("SELECT max(ended_at) AS at FROM docking").fetchone()
        self.clock = ManualClock()
        self.clock.advance(_moment(row["at"]) - self.clock.now().utc)
        self.busy, self.stop = False, threading.Event()
        plan = Plan(DAYS * DAY)
        self.ground = Ground(
            config.vault_path, config.fetched_path, plan, lambda: self.busy
        )
        self.again()

    def again(self) -> None:
        """Begin as after a restart."""
        self.scrubbing = Scrubbing(self.conn, self.clock, self.ground, self.stop)

    def run(self, days: float, step: timedelta = timedelta(hours=1)) -> int:
        """Let so much time pass; return how many files were read."""
        read = 0
        for _ in range(int(days * DAY / step)):
            self.clock.advance(step)
            while self.scrubbing.turn():
                read += 1
        return read

    def oldest(self) -> timedelta:
        """Return how long ago the file was read that waits the longest."""
        row = self.conn.execute("SELECT min(checked_at) AS at FROM scrub").fetchone()
        return self.clock.now().utc - _moment(row["at"])


def _moment(text: str) -> datetime:
    return unstamp(text)


@pytest.fixture
def turns(config: Config) -> Iterator[Turns]:
    made = Turns(config)
    yield made
    made.conn.close()


def test_what_was_just_sealed_is_left_alone_and_then_all_is_read_in_time(
    turns: Turns,
) -> None:
    early = turns.run(2)
    later = turns.run(26)

    assert early == 0
    assert later >= len(SIZES) + 8
    assert turns.oldest() < DAYS * DAY
    for _ in range(60):
        turns.run(1)
        assert turns.oldest() < DAYS * DAY


def test_a_restart_goes_on_with_what_was_not_read_for_the_longest_time(
    turns: Turns,
) -> None:
    turns.run(3)
    seen = set[str]()
    for _ in range(len(SIZES) + 8):
        turns.again()
        turns.clock.advance(timedelta(minutes=1))
        assert turns.scrubbing.turn()
        rows = turns.conn.execute("SELECT path FROM scrub WHERE method IS NOT NULL")
        seen |= {row["path"] for row in rows}

    assert len(seen) == len(SIZES) + 8


def test_while_a_bay_copies_nothing_is_read_unless_it_is_late(turns: Turns) -> None:
    turns.busy = True

    early, late = turns.run(26), turns.run(2)

    assert early == 0
    assert late >= len(SIZES) + 8


def test_in_the_midst_of_a_file_it_gives_way_and_goes_on(config: Config) -> None:
    with closing(connect(config.store_path)) as conn:
        row = conn.execute("SELECT max(ended_at) AS at FROM docking").fetchone()
    clock, asked, go = ManualClock(), list[int](), threading.Event()
    clock.advance(_moment(row["at"]) - clock.now().utc + 4 * DAY)

    def busy() -> bool:
        asked.append(1)
        return len(asked) > 1 and not go.is_set()  # from its first block on

    ground = Ground(config.vault_path, config.fetched_path, Plan(DAYS * DAY), busy)

    with beside(lambda: connect(config.store_path), clock, ground):
        wait_until(lambda: len(asked) > 3)
        before = checked(config)
        go.set()
        wait_until(lambda: checked(config) > 0)

    assert before == 0


def checked(config: Config) -> int:
    """Return how many files were read again."""
    with reading(config.store_path) as conn:
        row = conn.execute("SELECT count(*) FROM scrub WHERE method IS NOT NULL")
        return int(row.fetchone()[0])


def test_a_file_that_rotted_is_found_by_the_running_agent_and_shown(
    here: Site, config: Config
) -> None:
    (path,) = config.vault_path.glob("dockings/**/VIDEO/1.MP4")
    with closing(connect(config.store_path)) as conn:
        conn.execute("UPDATE docking SET ended_at = '2025-01-01T00:00:00.000000Z'")
    flip(path, 9)

    with here.running():
        wait_until(lambda: bool(here.status()["alerts"]))
        told = here.status()["alerts"]
        wait_until(lambda: not path.exists())

    assert [line.split()[0] for line in told] == ["vault:"]
    assert "VIDEO/1.MP4 has other bytes than it had." in told[0]
    assert not path.exists()
    assert list(config.vault_path.glob("quarantine/**/1.MP4"))


def test_by_hand_everything_is_read_and_what_is_damaged_ends_with_20(
    here: Site, config: Config
) -> None:
    (path,) = config.vault_path.glob("dockings/**/VIDEO/1.MP4")

    sound = here.agent("scrub", "--all", "--json")
    due = here.agent("scrub", "--once", "--json")
    flip(path, 9)
    wrong = here.agent("scrub", "--all", "--json")
    said = here.agent("scrub")

    assert (sound.code, sound.json["checked"], sound.json["damaged"]) == (0, 11, [])
    assert sound.json["bytes"] >= sum(SIZES.values())
    assert (due.code, due.json["checked"]) == (0, 0)
    assert wrong.code == 20
    ((where, reason),) = [(f["id"], f["reason"]) for f in wrong.json["damaged"]]
    assert where.endswith("data/VIDEO/1.MP4")
    assert reason == "has other bytes than it had"
    assert said.code == 20
    assert "has other bytes" in said.out
    assert here.agent("scrub", "--all", "--once").code == 2


def test_by_hand_while_the_agent_holds_the_vault_nothing_is_moved(
    here: Site, config: Config
) -> None:
    (path,) = config.vault_path.glob("dockings/**/VIDEO/1.MP4")
    flip(path, 9)

    with (config.vault_path / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = here.agent("scrub", "--all", "--json")

    assert (said.code, said.json["healed"]) == (20, 0)
    assert path.exists()
    with reading(config.store_path) as conn:
        assert alerts.standing(conn) == 1
