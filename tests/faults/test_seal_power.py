"""Cut the power, fill the disk, break it, at every step of a seal."""

import errno
import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.errors import NoRoom, VaultUnusable
from dock_agent.recording import Digest, DockingId, DockingState
from dock_agent.simulated.disk import PowerCut, SimulatedDisk
from dock_agent.store import backlog, custody, dockings
from dock_agent.vault.bag import Sealer, seal
from dock_agent.vault.disk import Disk
from dock_agent.vault.verify import verify_bag
from dock_agent.vault.verify_rows import verify_rows
from support.bench import KEY
from support.books import MAIN, NAS, Books
from support.disks import put

VAULT = Path("/vault")
FILES = {"DCIM/0001.MP4": b"one" * 5000, "DCIM/0002.MP4": b"two", "empty": b""}


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    made = Books(tmp_path)
    yield made
    made.close()


def sealer(books: Books, disk: Disk) -> Sealer:
    return Sealer(disk, VAULT, KEY, books.clock, "test", (MAIN, NAS))


def checked(books: Books, number: int) -> tuple[SimulatedDisk, DockingId]:
    """Return a docking whose every file is verified, and its disk."""
    disk, docking = SimulatedDisk(), books.open(number)
    bag = VAULT / dockings.get(books.conn, docking).bag
    for name, data in FILES.items():
        (file,) = books.inventory(docking, [name], size=len(data))
        path = bag / "data" / name
        disk.make_directory(path.parent)
        put(disk, path, data)
        disk.sync_directory(path.parent)
        books.prove(file, Digest(hashlib.sha256(data).hexdigest()))
        books.name(file)
    books.move(docking, DockingState.COPYING)
    books.move(docking, DockingState.CHECKING)
    disk.operations = 0
    return disk, docking


def wrong(books: Books, disk: Disk, docking: DockingId) -> list[str]:
    """Return what a check of the sealed docking finds."""
    found = dockings.get(books.conn, docking)
    result = verify_bag(disk, VAULT / found.bag, docking, KEY.public)
    rows = verify_rows(books.conn, disk, VAULT, found)
    return [str(failure) for failure in (*result.failed, *rows.failed)]


def test_a_sealed_docking_says_so_once_and_queues_its_own_files(books: Books) -> None:
    disk, docking = checked(books, 1)
    before = backlog.waiting(books.conn).count

    told = seal(books.conn, sealer(books, disk), docking)

    assert (told.complete, told.safe, told.files) == (True, 3, 3)
    assert wrong(books, disk, docking) == []
    assert books.told(docking).count("sealed") == 1
    for_nas = len(FILES)  # they were queued for the other one only
    assert backlog.waiting(books.conn).count == before + 2 * 8 + for_nas
    (facts,) = books.facts(docking, "sealed")
    KEY.public.verify(bytes.fromhex(facts["signature"]), read_signed(disk, docking))


def read_signed(disk: Disk, docking: DockingId) -> bytes:
    return disk.read(VAULT / "dockings" / docking / "tagmanifest-sha256.txt")


def test_what_is_sealed_is_not_touched_again(books: Books) -> None:
    disk, docking = checked(books, 1)
    first = seal(books.conn, sealer(books, disk), docking)
    log, operations = custody.log(books.conn), disk.operations

    again = seal(books.conn, sealer(books, disk), docking)

    assert again == first
    assert custody.log(books.conn) == log
    assert disk.operations == operations


@pytest.mark.parametrize("names_last", [False, True])
def test_a_seal_cut_at_any_step_is_not_sealed_and_can_be_sealed_again(
    books: Books, *, names_last: bool
) -> None:
    number, cuts = 0, 0
    while True:
        number += 1
        disk, docking = checked(books, number)
        disk.faults.cut_after = cuts
        try:
            seal(books.conn, sealer(books, disk), docking)
        except PowerCut:
            cuts += 1
        else:
            break
        disk.crash(names_last=names_last)

        assert dockings.get(books.conn, docking).state is DockingState.CHECKING
        assert not [t for t in books.told(docking) if t == "sealed"]
        assert seal(books.conn, sealer(books, disk), docking).complete
        assert wrong(books, disk, docking) == []

    assert cuts > 60


def test_power_cut_right_after_a_seal_loses_nothing_of_it(books: Books) -> None:
    disk, docking = checked(books, 1)
    seal(books.conn, sealer(books, disk), docking)

    disk.crash()

    assert wrong(books, disk, docking) == []


def test_a_seal_that_a_cut_interrupted_twice_is_whole(books: Books) -> None:
    for number, cut in enumerate(range(0, 60, 7), 1):
        disk, docking = checked(books, number)
        for left in (cut, 60 - cut):
            disk.faults.cut_after = left
            with pytest.raises(PowerCut):
                seal(books.conn, sealer(books, disk), docking)
            disk.crash()

        seal(books.conn, sealer(books, disk), docking)

        assert wrong(books, disk, docking) == []


def test_a_disk_that_loses_its_flushes_is_found_out(books: Books) -> None:
    """The negative control: without flushes the checks above must fail."""
    disk, docking = checked(books, 1)
    disk.faults.loses_sync = True
    seal(books.conn, sealer(books, disk), docking)

    disk.crash()

    assert wrong(books, disk, docking) != []


@pytest.mark.parametrize(
    ("code", "error"),
    [(errno.ENOSPC, NoRoom), (errno.EIO, VaultUnusable), (errno.EDQUOT, NoRoom)],
)
def test_a_flush_that_fails_is_no_seal(
    books: Books, code: int, error: type[Exception]
) -> None:
    disk, docking = checked(books, 1)
    disk.faults.sync_error = code

    with pytest.raises(error):
        seal(books.conn, sealer(books, disk), docking)

    assert dockings.get(books.conn, docking).state is DockingState.CHECKING
    seal(books.conn, sealer(books, disk), docking)
    assert wrong(books, disk, docking) == []


def test_a_full_vault_is_no_seal(books: Books) -> None:
    disk, docking = checked(books, 1)
    disk.capacity = sum(map(len, FILES.values())) + 500

    with pytest.raises(NoRoom):
        seal(books.conn, sealer(books, disk), docking)

    assert dockings.get(books.conn, docking).state is DockingState.CHECKING
    disk.capacity = 1 << 40
    assert seal(books.conn, sealer(books, disk), docking).complete
    assert wrong(books, disk, docking) == []


def test_a_vault_that_went_read_only_is_no_seal(books: Books) -> None:
    disk, docking = checked(books, 1)
    disk.faults.read_only = True

    with pytest.raises(VaultUnusable):
        seal(books.conn, sealer(books, disk), docking)

    assert "sealed" not in books.told(docking)
