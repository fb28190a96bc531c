"""Erase a docked folder: each of these keeps everything."""

import errno
import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from dock_agent.offload.messages import Agreed, Said
from dock_agent.offload.root import Root
from dock_agent.offload.scan import MountedSource
from dock_agent.recording import (
    CameraId,
    Policy,
    Proof,
)
from dock_agent.simulated.clock import ManualClock
from dock_agent.store import (
    erasures,
)
from support.bench import CLOUD, Bench
from support.cards import card, digests
from support.erasing import (
    CONFIRMED,
    RULE,
    SIZES,
    Clearing,
    bench,
    confirm_all,
    hold,
    require_untouched,
    source,
    told,
)

__all__ = ["bench", "source"]


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
