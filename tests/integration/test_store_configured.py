"""A destination that the configuration no longer names: told, withdrawn, put back."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from dock_agent.clock import Instant
from dock_agent.custody.manifest import SIGNATURE
from dock_agent.errors import (
    ConfigError,
    LeaseLost,
    NotAllowed,
    NowhereElse,
    StillConfigured,
    StoreError,
)
from dock_agent.recording import DestinationName, LinkState, TransferState
from dock_agent.store import (
    backlog,
    configured,
    custody,
    destinations,
    files,
    orders,
    transfers,
    views,
)
from dock_agent.store.configured import Withdrawal
from dock_agent.store.db import connect, migrations, reading, transaction
from dock_agent.store.transfers import NewTransfer
from support.books import DIGEST, MAIN, NAS, Books, ident

S = TransferState
SEAL = f"bag/{SIGNATURE}"


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    made.open()
    yield made
    made.close()


def tell(books: Books, *names: DestinationName) -> None:
    """Say which destinations the configuration names now."""
    with transaction(books.conn):
        configured.tell(books.conn, names, books.at)


def withdraw(
    books: Books,
    *,
    by: str = "A. Chief",
    why: str = "the NAS was scrapped",
    although: bool = True,
) -> int:
    """Withdraw what waits for `nas`, as a person would."""
    order = Withdrawal(NAS, by, why, although)
    with transaction(books.conn):
        return configured.withdraw(books.conn, order, books.at)


def states(books: Books, name: DestinationName = NAS) -> dict[str, str]:
    rows = books.conn.execute(
        "SELECT key, state FROM transfer WHERE destination = ? ORDER BY id", (name,)
    )
    return {row["key"]: row["state"] for row in rows}


def lines(books: Books, kind: str) -> list[dict[str, Any]]:
    """Return the custody events of one kind, whole."""
    found = map(json.loads, custody.log(books.conn).splitlines())
    return [line for line in found if line["kind"] == kind]


def online(books: Books, name: DestinationName) -> None:
    with transaction(books.conn):
        destinations.answered(books.conn, name, LinkState.ONLINE, books.at)


# ---- what is told ------------------------------------------------------------


def test_a_destination_that_is_left_out_is_never_called_online(books: Books) -> None:
    online(books, NAS)

    tell(books, MAIN)

    row = destinations.get(books.conn, NAS)
    assert (row.configured, row.link) == (False, LinkState.UNKNOWN)
    assert row.last_success == books.at.utc
    (told,) = lines(books, "destination left out")
    assert told["facts"] == {"destination": NAS}


def test_a_destination_that_stays_is_not_told_of_and_keeps_what_is_known(
    books: Books,
) -> None:
    online(books, MAIN)

    tell(books, MAIN, NAS)
    tell(books, MAIN, NAS)

    assert destinations.get(books.conn, MAIN).link is LinkState.ONLINE
    assert custody.log(books.conn).count("destination ") == 0


def test_a_destination_that_comes_back_is_asked_anew(books: Books) -> None:
    tell(books, MAIN)
    tell(books, MAIN)
    tell(books, MAIN, NAS)

    row = destinations.get(books.conn, NAS)
    assert (row.configured, row.link) == (True, LinkState.UNKNOWN)
    assert len(lines(books, "destination left out")) == 1
    assert len(lines(books, "destination named again")) == 1


def test_what_waits_for_a_destination_that_is_left_out_is_counted_as_stranded(
    books: Books,
) -> None:
    books.add(ident(1), "a", to=[MAIN, NAS])
    books.add(ident(1), "b", S.REFUSED, to=[MAIN, NAS])
    books.add(ident(1), "c", S.WITHDRAWN, to=[NAS])

    tell(books, MAIN)

    left = backlog.waiting(books.conn)
    assert (left.count, left.refused, left.stranded) == (4, 1, 2)
    assert backlog.by_destination(books.conn) == {MAIN: 2, NAS: 2}


def test_a_file_counts_as_confirmed_only_where_the_station_still_looks(
    books: Books,
) -> None:
    file = books.verified(ident(1))
    with transaction(books.conn):
        transfers.add_files(books.conn, ident(1), NAS, books.at)
    books.confirm(books.claimed(NAS))

    tell(books, MAIN)

    line = views.file(books.conn, file)
    assert line.destinations == {MAIN: S.QUEUED}
    assert line.formerly == {NAS: S.CONFIRMED}


# ---- what a person orders ----------------------------------------------------


def test_an_order_ends_all_that_is_not_confirmed_and_says_who_and_why(
    books: Books,
) -> None:
    for number, state in enumerate((S.QUEUED, S.REFUSED, S.PAUSED, S.BLOCKED)):
        books.add(ident(1), str(number), state, to=[NAS])
    books.add(ident(1), "other", to=[MAIN])
    tell(books, MAIN)

    count = withdraw(books)

    assert count == 4
    assert set(states(books).values()) == {S.WITHDRAWN}
    assert states(books, MAIN) == {"other": S.QUEUED}
    assert backlog.waiting(books.conn).stranded == 0
    told = lines(books, "withdrawn")
    assert {line["actor"] for line in told} == {"A. Chief"}
    assert {line["docking"] for line in told} == {ident(1)}
    (refused,) = [one["facts"] for one in told if one["facts"]["key"] == "1"]
    assert refused == {
        "destination": NAS,
        "key": "1",
        "sha256": DIGEST,
        "was": "refused",
        "nowhere_else": True,
        "may_be_there": False,
        "reason": "the NAS was scrapped",
    }
    custody.check(books.conn)


def test_a_long_queue_is_ended_in_pieces_that_keep_nobody_waiting(
    books: Books,
) -> None:
    with transaction(books.conn):
        for key in map(str, range(configured.AT_ONCE + 1)):
            new = NewTransfer(ident(1), key, key, 100, DIGEST)
            transfers.add(books.conn, new, [NAS], books.at)
    tell(books, MAIN)

    counts = [withdraw(books) for _ in range(3)]

    assert counts == [configured.AT_ONCE, 1, 0]
    assert set(states(books).values()) == {S.WITHDRAWN}
    assert len(lines(books, "withdrawn")) == configured.AT_ONCE + 1


def test_what_was_confirmed_there_stays_so_in_the_record(books: Books) -> None:
    books.add(ident(1), "a", to=[NAS])
    books.add(ident(1), "b", to=[NAS])
    books.confirm(books.claimed(NAS))
    tell(books, MAIN)

    assert withdraw(books) == 1
    assert states(books) == {"a": S.CONFIRMED, "b": S.WITHDRAWN}
    assert withdraw(books) == 0


def test_nothing_is_withdrawn_from_a_destination_that_is_configured(
    books: Books,
) -> None:
    books.add(ident(1), "a", to=[NAS])

    with pytest.raises(StillConfigured, match="nas was configured"):
        withdraw(books)

    assert states(books) == {"a": S.QUEUED}
    assert lines(books, "withdrawn") == []


def test_a_destination_that_nobody_knew_cannot_be_withdrawn_from(books: Books) -> None:
    order = Withdrawal(DestinationName("other"), "A. Chief", "gone")

    with pytest.raises(ConfigError, match="other"), transaction(books.conn):
        configured.withdraw(books.conn, order, books.at)


@pytest.mark.parametrize(("by", "why"), [(" ", "scrapped"), ("A. Chief", "")])
def test_an_order_without_a_name_or_a_reason_is_none(
    books: Books, by: str, why: str
) -> None:
    books.add(ident(1), "a", to=[NAS])
    tell(books, MAIN)

    with pytest.raises(NotAllowed, match="who gives it, and why"):
        withdraw(books, by=by, why=why)

    assert states(books) == {"a": S.QUEUED}


def test_what_is_confirmed_nowhere_else_is_withdrawn_only_by_who_says_so(
    books: Books,
) -> None:
    books.add(ident(1), "a", to=[NAS, MAIN])
    books.add(ident(1), "b", to=[NAS, MAIN])
    books.confirm(books.claimed(MAIN))
    tell(books, MAIN)

    with pytest.raises(NowhereElse, match="of 2 files that wait for nas, 1 would"):
        withdraw(books, although=False)
    unchanged = states(books), lines(books, "withdrawn")
    books.confirm(books.claimed(MAIN))
    count = withdraw(books, although=False)

    assert unchanged == ({"a": S.QUEUED, "b": S.QUEUED}, [])
    assert count == 2
    assert not any(one["facts"]["nowhere_else"] for one in lines(books, "withdrawn"))


def test_a_copy_where_nobody_looks_any_more_is_no_other_copy(books: Books) -> None:
    books.add(ident(1), "a", to=[NAS, MAIN])
    books.confirm(books.claimed(MAIN))
    tell(books)  # neither is named

    with pytest.raises(NowhereElse, match="of 1 files"):
        withdraw(books, although=False)


def test_another_object_of_that_name_is_no_other_copy(books: Books) -> None:
    books.add(ident(1), "a", to=[NAS])
    new = NewTransfer(ident(1), "a", "a", 100, type(DIGEST)("cd" * 32))
    with transaction(books.conn):
        transfers.add(books.conn, new, [MAIN], books.at)
    books.confirm(books.claimed(MAIN))
    tell(books, MAIN)

    with pytest.raises(NowhereElse, match="of 1 files"):
        withdraw(books, although=False)


def test_a_worker_that_sends_what_is_withdrawn_confirms_nothing(books: Books) -> None:
    books.add(ident(1), "a", to=[NAS])
    held = books.claimed(NAS)
    tell(books, MAIN)
    withdraw(books)

    with pytest.raises(LeaseLost):
        books.confirm(held)

    assert states(books) == {"a": S.WITHDRAWN}
    assert lines(books, "confirmed") == []
    (told,) = lines(books, "withdrawn")
    assert (told["facts"]["was"], told["facts"]["may_be_there"]) == ("sending", True)


def test_a_worker_that_sends_what_is_set_aside_confirms_nothing(books: Books) -> None:
    file = books.verified(ident(1))
    held = books.claimed(MAIN)
    with transaction(books.conn):
        files.quarantined(books.conn, file, "differs", books.at)
        orders.withdraw(books.conn, file, books.at)

    with pytest.raises(LeaseLost):
        books.confirm(held)

    assert list(states(books, MAIN).values()) == [S.WITHDRAWN]
    assert books.told(ident(1))[-2:] == ["quarantined", "sent before"]


# ---- what is put back --------------------------------------------------------


def test_what_was_withdrawn_is_queued_anew_once_the_destination_is_back(
    books: Books,
) -> None:
    books.add(ident(1), "a", to=[NAS])
    books.add(ident(1), SEAL, S.BLOCKED, to=[NAS])
    tell(books, MAIN)
    withdraw(books)

    tell(books, MAIN, NAS)
    tell(books, MAIN, NAS)

    assert states(books) == {"a": S.QUEUED, SEAL: S.BLOCKED}
    (told,) = lines(books, "queued anew")
    assert told["docking"] == ident(1)
    assert told["facts"] == {"destination": NAS, "objects": 2}
    books.confirm(books.claimed(NAS))
    assert books.claimed(NAS).key == SEAL


def test_a_seal_that_alone_was_withdrawn_goes_at_once(books: Books) -> None:
    books.add(ident(1), "a", to=[NAS])
    books.confirm(books.claimed(NAS))
    books.add(ident(1), SEAL, to=[NAS])
    tell(books, MAIN)
    withdraw(books)

    tell(books, NAS)

    assert books.claimed(NAS).key == SEAL


def test_what_was_set_aside_here_is_not_queued_anew(books: Books) -> None:
    file = books.verified(ident(1))
    with transaction(books.conn):
        transfers.add_files(books.conn, ident(1), NAS, books.at)
    tell(books, MAIN)
    withdraw(books)
    with transaction(books.conn):
        files.quarantined(books.conn, file, "differs", books.at)
        orders.withdraw(books.conn, file, books.at)

    tell(books, MAIN, NAS)

    assert set(states(books).values()) == {S.WITHDRAWN}
    assert lines(books, "queued anew") == []


def test_no_seal_goes_where_something_of_its_docking_is_withdrawn(
    books: Books,
) -> None:
    books.verified(ident(1))
    with transaction(books.conn):
        transfers.add_files(books.conn, ident(1), NAS, books.at)
    tell(books, MAIN)
    withdraw(books)
    books.add(ident(1), "manifest", to=[NAS])  # by an agent that still names it
    books.add(ident(1), SEAL, S.BLOCKED, to=[NAS])

    books.confirm(books.claimed(NAS))

    assert books.claim(NAS) is None
    assert states(books)[SEAL] == S.BLOCKED


def test_no_seal_goes_where_one_of_the_bag_s_own_files_is_withdrawn(
    books: Books,
) -> None:
    books.add(ident(1), "bag-info.txt", to=[NAS])
    tell(books, MAIN)
    withdraw(books)
    books.add(ident(1), "manifest", to=[NAS])
    books.add(ident(1), SEAL, S.BLOCKED, to=[NAS])

    books.confirm(books.claimed(NAS))

    assert books.claim(NAS) is None
    assert states(books)[SEAL] == S.BLOCKED


# ---- an older database -------------------------------------------------------


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """Give a database of before the station knew which destinations are configured."""
    path = tmp_path / "older.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        migrations.apply(Database(conn), stop_before="0002_configured")
        conn.execute(
            "INSERT INTO destination (name, kind, link) VALUES ('a', 's3', 'unknown')"
        )
    return path


def test_an_older_database_is_brought_up_to_date_and_keeps_its_destinations(
    older: Path, books: Books
) -> None:
    at: Instant = books.at
    with closing(connect(older, create=True)) as conn, transaction(conn):
        destinations.ensure(conn, DestinationName("b"), "s3")
        configured.tell(conn, [DestinationName("a")], at)
        rows = conn.execute("SELECT name, configured FROM destination ORDER BY 1")
        found = [tuple(row) for row in rows]

    assert found == [("a", 1), ("b", 0)]


def test_an_axis_place_of_an_older_station_is_known_by_its_account_from_now_on(
    older: Path,
) -> None:
    account = "https://evidence.example/auth 0123456789abcdef"
    with closing(sqlite3.connect(older, isolation_level=None)) as conn:
        conn.executemany(
            "INSERT INTO destination (name, kind, place, link)"
            " VALUES (?, ?, '/etc/dock-agent/it', 'online')",
            [("axis", "axis"), ("nas", "directory")],
        )

    with closing(connect(older, create=True)) as conn, transaction(conn):
        destinations.ensure(conn, DestinationName("axis"), "axis", account)
        destinations.ensure(conn, NAS, "directory", "/mnt/other")
        places = {row.name: row.place for row in destinations.every(conn)}

    assert places == {"a": None, "axis": account, "nas": "/etc/dock-agent/it"}


def test_an_older_database_is_said_to_be_one_by_whoever_only_reads(older: Path) -> None:
    with pytest.raises(StoreError, match="older version"), reading(older) as conn:
        destinations.every(conn)
