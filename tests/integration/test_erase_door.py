"""A camera that may only be read is opened for its erase, and shut again. As root."""

import errno
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dock_agent.bays.machine import Cleared, Failed
from dock_agent.offload.erase.card import NOWHERE, WritableCard
from dock_agent.offload.messages import Found
from dock_agent.offload.source import Wanted, camera_errors
from dock_agent.recording import ClearState
from dock_agent.store import erasures
from dock_agent.store.dockings import Docking
from support.bench import Bench
from support.cards import digests
from support.disks import MAY_MOUNT
from support.erasing import Clearing, bench, require_intents, told
from support.erasing import erasures as recorded
from support.opening import Opener, loop, mount, opener, umount
from support.process import wait_until

pytestmark = pytest.mark.skipif(not MAY_MOUNT, reason="mounting needs root")
__all__ = ["bench"]
SIZES = {f"DCIM/{n:04d}.MP4": 5000 + n for n in range(5)}


@pytest.fixture
def pid1(tmp_path: Path) -> Iterator[Opener]:
    with opener(tmp_path, SIZES) as made:
        yield made


def clear(
    bench: Bench, pid1: Opener, docking: Docking, card: type[WritableCard]
) -> str | None:
    return Clearing(bench, pid1.reading, card=card, door=pid1.door()).of(docking)


def require_all_there(bench: Bench, pid1: Opener, docking: Docking) -> None:
    """Fail unless every file is on the camera, none is called erased, it is shut."""
    assert len(digests(pid1.reading)) == len(SIZES)
    assert told(bench, docking.id, "erased") == []
    assert told(bench, docking.id, "camera cleared") == []
    assert not pid1.wish.exists()
    assert not pid1.writing.is_mount()


def test_a_camera_is_opened_only_once_the_intent_is_on_record_and_is_shut_again(
    bench: Bench, pid1: Opener
) -> None:
    docking, before = bench.dock(pid1.reading), digests(pid1.reading)
    on_record: list[int] = []

    def count() -> None:
        with closing(bench.connect()) as conn:
            ask = "SELECT count(*) FROM erasure WHERE state = 'intended'"
            on_record.append(conn.execute(ask).fetchone()[0])

    pid1.wished = count
    why = clear(bench, pid1, docking, WritableCard)

    assert why is None
    assert on_record == [len(SIZES)]
    assert set(recorded(bench, docking.id).values()) == {"erased"}
    assert digests(pid1.reading) == {}
    assert not pid1.wish.exists()
    assert os.statvfs(pid1.reading).f_flag & os.ST_RDONLY
    require_intents(bench, before)


def test_a_door_that_is_refused_keeps_everything_and_says_why(
    bench: Bench, pid1: Opener
) -> None:
    docking = bench.dock(pid1.reading)
    pid1.refusal = "its file system was not closed\n"

    why = clear(bench, pid1, docking, WritableCard)

    assert why == "its file system was not closed"
    require_all_there(bench, pid1, docking)
    assert set(recorded(bench, docking.id).values()) == {"kept"}
    assert erasures.state(bench.conn, docking.id) is ClearState.FAILED
    assert isinstance(bench.events[-1], Cleared), "the footage is safe"


def test_a_card_that_is_written_before_it_is_opened_keeps_everything(
    bench: Bench, pid1: Opener, tmp_path: Path
) -> None:
    docking, elsewhere = bench.dock(pid1.reading), tmp_path / "elsewhere"
    elsewhere.mkdir()

    def record() -> None:
        mount(pid1.device, elsewhere, ("rw",))
        (elsewhere / "DCIM/0003.MP4").write_bytes(b"more footage")
        umount(elsewhere)

    pid1.meanwhile = record
    why = clear(bench, pid1, docking, WritableCard)

    assert why is not None
    assert "it was to stay" in why or "was written while it was opened" in why
    require_all_there(bench, pid1, docking)
    assert isinstance(bench.events[-1], Failed), "its bay would be green"


def test_another_disk_behind_the_door_is_not_touched(
    bench: Bench, pid1: Opener, tmp_path: Path
) -> None:
    docking = bench.dock(pid1.reading)
    with loop(tmp_path / "other", SIZES) as pid1.instead:
        clear(bench, pid1, docking, WritableCard)

        mount(pid1.instead, pid1.writing, ("ro",))
        assert len(digests(pid1.writing)) == len(SIZES)
        umount(pid1.writing)
    require_all_there(bench, pid1, docking)


def test_a_door_through_which_links_could_be_followed_is_not_used(
    bench: Bench, pid1: Opener
) -> None:
    docking = bench.dock(pid1.reading)
    pid1.options = ("nodev", "nosuid", "noexec")

    why = clear(bench, pid1, docking, WritableCard)

    assert why is not None
    assert "without nosymfollow" in why
    require_all_there(bench, pid1, docking)


class Failing(WritableCard):
    """Removes with success, and fails when it is flushed."""

    def sync(self) -> None:
        with camera_errors(self, Wanted(b"the whole card", NOWHERE, 0, 0, 0, 0)):
            raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_behind_a_door_too_a_flush_that_fails_has_erased_nothing(
    bench: Bench, pid1: Opener
) -> None:
    docking = bench.dock(pid1.reading)

    why = clear(bench, pid1, docking, Failing)

    assert why == "the whole card: Input/output error"
    assert set(recorded(bench, docking.id).values()) == {"intended"}
    assert told(bench, docking.id, "erased") == []
    assert not pid1.wish.exists()


class Dying(WritableCard):
    """Its process is killed at the third file."""

    removed = 0

    def remove(self, found: Found) -> None:
        type(self).removed += 1
        if type(self).removed > 2:
            raise KeyboardInterrupt
        super().remove(found)


def test_whatever_ends_an_erase_the_wish_goes_and_the_next_docking_tells(
    bench: Bench, pid1: Opener
) -> None:
    docking = bench.dock(pid1.reading)

    with pytest.raises(KeyboardInterrupt):
        clear(bench, pid1, docking, Dying)
    wait_until(pid1.reading.is_mount)
    bench.dock(pid1.reading)

    assert not pid1.wish.exists()
    states = sorted(recorded(bench, docking.id).values())
    assert states == ["gone"] * 2 + ["kept"] * 3
