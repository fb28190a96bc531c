"""Cut the power, lose a flush, flip a bit: the vault must never lie afterwards.

The station's memory is modelled by a list of what was committed: proofs (F3)
before names (F4) before verified rows (F5). It survives every cut, as the
database does.
"""

import errno
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dock_agent.errors import (
    CameraGone,
    DockError,
    FixityError,
    NoRoom,
    VaultUnusable,
)
from dock_agent.offload.copy import Copied, copy_batch, copy_one, give_names
from dock_agent.offload.source import Wanted
from dock_agent.recording import Digest, ReadBack
from dock_agent.simulated.disk import Faults, PowerCut, SimulatedDisk
from dock_agent.vault.disk import silent
from support.copying import MIB, After, FolderCamera, content

BAG = Path("/vault/bag")
SMALL = {"1.jpg": 700, "2.jpg": 0, "3.jpg": 5000}
LARGE = {"4.mp4": 5 * MIB + 3}
DATA = {name: content(size) for name, size in {**SMALL, **LARGE}.items()}


@dataclass
class Books:
    """What the database would remember."""

    proven: dict[Path, Digest] = field(default_factory=dict)
    verified: set[Path] = field(default_factory=set)


@pytest.fixture
def camera(tmp_path: Path) -> FolderCamera:
    made = FolderCamera(tmp_path)
    for name, data in DATA.items():
        made.record(name, data)
    return made


def vault(faults: Faults | None = None, capacity: int = 1 << 40) -> SimulatedDisk:
    disk = SimulatedDisk(capacity)
    disk.make_directory(BAG)
    disk.faults, disk.operations = faults or Faults(), 0
    return disk


def offload(camera: FolderCamera, disk: SimulatedDisk, books: Books) -> None:
    """Take what the vault does not hold yet through every point of durability."""
    missing = [
        camera.wanted(name, BAG) for name in DATA if BAG / name not in books.verified
    ]
    small = [wanted for wanted in missing if wanted.size < MIB]
    found = copy_batch(camera, small, disk, silent)
    settle(disk, books, small, found)
    for wanted in missing[len(small) :]:
        settle(disk, books, [wanted], [copy_one(camera, wanted, disk, silent)])


def settle(
    disk: SimulatedDisk,
    books: Books,
    wanted: Sequence[Wanted],
    found: Sequence[Copied | DockError],
) -> None:
    copies = [
        (want.target, copy)
        for want, copy in zip(wanted, found, strict=True)
        if isinstance(copy, Copied)
    ]
    books.proven |= {target: copy.digest for target, copy in copies}
    give_names(disk, [(copy.part, target) for target, copy in copies])
    books.verified |= {target for target, _ in copies}


def lies(disk: SimulatedDisk, books: Books) -> list[str]:
    """Return every way in which the vault says more than is true."""
    found = []
    for path in disk.listing(BAG):
        right = disk.read(path) == DATA.get(path.name)
        if not path.name.startswith(".part-") and not right:
            found.append(f"{path.name} has its name and not its bytes")
        if not path.name.startswith(".part-") and path not in books.proven:
            found.append(f"{path.name} has a name and no proof")
    held = set(disk.listing(BAG))
    found += [f"{path.name} is verified and absent" for path in books.verified - held]
    return found


def recover(disk: SimulatedDisk, books: Books) -> None:
    for path in list(disk.listing(BAG)):
        if path.name.startswith(".part-"):
            disk.unlink(path)
        elif path not in books.verified:  # it was proven: adopted
            books.verified.add(path)


def steps(camera: FolderCamera) -> int:
    disk = vault()
    offload(camera, disk, Books())
    return disk.operations


@pytest.mark.parametrize("names_last", [False, True])
def test_no_cut_of_the_power_makes_the_vault_lie(
    camera: FolderCamera, *, names_last: bool
) -> None:
    total = steps(camera)

    for step in range(total):
        disk, books = vault(Faults(cut_after=step)), Books()
        with pytest.raises(PowerCut):
            offload(camera, disk, books)
        disk.crash(names_last=names_last)
        assert lies(disk, books) == [], f"after operation {step}"
        recover(disk, books)
        offload(camera, disk, books)
        assert books.verified == {BAG / name for name in DATA}
        assert set(disk.listing(BAG)) == books.verified
        assert lies(disk, books) == []

    assert total > 25


@pytest.mark.parametrize("names_last", [False, True])
def test_a_disk_that_loses_its_flushes_is_found_to_lie(
    camera: FolderCamera, *, names_last: bool
) -> None:
    found = 0

    for step in range(steps(camera)):
        disk, books = vault(Faults(cut_after=step, loses_sync=True)), Books()
        with pytest.raises(PowerCut):
            offload(camera, disk, books)
        disk.crash(names_last=names_last)
        found += len(lies(disk, books))

    assert found > 10  # or the test above proves nothing


