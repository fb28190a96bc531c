"""Whatever happens in the midst of an erase, and what is said of it."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from dock_agent.bays.machine import Failed
from dock_agent.errors import StoreError
from dock_agent.offload.messages import Agreed, Looked, Said
from dock_agent.offload.root import Root
from dock_agent.recording import (
    ClearState,
)
from dock_agent.store import (
    erasures,
)
from dock_agent.store.db import transaction
from support.bench import Bench
from support.cards import card, digests
from support.erasing import (
    SIZES,
    Clearing,
    bench,
    give_other_bytes,
    half_erased,
    record_more,
    source,
    told,
)
from support.erasing import erasures as recorded

__all__ = ["bench", "source"]


def test_a_file_that_appears_after_the_intent_is_left_and_its_camera_never_green(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    def write(said: Said) -> None:
        if isinstance(said, Agreed):
            record_more(source)

    why = Clearing(bench, source, then=write).of(docking)

    assert digests(source).keys() == {b"DCIM/9999.MP4"}
    assert why is not None
    assert "dock it again" in why
    assert isinstance(bench.events[-1], Failed)
    assert erasures.state(bench.conn, docking.id) is ClearState.FAILED


def test_a_camera_that_wrote_is_never_green_although_the_database_fails_too(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    def fail(said: Said) -> None:
        if isinstance(said, Agreed):
            record_more(source)
        if isinstance(said, Looked):
            bench.conn.execute(
                "CREATE TEMP TRIGGER refuses BEFORE UPDATE ON erasure"
                " BEGIN SELECT RAISE (ABORT, 'no'); END"
            )

    Clearing(bench, source, before=fail).of(docking)

    assert isinstance(bench.events[-1], Failed)
    assert set(recorded(bench, docking.id).values()) == {"intended"}


def test_a_link_in_place_of_a_file_is_not_followed_and_stops_the_erase(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    other = card(tmp_path / "elsewhere", {"evidence.MP4": 999})
    docking = bench.dock(source)

    def plant(said: Said) -> None:
        if isinstance(said, Agreed):
            (source / "DCIM/0002.MP4").unlink()
            (source / "DCIM/0002.MP4").symlink_to(other / "evidence.MP4")

    why = Clearing(bench, source, then=plant).of(docking)

    assert why is not None
    assert digests(other).keys() == {b"evidence.MP4"}
    assert (source / "DCIM/0002.MP4").is_symlink()
    assert (source / "DCIM/0004.MP4").exists()
    states = recorded(bench, docking.id)
    assert states["DCIM/0001.MP4"] == "erased"
    assert states["DCIM/0002.MP4"] == states["DCIM/0004.MP4"] == "kept"


def test_a_link_in_place_of_a_directory_leads_nowhere(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    docking = bench.dock(source)

    def plant(said: Said) -> None:
        if isinstance(said, Agreed):  # to the very files that were listed
            (source / "DCIM").rename(tmp_path / "aside")
            (source / "DCIM").symlink_to(tmp_path / "aside")

    why = Clearing(bench, source, then=plant).of(docking)

    assert why is not None
    assert len(digests(tmp_path / "aside")) == 5
    states = recorded(bench, docking.id)
    assert "erased" not in states.values(), "nothing was removed"
    assert states["LOG/1.LOG"] == "kept"
    assert told(bench, docking.id, "camera cleared") == []


def test_another_file_of_that_name_and_size_is_left(bench: Bench, source: Path) -> None:
    docking = bench.dock(source)

    def exchange(said: Said) -> None:
        if isinstance(said, Agreed):
            give_other_bytes(source.parent / "card")
            path = source / "DCIM/0002.MP4"
            facts = path.stat()
            fresh = path.with_name("fresh")
            shutil.copy2(path, fresh)
            fresh.replace(path)
            assert path.stat().st_size == facts.st_size

    why = Clearing(bench, source, then=exchange).of(docking)

    assert why is not None
    assert b"DCIM/0002.MP4" in digests(source)
    assert recorded(bench, docking.id)["DCIM/0002.MP4"] == "kept"


def test_other_files_are_untouched_to_the_last_byte(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    docking = bench.dock(source)
    others = {f"DCIM/{n}.MP4": 900 + n for n in range(40)} | {"LOG/2.LOG": 3}
    before = digests(card(tmp_path / "like", others))

    def fill(said: Said) -> None:
        if isinstance(said, Agreed):
            card(source, others)

    Clearing(bench, source, then=fill).of(docking)

    assert digests(source) == before
    assert set(recorded(bench, docking.id).values()) == {"erased"}


def test_something_that_was_to_stay_and_vanishes_is_told_of(
    bench: Bench, source: Path
) -> None:
    (source / "note").symlink_to("DCIM")
    docking = bench.dock(source)

    def vanish(said: Said) -> None:
        if isinstance(said, Agreed):
            (source / "note").unlink()

    why = Clearing(bench, source, then=vanish).of(docking)

    assert why is not None
    assert "note: it was to stay, and is not as it was" in why
    assert told(bench, docking.id, "camera cleared") == []


def test_a_camera_that_was_exchanged_between_the_phases_is_not_touched(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    docking = bench.dock(source)
    root = Root.of(source.stat())
    other = card(tmp_path / "other", SIZES)
    before = digests(other)

    def exchange(said: Said) -> None:
        if isinstance(said, Agreed):
            source.rename(tmp_path / "taken-out")
            other.rename(source)

    Clearing(bench, source, root=root, then=exchange).of(docking)

    assert digests(source) == before
    assert erasures.state(bench.conn, docking.id) is ClearState.INTERRUPTED
    assert set(recorded(bench, docking.id).values()) == {"intended"}


def test_no_docking_is_called_cleared_while_a_file_is_not_known_to_be_gone(
    bench: Bench, source: Path
) -> None:
    docking = half_erased(bench, source, len(SIZES))
    assert digests(source) == {}

    with transaction(bench.conn) as conn, pytest.raises(StoreError):
        erasures.cleared(conn, docking.id, bench.clock.now())


def test_what_was_erased_is_never_forgotten(bench: Bench, source: Path) -> None:
    half_erased(bench, source, 2)

    with pytest.raises(sqlite3.IntegrityError, match="never forgotten"):
        bench.conn.execute("DELETE FROM erasure")


def test_an_erase_is_tried_once_in_a_docking(bench: Bench, source: Path) -> None:
    docking = bench.dock(source)
    record_more(source)
    Clearing(bench, source).of(docking)
    (source / "DCIM/9999.MP4").unlink()

    why = Clearing(bench, source).of(docking)

    assert why == "it was tried in this docking already"
    assert digests(source).keys() == {os.fsencode(name) for name in SIZES}


def test_nothing_is_called_erased_before_a_look_says_so(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    at_look: list[set[str]] = []

    def note(said: Said) -> None:
        if isinstance(said, Looked):
            at_look.append(set(recorded(bench, docking.id).values()))

    Clearing(bench, source, before=note).of(docking)

    assert at_look == [{"intended"}]
