"""A docking that is encrypted to recipients, and everything that looks at it later."""

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from dock_agent import dock_decrypt
from dock_agent.custody.recipients import parse
from dock_agent.errors import FixityError
from dock_agent.offload.copy import copy_one
from dock_agent.offload.messages import Named, Proved
from dock_agent.offload.recover import recover
from dock_agent.recording import PART_SIZE, DestinationName, DockingState, FileState
from dock_agent.simulated.disk import Faults, SimulatedDisk
from dock_agent.store import custody, destinations, encryption, files, transfers
from dock_agent.store.db import transaction
from dock_agent.store.encryption import Encryption, EncryptionMissing
from dock_agent.vault.disk import silent
from dock_agent.vault.encrypt import Envelope
from dock_agent.vault.verify import verify_bag
from dock_agent.vault.verify_rows import verify_rows
from support.bench import KEY, Bench
from support.cards import card, content, digests
from support.copying import FolderCamera
from support.erasing import Clearing
from support.sealed import keys, opened, recipient

SIZES = {
    "VIDEO/0001.MP4": (20 << 20) + 5,
    "VIDEO/0001.NMEA": 4150,
    "PHOTO/0001.JPG": 18_000,
    "LOG/empty.LOG": 0,
}
PRIVATE, PUBLIC = keys("default")
OTHER = keys("default", 1)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, recipients=(PUBLIC, OTHER[1]))
    yield made
    made.close()


@pytest.fixture
def camera(tmp_path: Path) -> Path:
    return card(tmp_path / "card", SIZES)


def test_every_file_is_encrypted_proved_and_sealed(bench: Bench, camera: Path) -> None:
    docking = bench.dock(camera)

    data = bench.bag(docking) / "data"
    assert docking.state is DockingState.SEALED
    assert docking.complete
    assert set(digests(data)) == {f"{name}.enc".encode() for name in SIZES}
    for name, size in SIZES.items():
        for private in (PRIVATE, OTHER[0]):
            file = (data / f"{name}.enc").read_bytes()
            assert opened(file, private) == content(name, size)


def test_custody_has_the_plaintext_and_the_copy_its_own_digest(
    bench: Bench, camera: Path
) -> None:
    docking = bench.dock(camera)

    kept = bench.files(docking)["VIDEO/0001.MP4.enc"]
    told = [json.loads(line) for line in custody.lines(bench.conn, docking.id)]
    (facts,) = (
        line["facts"]
        for line in told
        if line["kind"] == "verified" and line["facts"]["file"] == kept.stored
    )
    plain = content("VIDEO/0001.MP4", SIZES["VIDEO/0001.MP4"])
    path = bench.bag(docking) / "data" / kept.stored
    assert kept.sha256 == facts["sha256"] == hashlib.sha256(plain).hexdigest()
    assert kept.size == facts["size"] == len(plain)
    assert facts["encrypted"] == {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "size": path.stat().st_size,
        "recipients": [parse(PUBLIC).id, parse(OTHER[1]).id],
    }


def test_what_is_sent_is_what_the_vault_has(bench: Bench, camera: Path) -> None:
    docking = bench.dock(camera)

    rows = bench.conn.execute(
        "SELECT path, size, sha256, file FROM transfer WHERE file IS NOT NULL"
    ).fetchall()
    assert len(rows) == len(SIZES)
    for row in rows:
        sent = (bench.vault / row["path"]).read_bytes()
        assert row["size"] == len(sent)
        assert row["sha256"] == hashlib.sha256(sent).hexdigest()
        assert files.parts(bench.conn, row["file"]) == tuple(
            hashlib.sha256(sent[at : at + PART_SIZE]).hexdigest()
            for at in range(0, len(sent), PART_SIZE)
        )
    assert docking.complete


def test_a_destination_that_is_added_later_is_owed_the_same(
    bench: Bench, camera: Path
) -> None:
    docking, name = bench.dock(camera), DestinationName("later")
    with transaction(bench.conn):
        destinations.ensure(bench.conn, name, "directory")
        transfers.add_files(bench.conn, docking.id, name, bench.clock.now())

    asked = "SELECT key, size, sha256 FROM transfer WHERE file > 0 AND destination = ?"
    told = [bench.conn.execute(asked, (d,)).fetchall() for d in ("cloud", "later")]
    assert sorted(map(tuple, told[0])) == sorted(map(tuple, told[1]))


