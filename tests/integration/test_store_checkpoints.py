import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent.custody import merkle
from dock_agent.custody.chain import Event
from dock_agent.custody.checkpoint import Checkpoint, origin, read, signed
from dock_agent.custody.signing import SigningKey
from dock_agent.errors import CustodyError, StoreError
from dock_agent.store import checkpoints, custody, station, tree
from dock_agent.store.checkpoints import Kept
from dock_agent.store.db import statements, transaction
from dock_agent.store.schema import CUSTODY_LEAN
from support.books import Books

KEY = SigningKey.from_seed(bytes(32))


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    with transaction(made.conn):
        station.sign_with(made.conn, KEY.public)
    yield made
    made.close()


def say(books: Books, count: int, together: int = 1) -> None:
    for _ in range(count // together):
        with transaction(books.conn):
            events = [Event("said", facts={"n": n}) for n in range(together)]
            custody.append_all(books.conn, events, books.at)


def write_both(books: Books, *each: list[Event]) -> None:
    with transaction(books.conn):
        for events in each:
            custody.append_all(books.conn, events, books.at)


def sign(books: Books, key: SigningKey = KEY) -> Kept | None:
    with transaction(books.conn):
        return checkpoints.make(books.conn, "harbour-1", key, books.at)


def told(kept: Kept | None) -> Checkpoint:
    assert kept is not None
    return read(kept.note, [KEY.public], origin("harbour-1"))


def naive(lines: list[str]) -> bytes:
    growing = merkle.Growing()
    for line in lines:
        growing.add(line.encode())
    return growing.root()


def tamper(books: Books, change: str, *facts: object) -> None:
    """Change the database as somebody does who may write its file."""
    for trigger in books.conn.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
    ).fetchall():
        books.conn.execute(f"DROP TRIGGER {trigger[0]}")
    books.conn.execute(change, facts)


@pytest.mark.parametrize("together", [1, 7, 50])
def test_head_and_proofs_of_the_kept_tree_are_those_of_all_lines(
    books: Books, together: int
) -> None:
    say(books, 600, together)
    lines = list(custody.every(books.conn))
    size = len(lines)

    assert tree.root(books.conn, size) == naive(lines)
    for seq in (1, 16, 17, 256, 257, size):
        proof = checkpoints.proof_of(books.conn, seq, size)
        place, line = (seq - 1, size), lines[seq - 1].encode()
        merkle.verify_inclusion(place, line, proof, naive(lines))
    for old in (1, 15, 16, 255, 257, size):
        hashes = checkpoints.extension(books.conn, old, size)
        before = old, naive(lines[:old])
        merkle.verify_consistency(before, (size, naive(lines)), hashes)


def test_a_tree_is_made_of_the_lines_that_were_there_before_it(books: Books) -> None:
    say(books, 300, 50)
    tamper(books, "DELETE FROM custody_tree")

    say(books, 16)

    lines = list(custody.every(books.conn))
    assert tree.root(books.conn, len(lines)) == naive(lines)


def test_a_log_from_before_there_was_a_tree_is_signed_at_once(books: Books) -> None:
    say(books, 300, 50)
    tamper(books, "DELETE FROM custody_tree")

    assert told(sign(books)).root == naive(list(custody.every(books.conn)))


def test_a_line_that_is_rolled_back_leaves_nothing_in_the_tree(books: Books) -> None:
    say(books, 15)

    lost = [Event("lost")] * 40 + [Event("lost", facts={"n": 0.5})]
    with pytest.raises(CustodyError):
        write_both(books, lost[:40], lost[40:])
    say(books, 40)

    lines = list(custody.every(books.conn))
    assert tree.root(books.conn, len(lines)) == naive(lines)


def test_a_checkpoint_is_signed_where_lines_are_new(books: Books) -> None:
    say(books, 20)

    first, none = told(sign(books)), sign(books)
    say(books, 1)
    second = told(sign(books))

    assert none is None
    assert (first.size, second.size) == (20, 21)
    assert second.root == naive(list(custody.every(books.conn)))
    checkpoints.check(books.conn)


