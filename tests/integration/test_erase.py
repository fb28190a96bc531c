"""Erase a docked folder: what goes, and what is on record of it."""

import os
from pathlib import Path

from dock_agent.bays.machine import Advanced, Cleared
from dock_agent.offload.erase.card import WritableCard
from dock_agent.offload.messages import Found
from dock_agent.recording import (
    ClearState,
    FileState,
)
from dock_agent.store import (
    custody,
    erasures,
)
from dock_agent.vault.verify import verify_bag
from dock_agent.vault.verify_rows import verify_rows
from support.bench import KEY, Bench
from support.cards import card, digests
from support.erasing import SIZES, Clearing, bench, require_intents, source, told
from support.erasing import erasures as recorded

__all__ = ["bench", "source"]


def test_what_is_sealed_goes_and_directories_stay(bench: Bench, source: Path) -> None:
    docking = bench.dock(source)
    before = digests(source)

    assert Clearing(bench, source).of(docking) is None

    assert digests(source) == {}
    assert sorted(p.name for p in source.iterdir()) == ["DCIM", "LOG"]
    assert set(recorded(bench, docking.id).values()) == {"erased"}
    assert erasures.state(bench.conn, docking.id) is ClearState.CLEARED
    require_intents(bench, before)


def test_the_log_tells_of_each_file_on_what_evidence(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    Clearing(bench, source).of(docking)

    intended = told(bench, docking.id, "erase intended")
    rows = bench.files(docking)
    assert {line["facts"]["file"] for line in intended} == set(SIZES)
    for line in intended:
        facts, row = line["facts"], rows[line["facts"]["file"]]
        assert line["actor"] == "station, after_verified"
        assert facts["sha256"] == row.sha256
        assert facts["copy"]["docking"] == docking.id
        assert facts["copy"]["method"] in {"direct", "dropped"}
    assert len(told(bench, docking.id, "erased")) == len(SIZES)
    assert len(told(bench, docking.id, "camera cleared")) == 1
    assert custody.check(bench.conn).seq > 0


def test_the_vault_and_its_rows_are_as_they_were(bench: Bench, source: Path) -> None:
    docking = bench.dock(source)
    before = digests(bench.bag(docking))

    Clearing(bench, source).of(docking)

    bag = bench.bag(docking)
    assert digests(bag) == before
    assert verify_bag(bench.disk, bag, docking.id, KEY.public).failed == []
    sound = verify_rows(bench.conn, bench.disk, bench.vault, bench.docking(docking.id))
    assert sound.failed == []


def test_the_intent_is_on_record_before_the_first_file_goes(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    seen: list[tuple[int, int]] = []

    class Watching(WritableCard):
        def remove(self, found: Found) -> None:
            with_intent = len(told(bench, docking.id, "erase intended"))
            seen.append((with_intent, len(digests(source))))
            super().remove(found)

    assert Clearing(bench, source, card=Watching).of(docking) is None

    assert seen[0] == (len(SIZES), len(SIZES))
    assert len(seen) == len(SIZES)


def test_progress_is_told_and_the_last_word_is_that_it_is_over(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    Clearing(bench, source).of(docking)

    assert Advanced(len(SIZES), sum(SIZES.values())) in bench.events
    assert bench.events[-1] == Cleared()


def test_names_that_are_no_text_and_names_that_differ_by_case_go_each_by_itself(
    bench: Bench, tmp_path: Path
) -> None:
    source = card(tmp_path / "card", {"DCIM/a.MP4": 10, "DCIM/A.MP4": 11, "b/B": 0})
    odd = os.fsencode(source) + b"/DCIM/not-utf8-\xff\xfe.MP4"
    Path(os.fsdecode(odd)).write_bytes(b"footage")
    docking = bench.dock(source)

    assert Clearing(bench, source).of(docking) is None

    assert digests(source) == {}
    raw = {line["facts"]["raw_name"] for line in told(bench, docking.id, "erased")}
    assert len(raw) == 4


def test_links_and_pipes_stay_where_they_are_and_lead_nowhere(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    other = card(tmp_path / "elsewhere", {"evidence.MP4": 999})
    (source / "DCIM/link.MP4").symlink_to(other / "evidence.MP4")
    (source / "folder").symlink_to(other)
    os.mkfifo(source / "pipe")
    docking = bench.dock(source)

    assert Clearing(bench, source).of(docking) is None

    left = {str(path.relative_to(source)) for path in source.rglob("*")}
    assert left == {"DCIM", "LOG", "DCIM/link.MP4", "folder", "pipe"}
    assert digests(other) == {b"evidence.MP4": digests(other)[b"evidence.MP4"]}
    assert (other / "evidence.MP4").stat().st_size == 999


def test_what_an_earlier_docking_holds_goes_by_that_copy(
    bench: Bench, source: Path
) -> None:
    first = bench.dock(source)
    again = bench.dock(source)
    assert {f.state for f in bench.files(again).values()} == {FileState.HELD}

    assert Clearing(bench, source).of(again) is None

    assert digests(source) == {}
    (line, *_) = told(bench, again.id, "erase intended")
    assert line["facts"]["copy"]["docking"] == first.id
