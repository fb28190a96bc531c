"""The vault's disk drops out and leaves an empty directory: nothing is written there.

What is written into such a directory is hidden when the disk comes back.
"""

import errno
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from dock_agent.bays.machine import Event, Failed, Sealed
from dock_agent.errors import VaultUnusable
from dock_agent.offload.clerk import Terms
from dock_agent.offload.messages import (
    AllCopied,
    Found,
    Inventory,
    Matched,
    Named,
    Proved,
    Said,
)
from dock_agent.offload.parent import Limits, ProcessOffloader
from dock_agent.offload.recover import recover
from dock_agent.offload.scan import MountedSource
from dock_agent.recording import DockingState, FileState
from dock_agent.store import dockings
from dock_agent.vault.layout import MARKER
from dock_agent.vault.real import RealDisk
from support.bench import Bench
from support.cards import card, digests
from support.disks import MAY_MOUNT, small_file_system
from support.process import Ending

SIZES = {"VIDEO/1.MP4": 5 << 20, "VIDEO/2.MP4": 5 << 20, "LOG/1.LOG": 100}
NEW = {"VIDEO/3.MP4": 5 << 20}
needs_root = pytest.mark.skipif(not MAY_MOUNT, reason="mounting needs root and loops")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    made.disk = RealDisk(within=made.vault)
    yield made
    made.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return card(tmp_path / "card", SIZES)


@contextmanager
def away(vault: Path) -> Iterator[None]:
    """Leave an empty directory in the vault's place."""
    aside = vault.with_name("aside")
    vault.rename(aside)
    vault.mkdir()
    yield
    vault.rmdir()  # fails if anything was written
    aside.rename(vault)


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


@pytest.mark.parametrize("said", [Inventory, Matched, Proved, Named, AllCopied])
def test_a_vault_that_drops_out_in_the_midst_gets_nothing_and_seals_nothing(
    bench: Bench, source: Path, said: type[Said]
) -> None:
    bench.dock(source)
    card(source, NEW)
    job = bench.job(source)

    with ExitStack() as gone:

        def drop(told: Said) -> None:
            if isinstance(told, said) and (bench.vault / MARKER).exists():
                gone.enter_context(away(bench.vault))

        bench.offload(job, drop)

    assert bench.docking(job.docking).state is DockingState.FAULT
    assert code(bench.events[-1]) == "D-32"
    whole_again(bench, source)


def code(event: Event) -> str | None:
    return event.code if isinstance(event, Failed) else None


def test_a_vault_that_drops_out_before_the_seal_gets_none(
    bench: Bench, source: Path
) -> None:
    scans: list[int] = []

    with ExitStack() as gone:

        class Last(MountedSource):
            def scan(self) -> tuple[Found, ...]:
                scans.append(1)
                if len(scans) == 3:  # after the second pass
                    gone.enter_context(away(bench.vault))
                return super().scan()

        docking = bench.dock(source, Last)

    assert docking.state is DockingState.FAULT
    assert code(bench.events[-1]) == "D-32"
    whole_again(bench, source)


def test_a_camera_docked_while_the_vault_is_out_is_told_of_and_sealed_once_it_is_back(
    bench: Bench, source: Path
) -> None:
    with away(bench.vault):
        docking = bench.dock(source)

    assert docking.state is DockingState.FAULT
    assert code(bench.events[-1]) == "D-32"
    whole_again(bench, source)


def test_the_child_of_a_docking_writes_nothing_where_the_vault_is_not(
    bench: Bench, source: Path
) -> None:
    limits = Limits(30, Terms(0))
    offloader = ProcessOffloader(bench.connect, bench.sealer, limits)
    first, second = Ending(), Ending()

    with away(bench.vault):
        offloader.start(bench.job(source), first)
        told = first.wait()
    offloader.start(bench.job(source), second)
    after = second.wait()
    offloader.close()

    assert code(told) == "D-32"
    assert after == Sealed(len(SIZES))