def test_the_bag_checks_without_a_key(bench: Bench, camera: Path) -> None:
    first, second = bench.dock(camera), bench.dock(camera)

    for docking in (first, second):
        bag = bench.bag(docking)
        by_itself = verify_bag(bench.disk, bag, docking.id, KEY.public)
        by_rows = verify_rows(bench.conn, bench.disk, bench.vault, docking)
        assert by_itself.failed == by_rows.failed == []
        subprocess.run(
            ["sha256sum", "-c", "--quiet", "manifest-sha256.txt"], cwd=bag, check=True
        )
    held = bench.bag(second) / "data/=held-sha256.txt"
    subprocess.run(
        ["sha256sum", "-c", "--quiet", held], cwd=bench.bag(second), check=True
    )


def test_a_flipped_bit_is_found_by_every_check(bench: Bench, camera: Path) -> None:
    first, second = bench.dock(camera), bench.dock(camera)
    path = bench.bag(first) / "data/PHOTO/0001.JPG.enc"
    harm(path)

    by_itself = verify_bag(bench.disk, bench.bag(first), first.id, KEY.public)
    by_rows = verify_rows(bench.conn, bench.disk, bench.vault, second)

    assert [one.id for one in by_itself.failed] == ["data/PHOTO/0001.JPG.enc"]
    assert ["0001.JPG" in one.reason for one in by_rows.failed] == [True]


def test_the_same_card_again_is_held(bench: Bench, camera: Path) -> None:
    first, second = bench.dock(camera), bench.dock(camera)

    kept = bench.files(second)
    assert {f.state for f in kept.values()} == {FileState.HELD}
    assert {f.sha256 for f in kept.values()} == set(digests(camera).values())
    assert second.complete
    assert first.complete


def test_a_held_copy_that_rotted_is_made_again(bench: Bench, camera: Path) -> None:
    first = bench.dock(camera)
    harm(bench.bag(first) / "data/PHOTO/0001.JPG.enc")

    second = bench.dock(camera)

    again = bench.files(second)["PHOTO/0001.JPG.enc"]
    assert again.state is FileState.VERIFIED
    file = (bench.bag(second) / "data/PHOTO/0001.JPG.enc").read_bytes()
    assert opened(file, PRIVATE) == content("PHOTO/0001.JPG", 18_000)


def test_a_camera_is_cleared_on_the_plaintexts_digest(
    bench: Bench, camera: Path
) -> None:
    docking = bench.dock(camera)

    told = Clearing(bench, camera).of(docking)

    assert told is None
    assert [path for path in camera.rglob("*") if path.is_file()] == []


def test_a_camera_keeps_everything_once_an_encrypted_copy_rotted(
    bench: Bench, camera: Path
) -> None:
    docking = bench.dock(camera)
    harm(bench.bag(docking) / "data/PHOTO/0001.JPG.enc")

    Clearing(bench, camera).of(docking)

    assert digests(camera).keys() == {name.encode() for name in SIZES}


@pytest.mark.parametrize("kind", [Proved, Named])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_an_agent_that_dies_leaves_no_plaintext_and_the_next_docking_is_whole(
    bench: Bench, camera: Path, kind: type[Proved | Named], *, before: bool
) -> None:
    bench.dies_at(camera, kind, before=before)
    found = leaks(bench.root, bench.vault)
    recover(bench.conn, bench.sealer)

    docking = bench.dock(camera)

    assert found == []
    assert docking.complete
    kept = bench.files(docking).values()
    assert {f.state for f in kept} <= {FileState.VERIFIED, FileState.HELD}


def test_a_recording_whose_name_is_taken_has_another_one(
    bench: Bench, tmp_path: Path
) -> None:
    source = card(tmp_path / "odd", {"1.MP4": 10, "1.MP4.enc": 11, "1.mp4": 12})

    docking = bench.dock(source)

    assert docking.complete
    kept = bench.files(docking)
    assert len({name.casefold() for name in kept}) == 3


# ---- what proves it, and what never happens ------------------------------------------


