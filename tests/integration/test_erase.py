"""Erase a docked folder: what goes, what stays, and what is on record of it."""

import errno
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent.bays.machine import Advanced, Cleared, Failed
from dock_agent.errors import StoreError
from dock_agent.offload.erase.card import WritableCard
from dock_agent.offload.messages import Agreed, Found, Looked, Said
from dock_agent.offload.root import Root
from dock_agent.offload.scan import MountedSource
from dock_agent.recording import (
    CameraId,
    ClearState,
    DockingState,
    FileState,
    Policy,
    Proof,
)
from dock_agent.simulated.clock import ManualClock
from dock_agent.store import (
    confirmations,
    custody,
    dockings,
    erasures,
    holds,
    transfers,
)
from dock_agent.store.confirmations import Confirmed
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Docking
from dock_agent.store.holds import Hold
from dock_agent.store.transfers import Claim
from dock_agent.vault.verify import verify_bag
from dock_agent.vault.verify_rows import verify_rows
from support.bench import CLOUD, KEY, Bench
from support.cards import card, content, digests
from support.erasing import CONFIRMED, RULE, Clearing, require_intents, told
from support.erasing import erasures as recorded

SIZES = {f"DCIM/{n:04d}.MP4": 5000 + n for n in range(5)} | {"LOG/1.LOG": 100}


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
    assert digests(source).keys() >= {os.fsencode(name) for name in SIZES}
    assert recorded(bench, docking.id) == {}
    assert told(bench, docking.id, "erase intended") == []
    (refused,) = told(bench, docking.id, "erase refused")
    assert why in refused["facts"]["reason"]


def confirm_all(bench: Bench, proof: Proof = Proof.READ_BACK) -> None:
    """Have the destination prove everything that waits for it."""
    at = bench.clock.now()
    while True:
        with transaction(bench.conn) as conn:
            wish = Claim(CLOUD, "worker", at.utc, timedelta(minutes=1))
            claimed = transfers.claim(conn, wish)
            if claimed is None:
                return
            confirmed = Confirmed(proof, claimed.sha256)
            confirmations.confirm(conn, claimed, confirmed, at)


# ---- what goes ------------------------------------------------------------------


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


# ---- what keeps it --------------------------------------------------------------


def test_a_camera_whose_policy_or_profile_says_never_is_left_alone(
    bench: Bench, source: Path
) -> None:
    first, second = bench.dock(source), bench.dock(source)

    Clearing(bench, source, replace(RULE, policy=Policy.NEVER)).of(first)
    Clearing(bench, source, replace(RULE, may_erase=False)).of(second)

    require_untouched(bench, first, source, "never")
    require_untouched(bench, second, source, "may_erase")


def test_a_docking_that_missed_a_file_keeps_all_of_them(
    bench: Bench, source: Path
) -> None:
    deep = source.joinpath(*["d"] * 18)
    deep.mkdir(parents=True)
    docking = bench.dock(source)

    Clearing(bench, source).of(docking)

    assert docking.complete is False
    require_untouched(bench, docking, source, "not complete")


def test_a_docking_on_hold_keeps_all_of_them(bench: Bench, source: Path) -> None:
    docking = bench.dock(source)
    hold(bench, docking)

    Clearing(bench, source).of(docking)

    require_untouched(bench, docking, source, "on hold")


def test_a_hold_on_the_docking_that_holds_the_copy_keeps_all_of_them(
    bench: Bench, source: Path
) -> None:
    hold(bench, bench.dock(source))
    again = bench.dock(source)

    Clearing(bench, source).of(again)

    require_untouched(bench, again, source, "on hold")