def test_a_name_whose_directory_was_not_flushed_is_forgotten(
    camera: FolderCamera,
) -> None:
    disk = vault()
    copied = copy_one(camera, camera.wanted("1.jpg", BAG), disk, silent)

    disk.rename(copied.part, BAG / "1.jpg")
    disk.crash()

    assert not disk.exists(BAG / "1.jpg")


@pytest.mark.parametrize("name", ["1.jpg", "4.mp4"])
def test_a_bit_that_flips_on_the_medium_is_copied_again_to_other_blocks(
    camera: FolderCamera, name: str
) -> None:
    disk = vault(Faults(flips=1))

    alone = copy_one(camera, camera.wanted(name, BAG), disk, silent)
    disk.faults.flips = 1
    (of_many,) = copy_batch(camera, [camera.wanted(name, BAG)], disk, silent)

    assert alone.digest == hashlib.sha256(DATA[name]).hexdigest()
    assert isinstance(of_many, Copied)
    assert of_many.digest == alone.digest
    assert set(disk.listing(BAG)) == {alone.part, of_many.part}


def test_the_spoiled_part_keeps_its_blocks_until_the_second_is_proven(
    camera: FolderCamera,
) -> None:
    disk = vault(Faults(flips=1))
    together = 0

    def look(count: int) -> None:
        nonlocal together
        del count
        together = max(together, len(list(disk.listing(BAG))))

    copy_one(camera, camera.wanted("4.mp4", BAG), disk, look)

    assert together == 2


@pytest.mark.parametrize("name", ["1.jpg", "4.mp4"])
def test_a_medium_that_spoils_every_copy_keeps_none(
    camera: FolderCamera, name: str
) -> None:
    disk = vault(Faults(flips=9))

    with pytest.raises(FixityError):
        copy_one(camera, camera.wanted(name, BAG), disk, silent)
    (found,) = copy_batch(camera, [camera.wanted(name, BAG)], disk, silent)

    assert isinstance(found, FixityError)
    assert list(disk.listing(BAG)) == []


def test_one_spoiled_file_does_not_spoil_its_batch(camera: FolderCamera) -> None:
    disk = vault(Faults(flips=2))
    wanted = [camera.wanted(name, BAG) for name in ("1.jpg", "3.jpg")]

    found = copy_batch(camera, wanted, disk, silent)

    assert [type(one) for one in found] == [Copied, Copied]


def test_a_read_back_from_the_cache_is_called_one(camera: FolderCamera) -> None:
    disk = vault(Faults(answers_from_cache=True, flips=1))

    copied = copy_one(camera, camera.wanted("1.jpg", BAG), disk, silent)

    assert (copied.method, copied.counted) == (ReadBack.CACHED, 0)


@pytest.mark.parametrize("code", [errno.EIO, errno.EROFS])
def test_after_a_flush_that_failed_the_file_counts_as_lost(
    camera: FolderCamera, code: int
) -> None:
    disk, books = vault(Faults(sync_error=code)), Books()

    with pytest.raises(VaultUnusable):
        copy_one(camera, camera.wanted("4.mp4", BAG), disk, silent)
    left = list(disk.listing(BAG))
    disk.faults.sync_error = code
    with pytest.raises(VaultUnusable):
        copy_batch(camera, [camera.wanted("1.jpg", BAG)], disk, silent)
    offload(camera, disk, books)
    disk.crash()

    assert left == []
    assert lies(disk, books) == []
    assert books.verified == {BAG / name for name in DATA}


def test_a_vault_that_is_full_keeps_what_it_has_and_no_more(
    camera: FolderCamera,
) -> None:
    disk, books = vault(capacity=MIB), Books()

    with pytest.raises(NoRoom):
        offload(camera, disk, books)

    assert {path.name for path in disk.listing(BAG)} == set(SMALL)
    assert books.verified == {BAG / name for name in SMALL}


def test_a_batch_for_which_there_is_no_room_leaves_nothing(
    camera: FolderCamera,
) -> None:
    disk = vault(capacity=5500)
    wanted = [camera.wanted(name, BAG) for name in SMALL]

    with pytest.raises(NoRoom):
        copy_batch(camera, wanted, disk, silent)

    assert list(disk.listing(BAG)) == []


def test_a_vault_that_turns_read_only_is_reported_for_what_it_is(
    camera: FolderCamera,
) -> None:
    disk = vault()

    def turned() -> None:
        disk.faults.read_only = True

    with pytest.raises(VaultUnusable):
        copy_one(camera, camera.wanted("4.mp4", BAG), disk, After(MIB, [turned]))

    assert not disk.exists(BAG / "4.mp4")


def test_a_camera_pulled_while_the_vault_fails_is_still_the_camera(
    camera: FolderCamera,
) -> None:
    disk = vault()

    def both() -> None:
        disk.faults.read_only = True
        camera.present = False
        camera.break_medium()

    with pytest.raises(CameraGone):
        copy_one(camera, camera.wanted("4.mp4", BAG), disk, After(MIB, [both]))

    assert not disk.exists(BAG / "4.mp4")
