"""The vault is read again: what rotted is found, counts as no copy, and is healed."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dock_agent.custody import manifest
from dock_agent.errors import VaultUnusable
from dock_agent.recording import FileState
from dock_agent.simulated.disk import SimulatedDisk
from dock_agent.store import custody, files
from dock_agent.store.candidates import of_docking
from dock_agent.store.dockings import Docking
from dock_agent.vault.layout import MARKER, quarantine_path
from dock_agent.vault.real import RealDisk
from dock_agent.vault.verify import verify_bag
from dock_agent.vault.verify_rows import verify_rows
from support.bench import KEY, Bench
from support.cards import card
from support.disks import put
from support.scrubbed import Scrubbed, flip

SIZES = {"VIDEO/1.MP4": 300_000, "VIDEO/2.MP4": 7, "LOG/empty": 0}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def docking(bench: Bench, tmp_path: Path) -> Docking:
    docking = bench.dock(card(tmp_path / "card", SIZES))
    bench.conn.execute(  # as whoever opens the vault does
        "INSERT INTO station VALUES (?, ?)",
        (f"key {KEY.public.id}", KEY.public.pem().decode()),
    )
    return docking


@pytest.fixture
def scrubbed(bench: Bench, docking: Docking) -> Scrubbed:
    del docking
    return Scrubbed(bench)


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def lengthen(path: Path) -> None:
    os.truncate(path, path.stat().st_size + 1)


def link(path: Path) -> None:
    kept = path.parents[6] / "elsewhere"
    path.rename(kept)
    path.symlink_to(kept)


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


HARM: dict[str, Callable[[Path], object]] = {
    "is missing": Path.unlink,
    "has other bytes": lambda path: flip(path, 5),
    "has 299999 bytes": shorten,
    "has 300001 bytes": lengthen,
    "cannot be read: Too many": link,
    "cannot be read: Is a": directory,
}


def whole(bench: Bench, docking: Docking) -> list[object]:
    """Return what verify has against a docking."""
    disk, bag = RealDisk(), bench.bag(docking)
    alone = verify_bag(disk, bag, docking.id, KEY.public)
    held = verify_rows(bench.conn, disk, bench.vault, docking)
    return [*alone.failed, *held.failed]


def test_a_whole_vault_is_read_and_nothing_is_said(
    bench: Bench, docking: Docking, scrubbed: Scrubbed
) -> None:
    found = scrubbed.all()

    assert found == {}
    assert len(scrubbed.items()) == len(SIZES) + len(manifest.OWN)
    there = {path for path in bench.bag(docking).rglob("*") if path.is_file()}
    assert {bench.vault / path for path in scrubbed.items()} == there
    assert scrubbed.alerts() == []


@pytest.mark.parametrize("told", HARM)
def test_damage_is_on_record_and_is_no_copy_any_more(
    bench: Bench, docking: Docking, scrubbed: Scrubbed, told: str
) -> None:
    HARM[told](scrubbed.path("/1.MP4"))

    found = scrubbed.all()

    ((path, reason),) = found.items()
    assert (path[-6:], told in reason) == ("/1.MP4"[-6:], True)
    file = bench.files(docking)["VIDEO/1.MP4"]
    assert file.state is FileState.DAMAGED
    (event,) = scrubbed.told("damaged")
    assert (event["file"], event["reason"]) == ("VIDEO/1.MP4", reason)
    assert scrubbed.alerts() == [f"vault: {path} {reason}."]
    (candidate,) = [
        one for one in of_docking(bench.conn, docking.id) if one.file.id == file.id
    ]
    assert candidate.copy.state is not FileState.VERIFIED
    custody.check(bench.conn)


def test_what_is_damaged_is_copied_again_from_a_camera_that_still_has_it(
    bench: Bench, docking: Docking, scrubbed: Scrubbed, tmp_path: Path
) -> None:
    flip(scrubbed.path("/1.MP4"), 0)
    scrubbed.all()

    again = bench.dock(tmp_path / "card")
    healed = Scrubbed(bench).healer.run()

    assert bench.files(again)["VIDEO/1.MP4"].state is FileState.VERIFIED
    assert bench.files(again)["VIDEO/2.MP4"].state is FileState.HELD
    assert healed == 1
    assert whole(bench, docking) == whole(bench, again) == []
    (event,) = scrubbed.told("healed")
    assert "the same bytes in" in event["from"]


def test_what_is_said_once_is_not_said_again(scrubbed: Scrubbed) -> None:
    flip(scrubbed.path("/1.MP4"), 0)

    scrubbed.all()
    scrubbed.all()

    assert len(scrubbed.told("damaged")) == 1


@pytest.mark.parametrize("name", sorted(manifest.OWN))
@pytest.mark.parametrize("told", ["is missing", "has other bytes"])
def test_a_damaged_tag_file_is_found_and_written_anew_where_that_can_be(
    bench: Bench, docking: Docking, scrubbed: Scrubbed, name: str, told: str
) -> None:
    HARM[told](scrubbed.path(f"/{name}"))

    found = scrubbed.all()
    scrubbed.healer.run()

    assert [path.rpartition("/")[2] for path in found] == [name]
    healed = name != "bag-info.txt"
    assert (whole(bench, docking) == []) == healed
    assert len(scrubbed.told("healed")) == healed


def test_a_docking_whose_tag_manifest_rotted_before_it_was_known_is_known(
    bench: Bench, docking: Docking
) -> None:
    bag = bench.bag(docking)
    flip(bag / manifest.TAG_MANIFEST, 9)

    late = Scrubbed(bench)
    found = late.all()
    late.healer.run()

    assert [path.rpartition("/")[2] for path in found] == [manifest.TAG_MANIFEST]
    assert whole(bench, docking) == []


def test_what_a_destination_gave_back_heals_and_the_wrong_bytes_are_kept(
    bench: Bench, docking: Docking, scrubbed: Scrubbed
) -> None:
    path = scrubbed.path("/1.MP4")
    before = path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode
    scrubbed.fetched.mkdir()
    file = bench.files(docking)["VIDEO/1.MP4"]
    (scrubbed.fetched / str(file.sha256)).write_bytes(before[0])
    flip(path, 77)
    wrong = path.read_bytes()

    scrubbed.all()
    healed = scrubbed.healer.run()

    assert healed == 1
    after = path.read_bytes(), path.stat().st_mtime_ns, path.stat().st_mode
    assert after == before
    kept = bench.vault / quarantine_path(docking.id) / "data/VIDEO/1.MP4"
    assert kept.read_bytes() == wrong
    assert bench.files(docking)["VIDEO/1.MP4"] == file
    assert whole(bench, docking) == []
    assert scrubbed.alerts() == ["Mended in the last 30 days: 1."]
    custody.check(bench.conn)


@pytest.mark.parametrize("wrong", [b"", b"other bytes", None])
def test_a_copy_that_is_not_the_very_bytes_heals_nothing(
    bench: Bench, docking: Docking, scrubbed: Scrubbed, wrong: bytes | None
) -> None:
    path = scrubbed.path("/1.MP4")
    digest = str(bench.files(docking)["VIDEO/1.MP4"].sha256)
    scrubbed.fetched.mkdir()
    given = path.read_bytes()[:-1] if wrong is None else wrong
    (scrubbed.fetched / digest).write_bytes(given)
    path.unlink()

    scrubbed.all()
    healed = scrubbed.healer.run()

    assert healed == 0
    assert not path.exists()
    assert list(path.parent.glob(".part*")) == []
    assert bench.files(docking)["VIDEO/1.MP4"].state is FileState.DAMAGED


def test_what_reads_well_again_is_healed_as_it_is(
    bench: Bench, docking: Docking, scrubbed: Scrubbed
) -> None:
    path = scrubbed.path("/1.MP4")
    flip(path, 3)
    scrubbed.all()
    flip(path, 3)

    healed = scrubbed.healer.run()

    assert healed == 1
    assert "itself" in scrubbed.told("healed")[0]["from"]
    assert not (bench.vault / quarantine_path(docking.id)).exists()


@pytest.mark.parametrize("gone", ["marker", "all"])
def test_a_vault_that_is_out_has_lost_nothing(
    bench: Bench, docking: Docking, scrubbed: Scrubbed, gone: str
) -> None:
    if gone == "all":
        bench.vault.rename(bench.root / "elsewhere")
        bench.vault.mkdir()
    else:
        (bench.vault / MARKER).unlink()
        scrubbed.path("/1.MP4").unlink()

    with pytest.raises(VaultUnusable):
        scrubbed.all()

    with pytest.raises(VaultUnusable):
        scrubbed.healer.heal(next(iter(scrubbed.items().values())))
    assert scrubbed.told("damaged") == []
    assert bench.files(docking)["VIDEO/1.MP4"].state is FileState.VERIFIED


def test_a_whole_bag_that_is_gone_is_named_file_by_file(
    bench: Bench, docking: Docking, scrubbed: Scrubbed
) -> None:
    shutil.rmtree(bench.bag(docking))

    found = scrubbed.all()

    assert set(found.values()) == {"is missing"}
    assert len(found) == len(SIZES) + len(manifest.OWN)


def test_a_crash_before_the_healed_file_is_known_heals_it_at_the_next_look(
    bench: Bench, docking: Docking, scrubbed: Scrubbed
) -> None:
    path = scrubbed.path("/2.MP4")
    before = path.read_bytes()
    path.unlink()
    scrubbed.all()
    put(RealDisk(), path, before)  # it came as far as its name

    healed = scrubbed.healer.run()

    assert healed == 1
    assert (
        files.get(bench.conn, bench.files(docking)["VIDEO/2.MP4"].id).state
        is FileState.VERIFIED
    )


def test_a_healed_file_that_the_disk_wrote_wrongly_gets_no_name(
    tmp_path: Path,
) -> None:
    disk = SimulatedDisk()
    disk.make_directory(tmp_path / "vault")
    put(disk, tmp_path / "vault" / MARKER, b"marker")
    bench = Bench(tmp_path, disk=disk)
    docking = bench.dock(card(tmp_path / "card", {"1.MP4": 10}))
    scrubbed = Scrubbed(bench)
    path = bench.bag(docking) / manifest.SIGNATURE
    before = disk.read(path)
    disk.unlink(path)
    scrubbed.all()

    disk.faults.flips = 1
    first, named = scrubbed.healer.run(), disk.exists(path)
    second = scrubbed.healer.run()

    assert (first, named) == (0, False)
    assert second == 1
    assert disk.read(path) == before
    bench.close()