def test_a_clock_that_was_set_back_changes_no_order(books: Books) -> None:
    say(books, 3)
    sign(books)
    books.clock.advance(-timedelta(days=400))
    say(books, 3)

    assert told(sign(books)).size == 6
    checkpoints.check(books.conn)
    custody.check(books.conn)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE custody SET line = replace(line, 'said', 'sand') WHERE seq = 2",
        "DELETE FROM custody WHERE seq = 5",
        "DELETE FROM custody WHERE seq > 3",
        "UPDATE custody SET seq = -seq WHERE seq = 4",
        "UPDATE checkpoint SET size = 4",
        "UPDATE checkpoint SET note = replace(note, 'dock', 'duck')",
        "UPDATE checkpoint SET note = (SELECT max(note) FROM checkpoint)",
    ],
)
def test_what_was_signed_and_changed_since_is_noticed(
    books: Books, change: str
) -> None:
    say(books, 5)
    sign(books)
    say(books, 1)
    sign(books)
    tamper(books, change)

    with pytest.raises(CustodyError):
        checkpoints.check(books.conn)


@pytest.mark.parametrize("seq", [1, 9, 16, 17, 40])
def test_a_whole_log_that_was_forged_is_not_signed_on(books: Books, seq: int) -> None:
    """Line and tree fit each other; only what was signed before tells."""
    say(books, 40)
    sign(books)
    tamper(books, "DELETE FROM custody_tree")
    books.conn.execute(
        "UPDATE custody SET line = replace(line, 'said', 'sand') WHERE seq = ?", (seq,)
    )
    say(books, 16)

    with pytest.raises(CustodyError, match="not the one that was signed"):
        sign(books)


def test_a_log_that_was_cut_is_not_signed_on(books: Books) -> None:
    say(books, 5)
    sign(books)
    tamper(books, "DELETE FROM custody WHERE seq > 3")

    with pytest.raises(CustodyError, match="not the one that was signed"):
        sign(books)


def test_a_forged_tree_is_noticed(books: Books) -> None:
    say(books, 40)
    sign(books)
    tamper(books, "UPDATE custody_tree SET sha256 = zeroblob(32) WHERE number = 1")

    with pytest.raises(CustodyError):
        checkpoints.check(books.conn)


def test_a_checkpoint_of_another_key_is_noticed(books: Books) -> None:
    say(books, 2)
    other = SigningKey.from_seed(b"x" * 32)
    whole = Checkpoint(origin("harbour-1"), 2, tree.root(books.conn, 2))
    with transaction(books.conn):
        checkpoints.keep(books.conn, Kept(1, 2, signed(whole, other)), books.at)

    with pytest.raises(CustodyError, match="not signed by a key"):
        checkpoints.check(books.conn)
    with pytest.raises(CustodyError, match="not signed by a key"):
        sign(books)


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM checkpoint",
        "UPDATE checkpoint SET note = ''",
        "INSERT INTO checkpoint VALUES (3, 9, '', '')",
        "INSERT INTO checkpoint VALUES (2, 20, '', '')",
        "REPLACE INTO checkpoint VALUES (1, 30, '', '')",
        "DELETE FROM custody_tree",
        "UPDATE custody_tree SET number = 7",
        "INSERT INTO custody_tree VALUES (1, 5, zeroblob(32))",
        "REPLACE INTO custody_tree VALUES (1, 0, zeroblob(32))",
    ],
)
def test_checkpoints_and_tree_only_grow(books: Books, change: str) -> None:
    say(books, 20)
    sign(books)

    with pytest.raises(sqlite3.IntegrityError):
        books.conn.execute(change)


def test_a_checkpoint_belongs_into_a_transaction(books: Books) -> None:
    with pytest.raises(StoreError, match="needs a transaction"):
        checkpoints.make(books.conn, "harbour-1", KEY, books.at)


def test_the_log_is_the_same_once_its_table_was_made_anew(books: Books) -> None:
    """As it is with the database of an older version."""
    say(books, 40)
    sign(books)
    before = list(custody.every(books.conn))

    with transaction(books.conn):
        for statement in statements(CUSTODY_LEAN):
            books.conn.execute(statement)
    say(books, 5)

    assert list(custody.every(books.conn))[:40] == before
    assert checkpoints.check(books.conn).seq == 45


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM custody WHERE seq = 3",
        "UPDATE custody SET line = '' WHERE seq = 3",
        "REPLACE INTO custody SELECT * FROM custody WHERE seq = 3",
        "REPLACE INTO custody VALUES (3, NULL, NULL, '', '')",
        "INSERT INTO custody VALUES (7, NULL, NULL, '', '')",
    ],
)
def test_the_log_only_grows(books: Books, change: str) -> None:
    say(books, 5)
    before = list(custody.every(books.conn))

    with pytest.raises(sqlite3.IntegrityError):
        books.conn.execute(change)

    assert list(custody.every(books.conn)) == before
