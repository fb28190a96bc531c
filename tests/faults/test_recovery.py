"""What a recovery makes of every state that a crash can leave."""

import os
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from dock_agent.offload.messages import Named, Proved
from dock_agent.offload.recover import recover
from dock_agent.offload.settle import Recovered, StillWritten, close_old, settle
from dock_agent.recording import DockingState, FileState
from dock_agent.simulated.dock import StoryDisk
from dock_agent.store import backlog, custody, dockings
from dock_agent.store.dockings import Docking
from dock_agent.vault.lock import lock_bag
from support.bench import Bench
from support.cards import card, digests
from support.process import wait_until

SIZES = {"VIDEO/1.MP4": 5 << 20, "VIDEO/1.NMEA": 4000, "VIDEO/2.NMEA": 4000}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return card(tmp_path / "card", SIZES)


def states(bench: Bench, docking: Docking) -> dict[str, FileState]:
    return {name: file.state for name, file in bench.files(docking).items()}


def whole_again(bench: Bench, source: Path) -> None:
    """Dock once more; every file must then be in the vault exactly once."""
    again = bench.dock(source)
    assert again.complete
    assert dockings.unfinished(bench.conn) == []
    kept = [
        digest
        for docking in dockings.sealed(bench.conn)
        for name, digest in digests(bench.bag(docking) / "data").items()
        if not name.startswith(b"=")
    ]
    assert sorted(kept) == sorted(digests(source).values())
    assert custody.check(bench.conn).seq > 0


def test_a_part_without_a_commit_is_deleted_and_copied_again(
    bench: Bench, source: Path
) -> None:
    docking = bench.dies_at(source, Proved, before=True)

    found = recover(bench.conn, bench.sealer)

    assert found.parts > 0
    assert set(states(bench, docking).values()) == {FileState.LISTED}
    assert bench.docking(docking.id).state is DockingState.INTERRUPTED
    whole_again(bench, source)


def test_a_proven_part_without_a_name_is_deleted_and_copied_again(
    bench: Bench, source: Path
) -> None:
    docking = bench.dies_at(source, Proved, before=False)

    recover(bench.conn, bench.sealer)

    assert FileState.VERIFIED not in states(bench, docking).values()
    whole_again(bench, source)


def test_a_named_file_whose_last_commit_is_missing_is_adopted(
    bench: Bench, source: Path
) -> None:
    docking = bench.dies_at(source, Named, before=True)

    found = recover(bench.conn, bench.sealer)

    assert found.adopted > 0
    adopted = [s for s in states(bench, docking).values() if s is FileState.VERIFIED]
    assert len(adopted) == found.adopted
    assert backlog.waiting(bench.conn).count == found.adopted
    whole_again(bench, source)


@pytest.mark.parametrize("content", [b"", bytes(5 << 20), b"short"])
def test_a_named_file_that_is_not_what_was_proved_is_never_adopted(
    bench: Bench, source: Path, content: bytes
) -> None:
    docking = bench.dies_at(source, Named, before=True)
    for path in (bench.bag(docking) / "data").rglob("*"):
        if path.is_file():
            path.chmod(0o600)
            path.write_bytes(content)

    found = recover(bench.conn, bench.sealer)

    assert found.adopted == 0
    assert found.quarantined > 0
    assert FileState.VERIFIED not in states(bench, docking).values()
    assert digests(bench.vault / "quarantine")
    whole_again(bench, source)


def test_a_verified_file_that_vanished_is_said_so(bench: Bench, source: Path) -> None:
    docking = bench.dies_at(source, Named, before=False)
    for path in (bench.bag(docking) / "data").rglob("*"):
        if path.is_file():
            path.unlink()

    found = recover(bench.conn, bench.sealer)

    assert found.quarantined > 0
    assert FileState.VERIFIED not in states(bench, docking).values()
    whole_again(bench, source)


def test_a_file_that_no_row_proves_is_set_aside_and_told_of(
    bench: Bench, source: Path
) -> None:
    docking = bench.dies_at(source, Named, before=False)
    (bench.bag(docking) / "data/stray.MP4").write_bytes(b"whose?")

    found = recover(bench.conn, bench.sealer)

    assert found.strays == 1
    kept = bench.vault / "quarantine" / docking.id / "stray.MP4"
    assert kept.read_bytes() == b"whose?"
    assert '"kind":"stray"' in custody.log(bench.conn)


def test_a_pipe_or_a_link_in_the_vault_is_set_aside_and_never_opened(
    bench: Bench, source: Path
) -> None:
    docking = bench.dies_at(source, Named, before=False)
    os.mkfifo(bench.bag(docking) / "data/pipe")
    (bench.bag(docking) / "data/link").symlink_to("/etc/passwd")

    found = recover(bench.conn, bench.sealer)

    assert found.strays == 2
    kept = bench.vault / "quarantine" / docking.id
    assert {path.name for path in kept.iterdir()} == {"pipe", "link"}


def test_a_docking_that_is_still_being_written_is_left_alone(
    bench: Bench, source: Path
) -> None:
    docking = bench.dies_at(source, Proved, before=False)
    lock = lock_bag(bench.bag(docking))
    assert lock is not None

    with pytest.raises(StillWritten):
        settle(bench.conn, bench.sealer, docking.id, Recovered())
    assert recover(bench.conn, bench.sealer) == Recovered(busy=1)

    assert bench.docking(docking.id).state is DockingState.COPYING
    os.close(lock)
    assert recover(bench.conn, bench.sealer).busy == 0
    assert bench.docking(docking.id).state is DockingState.INTERRUPTED


def test_a_recovery_can_be_repeated(bench: Bench, source: Path) -> None:
    bench.dies_at(source, Named, before=True)
    recover(bench.conn, bench.sealer)
    lines = custody.head(bench.conn).seq

    again = recover(bench.conn, bench.sealer)

    assert (again.adopted, again.quarantined, again.strays) == (0, 0, 0)
    assert custody.head(bench.conn).seq == lines


def test_a_copy_that_can_no_longer_be_read_is_set_aside_and_made_again(
    bench: Bench, source: Path
) -> None:
    disk = StoryDisk(bench.vault, 1 << 30)
    bench.disk = disk
    docking = bench.dies_at(source, Named, before=False)
    disk.unreadable.add("1.MP4")

    found = recover(bench.conn, bench.sealer)

    assert found.quarantined == 1
    assert states(bench, docking)["VIDEO/1.MP4"] is FileState.QUARANTINED
    assert len(digests(bench.vault / "quarantine")) == 1
    disk.unreadable.clear()
    assert bench.dock(source).complete


def test_a_directory_that_cannot_be_listed_is_not_an_empty_one(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "locked").write_bytes(b"")

    with pytest.raises(OSError, match="Not a directory"):
        list(bench.disk.listing(tmp_path / "locked"))
    assert list(bench.disk.listing(tmp_path / "absent")) == []


def test_the_child_of_a_killed_agent_is_waited_for(bench: Bench, source: Path) -> None:
    docking = bench.dies_at(source, Proved, before=True)
    bag = bench.bag(docking)
    with Popen(["flock", bag, "cat"], stdin=PIPE) as child:
        wait_until(lambda: is_locked(bag))
        assert child.stdin is not None
        child.stdin.close()

        close_old(bench.conn, bench.sealer, docking.id, 60)

    assert bench.docking(docking.id).state is DockingState.SEALED


def is_locked(bag: Path) -> bool:
    lock = lock_bag(bag)
    if lock is not None:
        os.close(lock)
    return lock is None
