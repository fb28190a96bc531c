"""A station whose checkpoints a time authority stamps; and nothing waits for it."""

import logging
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent.clock import SystemClock
from dock_agent.config import Config, load
from dock_agent.examine import examine
from dock_agent.importing import Wish, import_tree
from dock_agent.opened import opened
from dock_agent.rebuilding import rebuild
from dock_agent.simulated.clock import ManualClock
from dock_agent.store import checkpoints, timestamps
from dock_agent.store.db import connect
from dock_agent.sync.open import worker
from dock_agent.sync.stamping import Stamping, stamping
from dock_agent.sync.worker import Summary
from dock_agent.vault import journal
from dock_agent.verifying import verify
from support.cards import card
from support.process import wait_until
from support.programs import Site, site
from support.time_authority import DAY, Answer, TimeAuthority, serving


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[TimeAuthority]:
    with serving(TimeAuthority(tmp_path / "authority")) as one:
        yield one


@pytest.fixture
def here(tmp_path: Path, authority: TimeAuthority) -> Site:
    made = site(tmp_path / "site")
    with (made.root / "dock.toml").open("a") as file:
        file.write(f'[timestamp]\nurl = "{authority.url}"\n')
        file.write(f'ca_file = "{authority.ca_file}"\ninterval_s = 3600\n')
    return made


@pytest.fixture
def config(here: Site) -> Config:
    return load(here.root / "dock.toml")


def heard(done: int, total: int) -> None:
    del done, total


def dock(here: Site, config: Config, name: str) -> None:
    source = card(here.root / "aside" / name, {f"VIDEO/{name}.MP4": 5000})
    import_tree(config, Wish(source, "KT-Z3:KTZ3A00017", "1"), heard)


def send(config: Config) -> Summary:
    with closing(connect(config.store_path)) as conn:
        return worker(config, SystemClock(), conn, threading.Event()).run_once(conn)


def start(config: Config) -> None:
    """Start the agent, which writes what the vault has not yet, and end it."""
    with opened(config, SystemClock()):
        pass


def stamps(config: Config) -> list[int]:
    with closing(connect(config.store_path)) as conn:
        return [one.number for one in timestamps.newest(conn)]


def asking(config: Config, clock: ManualClock) -> Stamping:
    made = stamping(config, clock)
    assert made is not None
    return made


def custody_of(config: Config) -> str:
    return verify(config, (), heard).custody


def doctor(config: Config) -> str:
    return next(f.detail for f in examine(config) if f.what == "time authority")


def test_the_newest_checkpoint_is_stamped_and_kept_in_the_vault(
    here: Site, config: Config
) -> None:
    dock(here, config, "a")

    send(config)
    start(config)

    (number,) = stamps(config)
    token = (config.vault_path / journal.stamp_path(number)).read_bytes()
    with closing(connect(config.store_path)) as conn:
        assert timestamps.token_of(conn, number) == token
    assert custody_of(config) == "ok"
    assert doctor(config).startswith(f"checkpoint {number} was there at ")


def test_one_stamp_an_interval_and_none_where_nothing_is_new(
    here: Site, config: Config, authority: TimeAuthority
) -> None:
    clock = ManualClock()
    dock(here, config, "a")
    asks = asking(config, clock)
    with closing(connect(config.store_path)) as conn:
        first, again = asks.step(conn), asks.step(conn)
        clock.advance(timedelta(hours=2))
        nothing_new = asks.step(conn)
    dock(here, config, "b")
    with closing(connect(config.store_path)) as conn:
        later = asks.step(conn)

    assert (first, again, nothing_new, later) == (True, False, False, True)
    assert authority.asked == 2
    assert len(stamps(config)) == 2


def test_offline_the_checkpoint_waits_and_evidence_does_not(
    here: Site, config: Config, authority: TimeAuthority
) -> None:
    dock(here, config, "a")
    authority.answer = lambda _query: (503, b"")

    assert send(config).waiting == 0

    assert stamps(config) == []
    authority.answer = None
    send(config)
    assert len(stamps(config)) == 1


def other_text(authority: TimeAuthority) -> Answer:
    path = authority.root / "other"
    path.write_text("another text")
    return 200, authority.stamp(authority.query("-data", f"{path}"))


def other_authority(authority: TimeAuthority, query: bytes) -> Answer:
    return 200, TimeAuthority(authority.root / "other").stamp(query)


def expired(authority: TimeAuthority, query: bytes) -> Answer:
    authority.lasts(-3 * DAY, -2 * DAY)
    return 200, authority.stamp(query)


Bad = Callable[[TimeAuthority, bytes], Answer]


@pytest.mark.parametrize(
    "bad",
    [
        (lambda _one, _query: (503, b""), "is busy"),
        (lambda _one, _query: (500, b""), "answered 500"),
        (lambda _one, _query: (302, b""), "somebody else's page"),
        (lambda _one, _query: (200, b"garbage"), "no RFC 3161 time stamp"),
        (lambda one, _query: other_text(one), "another digest"),
        (other_authority, "not to be trusted"),
        (expired, "certificate has expired"),
    ],
)
def test_an_answer_that_proves_nothing_is_said_and_not_kept(
    here: Site,
    config: Config,
    authority: TimeAuthority,
    caplog: pytest.LogCaptureFixture,
    bad: tuple[Bad, str],
) -> None:
    answer, sentence = bad
    dock(here, config, "a")
    authority.answer = lambda query: answer(authority, query)
    clock = ManualClock()
    asks = asking(config, clock)

    with caplog.at_level(logging.WARNING), closing(connect(config.store_path)) as conn:
        asks.step(conn)
        asks.step(conn)

    assert stamps(config) == []
    assert sentence in caplog.text
    assert authority.asked == 1  # it rests before it asks again
    clock.advance(timedelta(minutes=6))
    with closing(connect(config.store_path)) as conn:
        asks.step(conn)
    assert authority.asked == 2


