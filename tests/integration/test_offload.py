"""A whole docking on a real file system, in the caller's thread."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent.bays.machine import Failed, Listed, Lost, OutOfRoom, Sealed
from dock_agent.offload.clerk import Terms
from dock_agent.offload.messages import AllCopied, Found
from dock_agent.offload.parent import Limits, ProcessOffloader
from dock_agent.offload.root import Root
from dock_agent.offload.scan import MountedSource
from dock_agent.offload.settle import StillWritten
from dock_agent.recording import DockingState, FileState, TransferState
from dock_agent.simulated.dock import StoryDisk
from dock_agent.store import backlog, custody, dockings, files
from dock_agent.vault.layout import PART
from dock_agent.vault.lock import lock_bag
from dock_agent.vault.verify import verify_bag
from support.bench import BAY, CAMERA, KEY, Bench
from support.cards import NAMES, card, content, digests, hostile
from support.process import Ending

SIZES = {
    "VIDEO/0001.MP4": 20 << 20,
    "VIDEO/0001.NMEA": 4150,
    "VIDEO/0002.MP4": (8 << 20) + 1,
    "PHOTO/0001.JPG": 18_000,
    "LOG/empty.LOG": 0,
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    return card(tmp_path / "card", SIZES)


def test_everything_on_the_camera_is_verified_and_sealed(
    bench: Bench, camera: Path
) -> None:
    docking = bench.dock(camera)

    kept = bench.files(docking)
    assert docking.state is DockingState.SEALED
    assert docking.complete
    assert {f.state for f in kept.values()} == {FileState.VERIFIED}
    assert digests(bench.bag(docking) / "data") == digests(camera)
    assert bench.events[-1] == Sealed(len(SIZES))


def test_the_camera_is_left_as_it_was(bench: Bench, camera: Path) -> None:
    before = {p: p.stat() for p in sorted(camera.rglob("*"))}

    bench.dock(camera)

    after = {p: p.stat() for p in sorted(camera.rglob("*"))}
    assert before.keys() == after.keys()
    for path, facts in before.items():
        assert facts.st_mtime_ns == after[path].st_mtime_ns
        assert facts.st_ctime_ns == after[path].st_ctime_ns


def test_copies_keep_their_time_and_cannot_be_written(
    bench: Bench, camera: Path
) -> None:
    docking = bench.dock(camera)

    for name in SIZES:
        facts = (bench.bag(docking) / "data" / name).stat()
        assert facts.st_mtime_ns == (camera / name).stat().st_mtime_ns
        assert facts.st_mode & 0o777 == 0o440


def test_the_parts_that_sync_will_sign_were_taken_on_the_way(
    bench: Bench, camera: Path
) -> None:
    docking = bench.dock(camera)

    file = bench.files(docking)["VIDEO/0001.MP4"]
    whole = (camera / "VIDEO/0001.MP4").read_bytes()
    wanted = [
        hashlib.sha256(whole[at : at + (8 << 20)]).hexdigest()
        for at in range(0, len(whole), 8 << 20)
    ]
    assert list(files.parts(bench.conn, file.id)) == wanted


def test_the_same_card_again_copies_nothing_and_is_sealed(
    bench: Bench, camera: Path
) -> None:
    bench.dock(camera)

    again = bench.dock(camera)

    assert {f.state for f in bench.files(again).values()} == {FileState.HELD}
    assert again.complete
    assert [p.name for p in (bench.bag(again) / "data").iterdir()] == [
        "=held-sha256.txt"
    ]


@pytest.mark.parametrize("harm", ["rotten", "gone"])
def test_a_held_copy_that_is_no_longer_sound_is_made_again(
    bench: Bench, camera: Path, harm: str
) -> None:
    first = bench.dock(camera)
    copy = bench.bag(first) / "data/PHOTO/0001.JPG"
    if harm == "gone":
        copy.unlink()
    else:
        copy.chmod(0o600)
        copy.write_bytes(b"x" + copy.read_bytes()[1:])

    second = bench.dock(camera)

    again = bench.bag(second) / "data/PHOTO/0001.JPG"
    assert again.read_bytes() == (camera / "PHOTO/0001.JPG").read_bytes()
    assert bench.files(second)["PHOTO/0001.JPG"].state is FileState.VERIFIED
    assert bench.files(second)["VIDEO/0001.MP4"].state is FileState.HELD


def test_a_held_copy_that_can_no_longer_be_read_is_made_again(
    bench: Bench, camera: Path
) -> None:
    bench.dock(camera)
    disk = StoryDisk(bench.vault, 1 << 30)
    disk.unreadable.add("0001.JPG")
    bench.disk = disk

    class Healed(MountedSource):
        def open(self, path: bytes) -> int:
            if path == b"PHOTO/0001.JPG":
                disk.unreadable.clear()  # other blocks
            return super().open(path)

    second = bench.dock(camera, Healed)

    assert second.complete
    assert bench.files(second)["PHOTO/0001.JPG"].state is FileState.VERIFIED


def test_a_copy_whose_blocks_are_bad_costs_its_file_only(
    bench: Bench, camera: Path
) -> None:
    disk = StoryDisk(bench.vault, 1 << 30)
    disk.unreadable.add("0001.JPG")  # in the second pass: parts have other names
    bench.disk = disk

    docking = bench.dock(camera)

    states = {name: f.state for name, f in bench.files(docking).items()}
    assert docking.state is DockingState.SEALED
    assert not docking.complete
    assert states.pop("PHOTO/0001.JPG") is FileState.QUARANTINED
    assert set(states.values()) == {FileState.VERIFIED}
    assert isinstance(bench.events[-1], Failed)


def test_an_earlier_docking_that_still_has_no_room_for_its_seal_waits(
    bench: Bench, camera: Path
) -> None:
    bench.dies_at(camera, AllCopied, before=True)
    bench.disk = StoryDisk(bench.vault, 0)

    offloader = ProcessOffloader(
        bench.connect, bench.sealer, Limits(60, Terms(reserve=0))
    )
    ending = Ending()
    offloader.start(bench.job(camera), ending)

    assert isinstance(ending.wait(), OutOfRoom)
    offloader.close()


def test_nothing_rests_on_a_docking_that_is_not_sealed(
    bench: Bench, camera: Path
) -> None:
    open_still = bench.dies_at(camera, AllCopied, before=True)
    lock = lock_bag(bench.bag(open_still))  # as if its child still lived
    assert lock is not None

    with pytest.raises(StillWritten):
        bench.dock(camera)

    os.close(lock)
    assert [d.id for d in dockings.unfinished(bench.conn)] == [open_still.id]
    second = bench.dock(camera)
    states = {f.state for f in bench.files(second).values()}
    assert states == {FileState.HELD}  # by what the first had proved
    assert second.complete


def test_a_changed_file_under_an_old_name_is_copied_beside_the_old_one(
    bench: Bench, camera: Path
) -> None:
    first = bench.dock(camera)
    path = camera / "PHOTO/0001.JPG"
    facts = path.stat()
    path.write_bytes(content("another", 18_000)[:18_000])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))

    second = bench.dock(camera)

    assert bench.files(second)["PHOTO/0001.JPG"].state is FileState.VERIFIED
    old, new = (bench.bag(d) / "data/PHOTO/0001.JPG" for d in (first, second))
    assert old.read_bytes() != new.read_bytes()
    assert new.read_bytes() == path.read_bytes()


def test_hostile_entries_are_recorded_and_never_followed(
    bench: Bench, tmp_path: Path
) -> None:
    tree = hostile(tmp_path / "card")

    docking = bench.dock(tree)

    skipped = {
        f.stored: f.reason
        for f in bench.files(docking).values()
        if f.state is FileState.SKIPPED
    }
    assert skipped == {
        "DCIM/link.MP4": "symlink",
        "DCIM/pipe.MP4": "fifo",
        "DCIM/hard.MP4": "hard link",
        "folder": "symlink",
        "socket": "socket",
    }
    assert docking.complete


def test_hostile_names_keep_every_byte_of_name_and_content(
    bench: Bench, tmp_path: Path
) -> None:
    tree = hostile(tmp_path / "card")

    docking = bench.dock(tree)

    kept = {f.path: f for f in bench.files(docking).values()}
    for name in NAMES:
        file = kept[b"DCIM/" + name]
        stored = bench.bag(docking) / "data" / file.stored
        assert stored.read_bytes() == name
        assert stored.resolve().is_relative_to(bench.bag(docking).resolve())
    checked = verify_bag(bench.disk, bench.bag(docking), docking.id, KEY.public)
    assert checked.failed == []


def test_an_empty_camera_is_sealed_too(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "card").mkdir()

    docking = bench.dock(tmp_path / "card")

    assert docking.complete
    assert bench.events[-1] == Sealed(0)


def test_a_camera_that_is_not_there_is_not_an_empty_camera(
    bench: Bench, tmp_path: Path
) -> None:
    docking = bench.dock(tmp_path / "absent")

    assert docking.state is DockingState.INTERRUPTED
    assert isinstance(bench.events[-1], Lost)


def test_a_vault_without_room_refuses_before_the_first_byte(
    bench: Bench, camera: Path
) -> None:
    bench.disk = StoryDisk(bench.vault, 1 << 20)

    docking = bench.dock(camera)

    assert docking.state is DockingState.WAITING
    assert bench.events[-1] == OutOfRoom(sum(SIZES.values()))
    assert digests(bench.vault / "dockings") == {}


def test_a_vault_that_fills_up_has_to_grow_before_it_is_tried_again(
    bench: Bench, camera: Path
) -> None:
    disk = StoryDisk(bench.vault, 1 << 30)
    bench.disk = disk

    class Filling(MountedSource):
        def open(self, path: bytes) -> int:
            disk.capacity = disk.capacity - disk.free(bench.vault)  # by others
            return super().open(path)

    docking = bench.dock(camera, Filling)

    assert docking.state is DockingState.WAITING
    told = bench.events[-1]
    assert isinstance(told, OutOfRoom)
    assert told.needed > disk.free(bench.vault)


def test_the_reserve_stays_free_while_others_write_to_the_vault(
    bench: Bench, camera: Path
) -> None:
    disk = StoryDisk(bench.vault, 1 << 30)
    bench.disk = disk
    reserve = 100 << 20

    class Filling(MountedSource):
        def open(self, path: bytes) -> int:
            if path == b"VIDEO/0001.MP4":
                rest = disk.free(bench.vault)
                disk.capacity -= rest - reserve  # another bay's footage
            return super().open(path)

    docking = bench.dock(camera, Filling, reserve)

    states = {name: f.state for name, f in bench.files(docking).items()}
    assert docking.state is DockingState.WAITING
    assert states["VIDEO/0001.MP4"] is FileState.VERIFIED
    assert states["VIDEO/0002.MP4"] is FileState.LISTED


def test_files_verified_before_the_vault_was_full_stay_verified(
    bench: Bench, camera: Path
) -> None:
    disk = StoryDisk(bench.vault, 1 << 30)
    bench.disk = disk

    class Filling(MountedSource):
        def open(self, path: bytes) -> int:
            if path == b"VIDEO/0002.MP4":
                disk.capacity = 0
            return super().open(path)

    docking = bench.dock(camera, Filling)
    states = {name: f.state for name, f in bench.files(docking).items()}

    assert docking.state is DockingState.WAITING
    assert states["VIDEO/0001.MP4"] is FileState.VERIFIED
    assert states["VIDEO/0002.MP4"] is FileState.LISTED

    disk.capacity = 1 << 30
    again = bench.dock(camera)
    assert again.complete
    assert bench.files(again)["VIDEO/0001.MP4"].state is FileState.HELD


def test_a_seal_that_fails_is_never_taken_for_one(bench: Bench, camera: Path) -> None:
    disk = StoryDisk(bench.vault, 1 << 30)
    bench.disk = disk

    class Full(MountedSource):
        def scan(self) -> tuple[Found, ...]:
            found = super().scan()
            if (bench.vault / "dockings").exists():  # everything is copied by now
                disk.capacity = 0
            return found

    docking = bench.dock(camera, Full)

    assert docking.state is DockingState.WAITING
    assert isinstance(bench.events[-1], OutOfRoom)
    disk.capacity = 1 << 30
    assert bench.dock(camera).complete


def test_no_listed_file_is_left_out_of_the_count(bench: Bench, camera: Path) -> None:
    bench.dock(camera)

    size = sum(SIZES.values())
    assert Listed(len(SIZES), size, fresh=size) in bench.events


def test_every_file_and_every_file_of_the_bag_is_queued_and_the_seal_last(
    bench: Bench, camera: Path
) -> None:
    docking = bench.dock(camera)

    there = {
        str(p.relative_to(bench.vault))
        for p in bench.bag(docking).rglob("*")
        if p.is_file()
    }
    queued = {row["path"] for row in bench.conn.execute("SELECT path FROM transfer")}
    summed = backlog.queue(bench.conn, bench.clock.now().utc)
    lines = {line.state: line.count for line in summed}
    assert queued == there
    assert lines[TransferState.BLOCKED] == 1
    assert backlog.waiting(bench.conn).count == len(there)


def test_the_custody_log_tells_of_each_file_with_its_proof(
    bench: Bench, camera: Path
) -> None:
    docking = bench.dock(camera)

    log = custody.log(bench.conn)
    assert custody.check(bench.conn).seq == len(log.splitlines())
    for file in bench.files(docking).values():
        assert f'"sha256":"{file.sha256}"' in log
    assert '"kind":"sealed"' in log.splitlines()[-1]


def test_a_file_that_grew_since_the_listing_is_not_kept(
    bench: Bench, camera: Path
) -> None:
    class Growing(MountedSource):
        def open(self, path: bytes) -> int:
            if path == b"PHOTO/0001.JPG":
                with (camera / "PHOTO/0001.JPG").open("ab") as file:
                    file.write(b"more")
            return super().open(path)

    docking = bench.dock(camera, Growing)

    assert bench.files(docking)["PHOTO/0001.JPG"].state is FileState.MISSED
    assert not docking.complete
    assert not (bench.bag(docking) / "data/PHOTO/0001.JPG").exists()
    assert isinstance(bench.events[-1], Failed)


def test_a_file_that_appears_while_copying_is_taken_too(
    bench: Bench, camera: Path
) -> None:
    class Late(MountedSource):
        def open(self, path: bytes) -> int:
            if path == b"VIDEO/0002.MP4":
                card(camera, {"VIDEO/0003.MP4": 100})
            return super().open(path)

    docking = bench.dock(camera, Late)

    assert bench.files(docking)["VIDEO/0003.MP4"].state is FileState.VERIFIED
    assert docking.complete
    assert bench.events[-1] == Sealed(len(SIZES) + 1)


@pytest.mark.parametrize("when", ["before the second pass", "during it"])
def test_a_file_that_changes_after_it_was_verified_keeps_the_docking_open(
    bench: Bench, camera: Path, when: str
) -> None:
    scans = []

    class Rewritten(MountedSource):
        def scan(self) -> tuple[Found, ...]:
            scans.append(when)
            if len(scans) == (2 if when == "before the second pass" else 3):
                with (camera / "PHOTO/0001.JPG").open("ab") as file:
                    file.write(b"more")
            return super().scan()

    docking = bench.dock(camera, Rewritten)

    assert docking.state is DockingState.FAULT
    assert isinstance(bench.events[-1], Failed)
    assert "PHOTO/0001.JPG" in bench.events[-1].reason
    again = bench.dock(camera)
    assert again.complete
    assert (
        digests(bench.bag(again) / "data")[b"PHOTO/0001.JPG"]
        == (digests(camera)[b"PHOTO/0001.JPG"])
    )


def test_a_camera_that_never_stops_writing_is_never_sealed_as_whole(
    bench: Bench, camera: Path
) -> None:
    class Endless(MountedSource):
        def scan(self) -> tuple[Found, ...]:
            count = len(list((camera / "LOG").iterdir()))
            card(camera, {f"LOG/{count}": 10})
            return super().scan()

    docking = bench.dock(camera, Endless)

    assert docking.state is DockingState.FAULT
    assert isinstance(bench.events[-1], Failed)


def test_of_a_file_with_two_names_the_bytes_are_kept_once(
    bench: Bench, camera: Path
) -> None:
    os.link(camera / "VIDEO/0002.MP4", camera / "VIDEO/same.MP4")

    docking = bench.dock(camera)

    kept = bench.files(docking)
    assert kept["VIDEO/0002.MP4"].state is FileState.VERIFIED
    assert kept["VIDEO/same.MP4"].state is FileState.SKIPPED
    assert kept["VIDEO/same.MP4"].reason == "hard link"
    assert docking.complete


def test_another_camera_in_the_place_of_the_identified_one_is_not_read(
    bench: Bench, camera: Path, tmp_path: Path
) -> None:
    facts = camera.stat()
    camera.rename(tmp_path / "taken out")
    card(camera, {"VIDEO/9999.MP4": 10})

    docking = bench.dock(camera, lambda path: MountedSource(path, Root.of(facts)))

    assert docking.state is DockingState.INTERRUPTED
    assert bench.files(docking) == {}


def test_no_part_is_ever_left_behind(bench: Bench, camera: Path) -> None:
    bench.dock(camera)

    assert [p for p in bench.vault.rglob("*") if p.name.startswith(PART)] == []


def test_a_docking_names_its_camera_bay_and_station(bench: Bench, camera: Path) -> None:
    docking = bench.dock(camera)

    info = (bench.bag(docking) / "bag-info.txt").read_text("utf-8")
    assert f"Dock-Camera: {CAMERA}" in info
    assert f"Dock-Bay: {BAY}" in info
    assert "Dock-Station: bench" in info
    assert "Dock-Complete: true" in info