@pytest.mark.parametrize("size", [5000, 5 << 20])
def test_a_bit_that_flips_on_the_medium_is_copied_again_with_another_key(
    tmp_path: Path, size: int
) -> None:
    camera, disk = FolderCamera(tmp_path), SimulatedDisk()
    camera.record("1.mp4", bytes(size))
    disk.make_directory(Path("/bag"))
    disk.faults = Faults(flips=1)
    to = (recipient("default"),)

    copied = copy_one(camera, camera.wanted("1.mp4", Path("/bag")), disk, silent, to)

    on_the_medium = bytearray()
    disk.study(copied.part, lambda: on_the_medium.extend)
    assert opened(bytes(on_the_medium), PRIVATE) == bytes(size)
    assert list(disk.listing(Path("/bag"))) == [copied.part]


def test_a_medium_that_flips_a_bit_each_time_gives_no_copy(tmp_path: Path) -> None:
    camera, disk = FolderCamera(tmp_path), SimulatedDisk()
    camera.record("1.mp4", bytes(5000))
    disk.make_directory(Path("/bag"))
    disk.faults = Faults(flips=2)
    wanted, to = camera.wanted("1.mp4", Path("/bag")), (recipient("default"),)

    with pytest.raises(FixityError, match="does not open"):
        copy_one(camera, wanted, disk, silent, to)

    assert list(disk.listing(Path("/bag"))) == []


def test_no_key_encrypts_twice() -> None:
    envelope = Envelope([recipient("default")])
    envelope.sealing(unwritten)

    with pytest.raises(ValueError, match="something else"):
        envelope.sealing(unwritten)


def test_no_file_of_a_docking_shares_a_key(bench: Bench, tmp_path: Path) -> None:
    source = card(tmp_path / "many", {f"{n}.JPG": 10 for n in range(200)})

    docking = bench.dock(source)

    data = bench.bag(docking) / "data"
    salts = {path.read_bytes()[-10 - 16 - 56 : -10 - 16] for path in data.iterdir()}
    assert len(salts) == 200


def test_a_stolen_disk_has_no_footage_and_no_key(bench: Bench, camera: Path) -> None:
    docking = bench.dock(camera)
    data = bench.bag(docking) / "data"
    secret = [data_key(path) for path in data.rglob("*.enc")]

    assert len(secret) == len(SIZES)
    assert leaks(bench.root, bench.vault, secret) == []


def test_the_search_for_footage_finds_it_where_it_is(
    bench: Bench, camera: Path
) -> None:
    bench.recipients = ()

    bench.dock(camera)

    assert leaks(bench.root, bench.vault)


# ---- once on -------------------------------------------------------------------------


def test_a_station_that_encrypts_copies_nothing_in_the_clear(
    bench: Bench, camera: Path
) -> None:
    told = Encryption("01JD", (PUBLIC.decode(), OTHER[1].decode()))
    with transaction(bench.conn):
        encryption.turn_on(bench.conn, told, bench.clock.now())

    for given in ((), (PUBLIC,), (keys("fips")[1],)):
        bench.recipients = given
        with pytest.raises(EncryptionMissing, match="not encrypted to"):
            bench.dock(camera)

    assert list((bench.vault).rglob("*.MP4*")) == []
    assert bench.conn.execute("SELECT count(*) FROM docking").fetchone()[0] == 0


def test_one_recipient_more_is_no_offence(bench: Bench, camera: Path) -> None:
    told = Encryption("01JD", (PUBLIC.decode(),))
    with transaction(bench.conn):
        encryption.turn_on(bench.conn, told, bench.clock.now())

    assert bench.dock(camera).complete


def harm(path: Path) -> None:
    path.chmod(0o600)
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


def unwritten(block: memoryview, offset: int) -> None:
    del block, offset


def data_key(path: Path) -> bytes:
    with path.open("rb") as source:
        return dock_decrypt.data_key(
            dock_decrypt.head(source), dock_decrypt.private(PRIVATE)
        )


def leaks(root: Path, vault: Path, secret: list[bytes] | None = None) -> list[str]:
    """Return where 64 bytes of the footage are, or a data key, or a private one."""
    marks = [
        content(name, size)[at : at + 64]
        for name, size in SIZES.items()
        for at in range(0, max(0, size - 64), 1 << 19)
    ]
    marks += [*(secret or []), b"PRIVATE KEY"]
    found = []
    for path in sorted([*vault.rglob("*"), *root.glob("store.db*")]):
        if path.is_file():
            whole = path.read_bytes()
            found += [f"{path.name} at {whole.find(m)}" for m in marks if m in whole]
    return found
