from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.custody.chain import Event
from dock_agent.custody.signing import SigningKey
from dock_agent.errors import CustodyError
from dock_agent.store import checkpoints, custody, station
from dock_agent.store.db import transaction
from dock_agent.vault import journal
from dock_agent.vault.real import RealDisk
from support.books import Books

KEY = SigningKey.from_seed(bytes(32))


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    with transaction(made.conn):
        station.sign_with(made.conn, KEY.public)
    yield made
    made.close()


@pytest.fixture
def vault(tmp_path: Path) -> Path:
    root = tmp_path / "vault"
    root.mkdir()
    return root


def say(books: Books, count: int) -> None:
    """Write lines, and sign them."""
    with transaction(books.conn):
        custody.append_all(books.conn, [Event("said")] * count, books.at)
        checkpoints.make(books.conn, "harbour-1", KEY, books.at)


def keep_up(books: Books, vault: Path) -> int:
    return journal.keep_up(books.conn, RealDisk(), vault)


def kept(vault: Path) -> list[str]:
    return [
        line
        for segment in journal.segments(RealDisk(), vault)
        for line in segment.lines
    ]


def check(books: Books, vault: Path) -> None:
    journal.check(books.conn, RealDisk(), vault)


def test_the_vault_has_every_signed_line_of_the_log_once(
    books: Books, vault: Path
) -> None:
    say(books, 20)
    first = keep_up(books, vault)
    say(books, 3)
    say(books, 1)

    assert (first, keep_up(books, vault), keep_up(books, vault)) == (1, 2, 0)
    assert kept(vault) == list(custody.every(books.conn))
    check(books, vault)


def test_what_an_agent_left_half_written_is_finished(books: Books, vault: Path) -> None:
    say(books, 2)
    say(books, 2)
    keep_up(books, vault)
    (vault / journal.note_path(2)).unlink()
    assert len(kept(vault)) == 2

    assert keep_up(books, vault) == 1

    assert kept(vault) == list(custody.every(books.conn))


@pytest.mark.parametrize("name", [journal.note_path(1), journal.lines_path(2)])
def test_a_flipped_byte_in_the_vaults_log_is_noticed(
    books: Books, vault: Path, name: str
) -> None:
    say(books, 2)
    say(books, 2)
    keep_up(books, vault)
    path = vault / name
    raw = bytearray(path.read_bytes())
    raw[20] ^= 1
    path.unlink()
    path.write_bytes(raw)

    with pytest.raises(CustodyError):
        check(books, vault)


@pytest.mark.parametrize("name", [journal.note_path(1), journal.lines_path(1)])
def test_a_missing_file_of_the_vaults_log_is_noticed(
    books: Books, vault: Path, name: str
) -> None:
    say(books, 2)
    say(books, 2)
    keep_up(books, vault)
    (vault / name).unlink()

    with pytest.raises(CustodyError, match="No such file"):
        check(books, vault)


def test_a_database_that_is_older_than_the_vault_is_noticed(
    books: Books, vault: Path, tmp_path: Path
) -> None:
    say(books, 2)
    keep_up(books, vault)
    (tmp_path / "old").mkdir()
    old = Books(tmp_path / "old")
    books.conn.backup(old.conn)
    say(books, 2)
    keep_up(books, vault)

    with pytest.raises(CustodyError, match="it is older, or another one"):
        check(old, vault)


def test_a_database_that_went_another_way_since_writes_nothing_over(
    books: Books, vault: Path, tmp_path: Path
) -> None:
    say(books, 2)
    (tmp_path / "old").mkdir()
    old = Books(tmp_path / "old")
    books.conn.backup(old.conn)
    say(books, 2)
    keep_up(books, vault)
    before = kept(vault)

    say(old, 3)

    with pytest.raises(CustodyError, match="differ in checkpoint 2"):
        check(old, vault)
    for _ in range(2):
        with pytest.raises(CustodyError, match="is not of this log"):
            keep_up(old, vault)
        say(old, 1)
    assert kept(vault) == before