def test_a_hold_that_is_placed_while_the_camera_is_read_again_is_heard(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    def order(said: Said) -> None:
        if isinstance(said, Agreed):
            hold(bench, docking)

    Clearing(bench, source, before=order).of(docking)

    require_untouched(bench, docking, source, "on hold")


def test_after_confirmed_waits_for_every_file_and_takes_no_less(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    assert not erasures.ripe(bench.conn, docking.id, {CLOUD})

    Clearing(bench, source, CONFIRMED).of(docking)

    require_untouched(bench, docking, source, "cloud has not proved it")


def test_after_confirmed_goes_once_everything_is_proved(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    confirm_all(bench)
    assert erasures.ripe(bench.conn, docking.id, {CLOUD})

    assert Clearing(bench, source, CONFIRMED).of(docking) is None

    assert digests(source) == {}
    (line, *_) = told(bench, docking.id, "erase intended")
    assert line["facts"]["proofs"] == {"cloud": "read-back"}
    assert not erasures.ripe(bench.conn, docking.id, {CLOUD})


def test_a_camera_that_left_before_it_was_confirmed_is_cleared_at_its_next_docking(
    bench: Bench, source: Path
) -> None:
    bench.dock(source)
    confirm_all(bench)
    again = bench.dock(source)
    confirm_all(bench)

    assert erasures.ripe(bench.conn, again.id, {CLOUD})
    assert Clearing(bench, source, CONFIRMED).of(again) is None
    assert digests(source) == {}


def test_what_was_read_from_memory_only_confirms_nothing(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    confirm_all(bench, Proof.CACHED)

    Clearing(bench, source, CONFIRMED).of(docking)

    require_untouched(bench, docking, source, "cloud has not proved it")


def test_what_a_destination_has_something_to_say_against_is_not_proved_there(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    confirm_all(bench)
    bench.conn.execute(
        "UPDATE transfer SET failure = 'the place rejected it' WHERE id ="
        " (SELECT max(id) FROM transfer WHERE file IS NOT NULL)"
    )

    assert not erasures.ripe(bench.conn, docking.id, {CLOUD})
    Clearing(bench, source, CONFIRMED).of(docking)

    require_untouched(bench, docking, source, "cloud has not proved it")


def test_a_file_that_was_withdrawn_is_not_proved(bench: Bench, source: Path) -> None:
    docking = bench.dock(source)
    confirm_all(bench)
    bench.conn.execute(
        "UPDATE transfer SET state = 'withdrawn' WHERE id ="
        " (SELECT max(id) FROM transfer WHERE file IS NOT NULL)"
    )

    assert not erasures.ripe(bench.conn, docking.id, {CLOUD})
    Clearing(bench, source, CONFIRMED).of(docking)

    require_untouched(bench, docking, source, "cloud has not proved it")


def test_a_copy_that_is_not_in_the_vault_any_more_keeps_all_of_them(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    (bench.bag(docking) / "data/DCIM/0003.MP4").unlink()

    Clearing(bench, source).of(docking)

    require_untouched(bench, docking, source, "not in the vault")


def test_a_file_that_the_camera_had_to_read_twice_keeps_all_of_them(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source, Hesitant)
    assert bench.files(docking)["DCIM/0000.MP4"].retries == 1

    Clearing(bench, source).of(docking)

    require_untouched(bench, docking, source, "did not read it at once")


class Hesitant(MountedSource):
    """Its first reading fails."""

    failed = False

    def read(self, fd: int, buffer: memoryview) -> int:
        if not self.failed:
            self.failed = True
            raise OSError(errno.EIO, "Input/output error")
        return super().read(fd, buffer)


def test_a_bag_without_its_signature_keeps_all_of_them(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)
    (bench.bag(docking) / "tagmanifest.sig").unlink()

    Clearing(bench, source).of(docking)

    require_untouched(bench, docking, source, "not signed")


def test_another_camera_or_another_directory_in_its_place_keeps_all_of_them(
    bench: Bench, source: Path, tmp_path: Path
) -> None:
    first, second = bench.dock(source), bench.dock(source)
    other = Root.of(card(tmp_path / "other", SIZES).stat())

    Clearing(bench, source, camera=CameraId("KT-Z1:7")).of(first)
    Clearing(bench, source, root=other).of(second)

    require_untouched(bench, first, source, "another camera")
    require_untouched(bench, second, source, "another camera")


def test_a_clock_that_was_set_back_since_the_seal_keeps_all_of_them(
    tmp_path: Path, source: Path
) -> None:
    bench = Bench(tmp_path, clock=(clock := ManualClock()))
    docking = bench.dock(source)
    clock.advance(timedelta(days=-2))

    Clearing(bench, source).of(docking)

    require_untouched(bench, docking, source, "clock")
    bench.close()


def test_a_second_name_of_a_file_keeps_all_of_them(bench: Bench, source: Path) -> None:
    os.link(source / "DCIM/0001.MP4", source / "DCIM/zz.MP4")
    docking = bench.dock(source)

    Clearing(bench, source).of(docking)

    require_untouched(bench, docking, source, "second name")


# ---- the camera is not as it was offloaded --------------------------------------


def test_a_camera_that_is_not_as_it_was_offloaded_keeps_everything(
    bench: Bench, tmp_path: Path
) -> None:
    for number, (change, why) in enumerate(CHANGES):
        source = card(tmp_path / f"card-{number}", SIZES)
        camera = CameraId(f"KT-Z3:{number}")
        docking = dock(bench, source, camera)
        change(source)
        now = digests(source)

        Clearing(bench, source, camera=camera).of(docking)

        assert digests(source) == now
        assert recorded(bench, docking.id) == {}
        (line,) = told(bench, docking.id, "erase refused")
        assert why in line["facts"]["reason"]
        assert isinstance(bench.events[-1], Failed), "its bay would be green"


def _new(source: Path) -> None:
    (source / "DCIM/9999.MP4").write_bytes(b"new footage")


def _grown(source: Path) -> None:
    with (source / "DCIM/0002.MP4").open("ab") as file:
        file.write(b"more")


def _gone(source: Path) -> None:
    (source / "DCIM/0002.MP4").unlink()


def _other_bytes(source: Path) -> None:
    path = source / "DCIM/0002.MP4"
    facts = path.stat()
    path.write_bytes(content("other", facts.st_size))
    os.utime(path, ns=(facts.st_mtime_ns, facts.st_mtime_ns))


def _other_time(source: Path) -> None:
    os.utime(source / "DCIM/0002.MP4", ns=(1, 1))


def _other_case(source: Path) -> None:
    (source / "DCIM/0002.MP4").rename(source / "DCIM/0002.mp4")


def _a_link(source: Path) -> None:
    path = source / "DCIM/0002.MP4"
    path.unlink()
    path.symlink_to("0001.MP4")


CHANGES = (
    (_new, "it was not there when the camera was offloaded"),
    (_grown, "it is not what was offloaded"),
    (_gone, "it is no longer there"),
    (_other_bytes, "other bytes"),
    (_other_time, "it is not what was offloaded"),
    (_other_case, "it is no longer there"),
    (_a_link, "it is not what was offloaded"),
)


def dock(bench: Bench, source: Path, camera: CameraId) -> Docking:
    job = bench.job(source, camera)
    bench.offload(job)
    return bench.docking(job.docking)


def hold(bench: Bench, docking: Docking) -> None:
    with transaction(bench.conn) as conn:
        holds.place(conn, Hold(docking.id, "A. Judge", "case 7"), bench.clock.now())


def test_a_file_that_appears_while_the_camera_is_read_again_keeps_everything(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    class Writing(WritableCard):
        def read(self, fd: int, buffer: memoryview) -> int:
            _new(source)
            return super().read(fd, buffer)

    Clearing(bench, source, card=Writing).of(docking)

    require_untouched(bench, docking, source, "DCIM/9999.MP4: it was not there")
    assert isinstance(bench.events[-1], Failed)


# ---- in the midst of it ---------------------------------------------------------


def test_a_file_that_appears_after_the_intent_is_left_and_its_camera_never_green(
    bench: Bench, source: Path
) -> None:
    docking = bench.dock(source)

    def write(said: Said) -> None:
        if isinstance(said, Agreed):
            _new(source)

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
            _new(source)
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
            _other_bytes(source.parent / "card")
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
    _new(source)
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


# ---- the next docking -----------------------------------------------------------


class Dies(BaseException):
    """The agent was killed."""


def half_erased(bench: Bench, source: Path, after: int) -> Docking:
    """Dock, and kill the agent once `after` files were removed."""
    docking, left = bench.dock(source), [after]

    class Deadly(WritableCard):
        def sync(self) -> None:
            raise Dies

        def remove(self, found: Found) -> None:
            if not left[0]:
                raise Dies
            left[0] -= 1
            super().remove(found)

    with pytest.raises(Dies):
        Clearing(bench, source, card=Deadly).of(docking)
    return docking


def test_a_half_done_erase_is_settled_by_looking_at_the_next_docking(
    bench: Bench, source: Path
) -> None:
    first = half_erased(bench, source, 2)

    again = bench.dock(source)

    states = sorted(recorded(bench, first.id).items())
    assert [state for _, state in states] == ["gone"] * 2 + ["kept"] * 4
    assert len(told(bench, first.id, "found gone")) == 2
    assert erasures.state(bench.conn, first.id) is ClearState.INTERRUPTED
    assert again.complete is True
    assert {f.state for f in bench.files(again).values()} == {FileState.HELD}


def test_after_a_half_done_erase_nothing_is_owed_copied_twice_or_sealed_as_missing(
    bench: Bench, source: Path
) -> None:
    before = digests(source)
    half_erased(bench, source, 3)

    again = bench.dock(source)

    assert bench.docking(again.id).state is DockingState.SEALED
    assert FileState.MISSED not in {f.state for f in bench.files(again).values()}
    assert dockings.unfinished(bench.conn) == []
    held = [f for f in bench.files(again).values() if f.state is FileState.HELD]
    assert len(held) == len(SIZES) - 3
    require_intents(bench, before)


def test_after_a_half_done_erase_the_rest_goes_by_the_whole_procedure_anew(
    bench: Bench, source: Path
) -> None:
    half_erased(bench, source, 3)
    again = bench.dock(source)

    assert Clearing(bench, source).of(again) is None

    assert digests(source) == {}
    assert len(told(bench, again.id, "erase intended")) == len(SIZES) - 3


def test_a_camera_that_recorded_since_a_half_done_erase_is_offloaded_first(
    bench: Bench, source: Path
) -> None:
    half_erased(bench, source, 3)
    _new(source)

    again = bench.dock(source)

    assert bench.files(again)["DCIM/9999.MP4"].state is FileState.VERIFIED
    assert Clearing(bench, source).of(again) is None


def test_a_new_file_of_an_erased_ones_name_does_not_make_it_still_there(
    bench: Bench, source: Path
) -> None:
    first = half_erased(bench, source, 2)
    (source / "DCIM/0000.MP4").write_bytes(b"the numbers begin anew")

    again = bench.dock(source)

    assert recorded(bench, first.id)["DCIM/0000.MP4"] == "gone"
    assert bench.files(again)["DCIM/0000.MP4"].state is FileState.VERIFIED


class Stubborn(WritableCard):
    """Removes with success, and has everything still."""

    def remove(self, found: Found) -> None:
        """Do as if."""


def test_a_file_that_is_still_there_after_two_erases_is_left_to_a_person(
    bench: Bench, source: Path
) -> None:
    for _ in range(2):
        docking = bench.dock(source)
        why = Clearing(bench, source, card=Stubborn).of(docking)
        assert why == f"{len(SIZES)} files are still on the camera"
        assert isinstance(bench.events[-1], Cleared), "what is on it is safe"
    third = bench.dock(source)

    why = Clearing(bench, source).of(third)

    assert why is not None
    assert "could not be removed" in why
    require_untouched(bench, third, source, "could not be removed")