def test_an_old_answer_played_back_is_not_kept(
    here: Site,
    config: Config,
    authority: TimeAuthority,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It is of this very checkpoint, and was true: of another day, though."""
    dock(here, config, "a")
    old: list[bytes] = []

    def record(query: bytes) -> Answer:
        old.append(authority.stamp(query))
        return 503, b""

    clock = ManualClock()
    asks = asking(config, clock)
    with closing(connect(config.store_path)) as conn:
        authority.answer = record
        asks.step(conn)
        authority.answer = lambda _query: (200, old[0])
        clock.advance(timedelta(minutes=6))
        asks.step(conn)

    assert stamps(config) == []
    assert "another nonce" in caplog.text


def test_a_ca_file_that_is_gone_keeps_no_evidence_back(
    here: Site, config: Config, authority: TimeAuthority
) -> None:
    dock(here, config, "a")
    authority.ca_file.unlink()

    assert send(config).waiting == 0

    assert stamps(config) == []
    assert "ca_file" in doctor(config)


def test_the_running_worker_has_it_stamped(
    here: Site, config: Config, authority: TimeAuthority
) -> None:
    dock(here, config, "a")
    stop = threading.Event()
    with closing(connect(config.store_path)) as conn:
        made = worker(config, SystemClock(), conn, stop)
    running = threading.Thread(
        target=made.run, args=(lambda: connect(config.store_path),)
    )
    running.start()
    try:
        wait_until(lambda: stamps(config) != [])
    finally:
        stop.set()
        running.join(30)

    assert authority.asked == 1


def changed(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.unlink()
    path.write_bytes(content)


def test_a_stamp_that_was_changed_in_the_vault_is_noticed(
    here: Site, config: Config
) -> None:
    dock(here, config, "a")
    send(config)
    start(config)
    (number,) = stamps(config)

    changed(config.vault_path / journal.stamp_path(number))

    assert "time stamp of checkpoint" in custody_of(config)


def test_a_stamp_that_was_changed_in_the_database_is_noticed(
    here: Site, config: Config
) -> None:
    dock(here, config, "a")
    send(config)
    with closing(sqlite3.connect(config.store_path)) as conn, conn:
        conn.execute("DROP TRIGGER timestamp_stands")
        conn.execute("UPDATE timestamp SET token = x'3000'")

    assert "no RFC 3161 time stamp" in custody_of(config)
    assert "no RFC 3161 time stamp" in doctor(config)


def test_a_stamp_that_is_gone_from_the_vault_is_noticed_once_there_is_a_later_one(
    here: Site, config: Config
) -> None:
    clock = ManualClock()
    asks = asking(config, clock)
    for name in "ab":
        dock(here, config, name)
        with closing(connect(config.store_path)) as conn:
            assert asks.step(conn)
        clock.advance(timedelta(hours=2))
    start(config)
    assert custody_of(config) == "ok"

    first = min(stamps(config))
    (config.vault_path / journal.stamp_path(first)).unlink()

    assert custody_of(config).endswith(f"time stamp of checkpoint {first}")


def test_a_database_that_is_made_anew_has_the_stamps(
    here: Site, config: Config
) -> None:
    dock(here, config, "a")
    send(config)
    start(config)
    before = stamps(config)
    config.store_path.unlink()

    told = rebuild(config, (), heard)

    assert told.failed == ()
    assert stamps(config) == before
    assert custody_of(config) == "ok"


def test_rebuild_names_a_stamp_that_proves_nothing(here: Site, config: Config) -> None:
    dock(here, config, "a")
    send(config)
    start(config)
    (number,) = stamps(config)
    changed(config.vault_path / journal.stamp_path(number))
    config.store_path.unlink()

    told = rebuild(config, (), heard)

    assert [one.split(": ")[0] for one in told.failed] == [
        f"time stamp of checkpoint {number}"
    ]


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM timestamp",
        "UPDATE timestamp SET token = x'00'",
        "REPLACE INTO timestamp SELECT checkpoint, x'00', kept_at FROM timestamp",
    ],
)
def test_stamps_only_grow(here: Site, config: Config, change: str) -> None:
    dock(here, config, "a")
    send(config)

    with (
        closing(connect(config.store_path)) as conn,
        pytest.raises(sqlite3.IntegrityError),
    ):
        conn.execute(change)


def test_doctor_says_that_no_stamp_came_for_days(here: Site, config: Config) -> None:
    dock(here, config, "a")
    with closing(connect(config.store_path)) as conn:
        last = checkpoints.last(conn)

    assert last is not None
    assert doctor(config).startswith(f"checkpoint {last.number} has no time stamp")
