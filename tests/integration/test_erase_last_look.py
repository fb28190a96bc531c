"""Right before a camera's files go: what the vault has, and who else is at them."""

import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dock_agent.bays.machine import Cleared, Failed
from dock_agent.custody import manifest
from dock_agent.offload.erase.card import WritableCard
from dock_agent.offload.messages import Agreed, Found, Said
from dock_agent.offload.root import Root
from dock_agent.recording import ReadBack
from dock_agent.store.erasures import may_be_gone
from dock_agent.vault.disk import Beat, Reread, silent
from dock_agent.vault.real import RealDisk
from support.bench import Bench
from support.cards import card, digests
from support.disks import MAY_MOUNT
from support.erasing import (
    SIZES,
    Clearing,
    bench,
    erasures,
    hold,
    require_untouched,
    source,
)

__all__ = ["bench", "source"]
VIDEO = "DCIM/0003.MP4"


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


# ---- who else is at the camera's files ------------------------------------------


def test_a_file_that_is_open_for_writing_keeps_everything(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    with (source / VIDEO).open("ab"):
        Clearing(bench, source).of(docking)

    require_untouched(bench, docking, source, "is being written")
    assert isinstance(bench.events[-1], Failed), "its bay would be green"


def test_a_file_that_is_opened_for_writing_after_the_intent_is_left(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    opened: list[int] = []

    def begin(said: Said) -> None:
        if isinstance(said, Agreed):
            opened.append(os.open(source / VIDEO, os.O_WRONLY | os.O_APPEND))

    Clearing(bench, source, then=begin).of(docking)

    os.write(opened[0], b"more footage")
    os.close(opened[0])
    assert (source / VIDEO).read_bytes().endswith(b"more footage")
    assert erasures(bench, docking.id)[VIDEO] == "kept"
    assert isinstance(bench.events[-1], Failed), "its bay would be green"


@pytest.mark.skipif(not MAY_MOUNT, reason="mounting needs root")
def test_another_tree_that_is_bound_below_the_camera_is_not_touched(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    other = card(tmp_path / "elsewhere", {"evidence.MP4": 999})
    (source / "BOUND").mkdir()
    with bound(other, source / "BOUND"):
        docking = bench.dock(source)

        why = Clearing(bench, source).of(docking)

    assert why is not None
    assert "another tree" in why
    assert (other / "evidence.MP4").stat().st_size == 999
    require_untouched(bench, docking, source, "another tree")


@contextmanager
def bound(tree: Path, at: Path) -> Iterator[None]:
    """Have a directory at a second place, as mount(8) --bind does."""
    subprocess.run(["mount", "--bind", tree, at], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", at], check=True)


# ---- what a person orders -------------------------------------------------------


def test_a_hold_that_is_placed_while_files_go_keeps_the_others(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    class Ordering(WritableCard):
        def remove(self, found: Found) -> None:
            super().remove(found)
            hold(bench, docking)

    why = Clearing(bench, source, card=Ordering).of(docking)

    assert why is not None
    assert "on hold" in why
    assert len(digests(source)) == len(SIZES) - 1
    assert sorted(erasures(bench, docking.id).values()) == ["erased", *["kept"] * 5]
    assert isinstance(bench.events[-1], Cleared), "the footage is safe"


def test_a_hold_on_the_docking_that_has_the_copies_is_heard_while_files_go(
    bench: Bench, source: Path
) -> None:
    first, again = bench.dock(source), bench.dock(source)

    def order(said: Said) -> None:
        if isinstance(said, Agreed):
            hold(bench, first)

    Clearing(bench, source, then=order).of(again)

    assert len(digests(source)) == len(SIZES)
    assert set(erasures(bench, again.id).values()) == {"kept"}


def test_a_camera_that_is_moved_out_of_its_bay_keeps_what_it_still_has(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    docking, root = bench.dock(source), Root.of(source.stat())

    def take(said: Said) -> None:
        if isinstance(said, Agreed):
            source.rename(tmp_path / "taken-out")

    Clearing(bench, source, root=root, then=take).of(docking)

    assert len(digests(tmp_path / "taken-out")) == len(SIZES)
    assert set(erasures(bench, docking.id).values()) == {"intended"}


# ---- the bags -------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["tagmanifest.sig", "tagmanifest-sha256.txt", "manifest-sha256.txt"]
)
def test_a_bag_that_is_not_as_it_was_signed_keeps_everything(
    bench: Bench, source: Path, name: str
) -> None:
    first, again = bench.dock(source), bench.dock(source)
    rot(bench.bag(first) / name)

    Clearing(bench, source).of(again)

    require_untouched(bench, again, source, "is not signed")


def test_a_bag_whose_own_files_were_all_written_anew_keeps_everything(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    bag = bench.bag(docking)
    rot(bag / "inventory.jsonl")
    tags = {name: (bag / name).read_bytes() for name in manifest.TAGS}
    signed = bag / manifest.TAG_MANIFEST
    signed.chmod(0o600)
    signed.write_text(manifest.tag_manifest(tags))

    Clearing(bench, source).of(docking)

    require_untouched(bench, docking, source, "is not signed")


def test_a_hold_on_any_docking_that_lists_the_file_keeps_everything(
    bench: Bench, source: Path
) -> None:
    bench.dock(source)
    between = bench.dock(source)
    last = bench.dock(source)
    hold(bench, between)

    Clearing(bench, source).of(last)

    require_untouched(bench, last, source, "on hold")


def test_a_hold_on_a_docking_whose_copy_was_made_anew_keeps_everything(
    bench: Bench, source: Path
) -> None:
    first = bench.dock(source)
    for name in SIZES:
        rot(bench.bag(first) / "data" / name)
    bench.dock(source)
    last = bench.dock(source)
    hold(bench, first)

    Clearing(bench, source).of(last)

    require_untouched(bench, last, source, "on hold")


def test_a_hold_on_any_docking_that_lists_the_file_is_heard_while_files_go(
    bench: Bench, source: Path
) -> None:
    bench.dock(source)
    between = bench.dock(source)
    last = bench.dock(source)

    def order(said: Said) -> None:
        if isinstance(said, Agreed):
            hold(bench, between)

    Clearing(bench, source, then=order).of(last)

    assert len(digests(source)) == len(SIZES)


def test_of_a_docking_it_is_known_how_much_may_be_gone(
    bench: Bench, source: Path
) -> None:
    first, last = bench.dock(source), bench.dock(source)
    assert may_be_gone(bench.conn, first.id) == 0

    Clearing(bench, source).of(last)

    assert may_be_gone(bench.conn, first.id) == len(SIZES)
    assert may_be_gone(bench.conn, last.id) == len(SIZES)
