"""Right before a camera's files go: what the vault has, and who else is at them."""

import errno
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dock_agent.bays.machine import Cleared, Failed
from dock_agent.offload.messages import Agreed, Said
from dock_agent.recording import ReadBack
from dock_agent.store.dockings import Docking
from dock_agent.vault.disk import Beat, Reread, silent
from dock_agent.vault.real import RealDisk
from support.bench import Bench
from support.cards import card, digests
from support.erasing import Clearing, erasures, told

SIZES = {f"DCIM/{n:04d}.MP4": 5000 + n for n in range(5)}
VIDEO = "DCIM/0003.MP4"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return card(tmp_path / "card", SIZES)


def require_untouched(bench: Bench, docking: Docking, source: Path, why: str) -> None:
    """Fail unless nothing was removed, nothing intended, and the reason is told."""
    assert digests(source).keys() == {os.fsencode(name) for name in SIZES}
    assert erasures(bench, docking.id) == {}
    (refused,) = told(bench, docking.id, "erase refused")
    assert why in refused["facts"]["reason"]


def rot(copy: Path) -> None:
    """Turn one bit of a copy; its length and its time stay."""
    facts = copy.stat()
    copy.chmod(0o600)
    with copy.open("r+b") as file:
        first = file.read(1)[0]
        file.seek(0)
        file.write(bytes([first ^ 1]))
    os.utime(copy, ns=(facts.st_mtime_ns, facts.st_mtime_ns))


# ---- the copy in the vault ------------------------------------------------------


def test_a_copy_that_rotted_since_its_seal_keeps_everything_and_is_never_green(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    rot(bench.bag(docking) / "data" / VIDEO)

    Clearing(bench, source).of(docking)

    require_untouched(bench, docking, source, "its copy in the vault is not")
    (last,) = (e for e in bench.events if isinstance(e, Failed))
    assert last.code == "D-20"


def test_a_rotten_copy_of_an_earlier_docking_keeps_everything(
    bench: Bench, source: Path
) -> None:
    first = bench.dock(source)
    again = bench.dock(source)
    rot(bench.bag(first) / "data" / VIDEO)

    Clearing(bench, source).of(again)

    require_untouched(bench, again, source, "its copy in the vault is not")


def test_a_copy_that_is_gone_or_is_cut_short_is_never_green(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    copy = bench.bag(docking) / "data" / VIDEO
    copy.chmod(0o600)
    os.truncate(copy, 100)

    Clearing(bench, source).of(docking)

    require_untouched(bench, docking, source, "not in the vault as it was")
    last = bench.events[-1]
    assert isinstance(last, Failed)
    assert last.code == "D-20"


def test_a_copy_that_goes_while_the_camera_is_read_again_keeps_everything(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    def lose(said: Said) -> None:
        if isinstance(said, Agreed):
            (bench.bag(docking) / "data" / VIDEO).unlink()

    Clearing(bench, source, before=lose).of(docking)

    require_untouched(bench, docking, source, "not in the vault as it was")
    assert isinstance(bench.events[-1], Failed)


def test_a_copy_that_is_the_cameras_own_file_is_none(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    data = bench.bag(docking) / "data"
    data.rename(data.with_name("aside"))
    data.symlink_to(source)

    Clearing(bench, source).of(docking)

    require_untouched(bench, docking, source, "the camera's own file")


def test_a_copy_that_can_be_read_from_memory_only_keeps_everything(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    class Forgetful(RealDisk):
        def reread(self, path: Path, beat: Beat = silent) -> Reread:
            return replace(super().reread(path, beat), method=ReadBack.CACHED)

    bench.disk = Forgetful()
    Clearing(bench, source).of(docking)

    require_untouched(bench, docking, source, "not read from the medium")
    assert isinstance(bench.events[-1], Cleared), "the footage is safe"


def test_a_vault_that_does_not_answer_keeps_everything_and_is_never_green(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    class Gone(RealDisk):
        def reread(self, path: Path, beat: Beat = silent) -> Reread:
            beat(0)
            raise OSError(errno.ENOTCONN, "gone", str(path))

    bench.disk = Gone()
    Clearing(bench, source).of(docking)

    require_untouched(bench, docking, source, "vault")
    last = bench.events[-1]
    assert isinstance(last, Failed)
    assert last.code == "D-32"