def test_what_an_earlier_docking_has_in_the_vault_is_not_doubted_while_it_is_out(
    bench: Bench, source: Path
) -> None:
    old = bench.dies_at(source, AllCopied, before=True)
    known = bench.files(old)

    with away(bench.vault):
        told = Ending()
        offloader = ProcessOffloader(bench.connect, bench.sealer, Limits(30, Terms(0)))
        offloader.start(bench.job(source), told)
        event = told.wait()
        offloader.close()

    assert code(event) == "D-32"
    assert {file.state for file in known.values()} == {FileState.VERIFIED}
    assert bench.files(old) == known
    whole_again(bench, source)


@needs_root
def test_a_vault_that_is_unmounted_under_the_agent_is_whole_when_it_is_mounted_again(
    tmp_path: Path,
) -> None:
    source = card(tmp_path / "card", SIZES)
    with small_file_system(tmp_path, 64 << 20) as root:
        bench = Bench(tmp_path)
        bench.vault = root
        (root / MARKER).touch()
        bench.disk = RealDisk(within=root)
        bench.dock(source)
        card(source, NEW)

        subprocess.run(["umount", "-l", root], check=True)
        docking = bench.dock(source)
        left = list(root.iterdir())
        image = str(tmp_path / "image")
        subprocess.run(["mount", "-o", "loop", image, root], check=True)

        assert left == []
        assert docking.state is DockingState.FAULT
        assert code(bench.events[-1]) == "D-32"
        whole_again(bench, source)
        bench.close()


@pytest.fixture
def disk(bench: Bench) -> RealDisk:
    return RealDisk(within=bench.vault)


def test_directories_are_made_below_a_vault_that_has_its_marker(
    bench: Bench, disk: RealDisk
) -> None:
    disk.make_directory(bench.vault / "a/b")
    disk.make_directory(bench.vault / "a/b")
    disk.make_directory(bench.vault)

    assert (bench.vault / "a/b").is_dir()


def lose_marker(vault: Path) -> None:
    (vault / MARKER).unlink()


def exchange_marker(vault: Path) -> None:
    (vault / MARKER).unlink()
    (vault / MARKER).mkdir()


def lose_root(vault: Path) -> None:
    vault.rename(vault.with_name("aside"))


def empty_root(vault: Path) -> None:
    lose_root(vault)
    vault.mkdir()


@pytest.mark.parametrize("harm", [lose_marker, exchange_marker, lose_root, empty_root])
def test_no_directory_is_made_below_a_vault_without_its_marker(
    bench: Bench, disk: RealDisk, harm: Callable[[Path], None]
) -> None:
    disk.make_directory(bench.vault / "a")
    harm(bench.vault)

    for name in ("b", "c/d", "."):
        with pytest.raises(OSError, match="marker") as caught:
            disk.make_directory(bench.vault / name)
        assert caught.value.errno == errno.ENODEV

    assert not (bench.vault / "b").exists()
    assert not (bench.vault / "c").exists()


def test_a_directory_that_this_process_made_is_not_believed_in_after_an_exchange(
    bench: Bench, disk: RealDisk
) -> None:
    disk.make_directory(bench.vault / "a/b")
    empty_root(bench.vault)

    for name in ("a", "a/b", "a/b/c"):
        with pytest.raises(OSError, match="marker"):
            disk.make_directory(bench.vault / name)

    assert list(bench.vault.iterdir()) == []


def test_no_directory_is_made_outside_the_vault(bench: Bench, disk: RealDisk) -> None:
    with pytest.raises(OSError, match=r"."):
        disk.make_directory(bench.vault.parent / "elsewhere/a")

    assert not (bench.vault.parent / "elsewhere").exists()


def test_a_recovery_while_the_vault_is_out_changes_nothing(
    bench: Bench, source: Path
) -> None:
    old = bench.dies_at(source, AllCopied, before=True)
    known = bench.files(old)

    with away(bench.vault), pytest.raises(VaultUnusable):
        recover(bench.conn, bench.sealer)

    assert bench.files(old) == known
    whole_again(bench, source)
