from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dock_agent.custody.chain import Event
from dock_agent.custody.signing import SigningKey
from dock_agent.errors import CustodyError
from dock_agent.store import checkpoints, custody, station
from dock_agent.store.checkpoints import Kept
from dock_agent.store.db import connect, transaction
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


def test_the_log_is_kept_in_folders_of_a_thousand() -> None:
    assert journal.note_path(7) == "custody/000/00000007.checkpoint"
    assert journal.lines_path(999) == "custody/000/00000999.jsonl"
    assert journal.lines_path(1000) == "custody/001/00001000.jsonl"
    assert journal.note_path(1_234_567) == "custody/1234/01234567.checkpoint"


def across(books: Books, vault: Path) -> None:
    """Have a log whose checkpoints are in two folders."""
    for _ in range(1001):
        say(books, 1)
    keep_up(books, vault)


def test_a_log_in_several_folders_is_one(books: Books, vault: Path) -> None:
    across(books, vault)

    assert len(list((vault / "custody/000").iterdir())) == 2 * 999
    assert journal.last(RealDisk(), vault) == 1001
    check(books, vault)
    assert kept(vault) == list(custody.every(books.conn))


def test_a_whole_folder_that_is_gone_is_noticed(books: Books, vault: Path) -> None:
    across(books, vault)
    (vault / "custody/000").rename(vault / "aside")

    with pytest.raises(CustodyError, match="No such file"):
        check(books, vault)


def test_lines_that_are_signed_while_the_log_is_checked_are_no_fault(
    books: Books, vault: Path
) -> None:
    """Another process writes; the check is of one moment."""
    say(books, 3)
    keep_up(books, vault)
    other = connect(books.root / "store.db")

    def write(kept: Kept, lines: Sequence[str]) -> None:
        del kept, lines
        with transaction(other):
            custody.append(other, Event("said"), books.at)
            checkpoints.make(other, "harbour-1", KEY, books.at)

    head = checkpoints.check(books.conn, write)

    other.close()
    assert head.seq == 3
    check(books, vault)
