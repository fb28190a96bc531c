"""A station whose database is lost, and made anew from the vault alone."""

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dock_agent.clock import SystemClock, ulid
from dock_agent.config import Config, load
from dock_agent.custody import chain, manifest
from dock_agent.custody.chain import Event, Head
from dock_agent.custody.signing import PublicKey, SigningKey, load_or_make
from dock_agent.errors import (
    AlreadyRunning,
    ConfigError,
    CustodyError,
    StoreError,
    VaultUnusable,
)
from dock_agent.importing import Wish, import_tree
from dock_agent.keys import begin_new
from dock_agent.opened import StoreLost, opened
from dock_agent.rebuilding import DatabaseThere, NoLog, Rebuilt, rebuild
from dock_agent.recording import (
    BayName,
    CameraId,
    Ciphertext,
    DestinationName,
    Digest,
    DockingId,
    DockingState,
    ReadBack,
)
from dock_agent.store import (
    alarms,
    checkpoints,
    custody,
    dockings,
    encryption,
    files,
    holds,
    inventory,
    restore,
    transfers,
)
from dock_agent.store.db import connect, transaction
from dock_agent.store.dockings import Change, Docking
from dock_agent.store.encryption import EncryptionMissing
from dock_agent.store.file import FileProof
from dock_agent.store.holds import Hold
from dock_agent.store.inventory import Listing, NewFile
from dock_agent.sync.open import worker
from dock_agent.vault import journal
from dock_agent.vault.layout import MARKER, bag_path
from dock_agent.vault.real import RealDisk
from dock_agent.verifying import verify
from support.cards import DAY, card, content
from support.process import wait_until
from support.programs import Site, command, site
from support.sealed import encrypted, keys, recipient

CAMERA = "KT-Z3:KTZ3A00017"
FIRST = {"VIDEO/1.MP4": 300_000, "VIDEO/1.LOG": 10, "VIDEO/IMP_2.MP4": 70_000}
SECOND = FIRST | {"VIDEO/3.MP4": 9000}


@pytest.fixture
def here(tmp_path: Path) -> Site:
    return site(tmp_path)


@pytest.fixture
def config(here: Site) -> Config:
    return load(here.root / "dock.toml")


def heard(done: int, total: int) -> None:
    del done, total


def dock(here: Site, config: Config, sizes: dict[str, int]) -> DockingId:
    source = card(here.root / "aside", sizes)
    told = import_tree(config, Wish(source, CAMERA, "1"), heard)
    return DockingId(told.summary.docking)


def send(config: Config) -> int:
    with closing(connect(config.store_path)) as conn:
        made = worker(config, SystemClock(), conn, threading.Event())
        return made.run_once(conn).confirmed


def order(config: Config, change: Callable[..., None], docking: DockingId) -> None:
    with closing(connect(config.store_path)) as conn, transaction(conn):
        change(conn, Hold(docking, "the prosecutor", "case 7"), SystemClock().now())


def start(config: Config) -> None:
    """Start the agent, and end it."""
    with opened(config, SystemClock()):
        pass


def lose(config: Config) -> None:
    config.store_path.unlink()


def again(config: Config, *trusted: Path) -> Rebuilt:
    return rebuild(config, trusted, heard)


KEPT = {
    "docking": "SELECT * FROM docking ORDER BY id",
    "file": "SELECT f.docking, f.path, f.stored, f.size, f.mtime_ns, f.state,"
    " f.sha256, f.method, f.counted, f.reason, h.docking, h.stored, r.name,"
    " f.cipher_sha256, f.cipher_size, f.cipher_keys"
    " FROM file AS f LEFT JOIN file AS h ON h.id = f.held_by"
    " LEFT JOIN recording AS r ON r.id = f.recording ORDER BY f.docking, f.path",
    "recording": "SELECT docking, camera, officer, start, name FROM recording"
    " ORDER BY docking, name",
    "camera": "SELECT id, first_seen, last_seen FROM camera",
    "queue": "SELECT t.destination, t.docking, f.stored, t.path, t.key, t.size,"
    " t.sha256, t.priority, t.rank FROM transfer AS t"
    " LEFT JOIN file AS f ON f.id = t.file ORDER BY t.destination, t.key",
    "hold": "SELECT * FROM hold ORDER BY docking",
    "place": "SELECT name, kind, place, marker FROM destination",
    "checkpoint": "SELECT number, size, note FROM checkpoint",
    "stamp": "SELECT checkpoint, token FROM timestamp",
    "tree": "SELECT * FROM custody_tree",
    "station": "SELECT * FROM station ORDER BY key",
    "log": "SELECT * FROM custody ORDER BY seq",
}


def remembered(config: Config) -> dict[str, list[tuple[Any, ...]]]:
    with closing(sqlite3.connect(config.store_path)) as conn:
        return {what: list(conn.execute(sql)) for what, sql in KEPT.items()}


def states(config: Config) -> dict[str, str]:
    with closing(sqlite3.connect(config.store_path)) as conn:
        return dict(conn.execute("SELECT key, state FROM transfer"))


def size(path: Path) -> int:
    """Return how long a file is that may come and go; -1 where it is not there."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def bag_of(config: Config, docking: DockingId) -> Path:
    (bag,) = config.vault_path.glob(f"dockings/*/*/*/*/{docking}")
    return bag


def interrupted(config: Config, sealed: bytes | None = None) -> DockingId:
    """Leave a docking as an agent does that ends in the middle of it.

    Its one copy is `sealed`, where it is encrypted.
    """
    clock = SystemClock()
    at, ident = clock.now(), DockingId(ulid(clock))
    camera = CameraId("KT-Z1:42")
    bag = bag_path(ident, camera, at.utc)
    data = content("a.MP4", 5000)
    copy = card(config.vault_path / bag / "data", {"a.MP4": 5000}) / "a.MP4"
    digest = hashlib.sha256(copy.read_bytes()).hexdigest()
    assert digest == hashlib.sha256(data).hexdigest()
    with closing(connect(config.store_path)) as conn, transaction(conn):
        docking = Docking(ident, camera, BayName("2"), bag, {"x": "é"})
        dockings.open_docking(conn, docking, at)
        new = NewFile(b"a.MP4", "a.MP4", 5000, DAY)
        (one,) = inventory.add(conn, ident, Listing([new]), at)
        change = Change(DockingState.OPENED, DockingState.COPYING)
        dockings.set_state(conn, ident, change, at)
        parts = (Digest(digest),)
        told = None
        if sealed is not None:
            copy.chmod(0o600)
            copy.write_bytes(sealed)
            os.utime(copy, ns=(DAY, DAY))
            own = Digest(hashlib.sha256(sealed).hexdigest())
            told = Ciphertext(own, len(sealed), ("agency",))
        proof = FileProof(one, parts[0], parts, ReadBack.CACHED, 0, encrypted=told)
        files.proved(conn, [proof])
        files.named(conn, [one], at)
        transfers.add_files(conn, ident, DestinationName("nas"), at)
    return ident


def sign_and_keep(config: Config) -> None:
    """Do what a running agent does every five minutes."""
    key = load_or_make(config.signing_path)
    with closing(connect(config.store_path)) as conn:
        with transaction(conn):
            checkpoints.make(conn, "harbour-1", key, SystemClock().now())
        journal.keep_up(conn, RealDisk(), config.vault_path)


def spoil(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(b"x" + path.read_bytes()[1:])


def forge(bag: Path, key: SigningKey) -> None:
    """Change a file of a bag, and make all of the bag's own files fit it."""
    spoil(bag / "data/VIDEO/1.MP4")
    old = manifest.parse((bag / manifest.MANIFEST).read_text())
    was = old["data/VIDEO/1.MP4"]
    now = hashlib.sha256((bag / "data/VIDEO/1.MP4").read_bytes()).hexdigest()
    for name in manifest.OWN:
        (bag / name).chmod(0o600)
    for name in (manifest.MANIFEST, "inventory.jsonl"):
        text = (bag / name).read_text()
        (bag / name).write_text(text.replace(was, now))
    info, own = bag / "bag-info.txt", bag / "station-key.pem"
    before = PublicKey.from_pem(own.read_bytes()).id
    info.write_text(info.read_text().replace(before, key.id))
    own.write_bytes(key.public.pem())
    tags = {name: (bag / name).read_bytes() for name in manifest.TAGS}
    signed = manifest.tag_manifest(tags).encode()
    (bag / manifest.TAG_MANIFEST).write_bytes(signed)
    (bag / manifest.SIGNATURE).write_bytes(key.sign(signed))


def test_queue_custody_and_holds_come_back_as_they_were(
    here: Site, config: Config
) -> None:
    first, second = dock(here, config, FIRST), dock(here, config, SECOND)
    order(config, holds.place, first)
    order(config, holds.place, second)
    order(config, holds.lift, second)
    assert send(config) > 10
    start(config)
    before = remembered(config)
    lose(config)

    told = again(config)

    after = remembered(config)
    line = json.loads(after["log"].pop()[3])
    assert (line["kind"], line["facts"]["failed"]) == ("rebuilt", 0)
    assert after == before
    assert len(after["hold"]) == 1
    assert (told.dockings, told.files, told.failed) == (2, 4, ())
    assert verify(config, (), heard).custody == "ok"


def test_nothing_counts_as_confirmed_until_the_destination_has_proved_it_again(
    here: Site, config: Config
) -> None:
    dock(here, config, FIRST)
    count = send(config)
    start(config)
    lose(config)
    seal = next((here.root / "nas/dockings").rglob("tagmanifest.sig"))
    sent = seal.stat().st_mtime_ns, seal.stat().st_ino

    again(config)

    assert set(states(config).values()) == {"queued", "blocked"}
    assert send(config) == count
    assert set(states(config).values()) == {"confirmed"}
    assert (seal.stat().st_mtime_ns, seal.stat().st_ino) == sent


def test_a_docking_that_was_never_sealed_goes_on_where_it_was(
    here: Site, config: Config
) -> None:
    dock(here, config, FIRST)
    ident = interrupted(config)
    sign_and_keep(config)
    before = remembered(config)
    lose(config)

    again(config)

    after = remembered(config)
    assert after["docking"] == before["docking"]
    mine = [row for row in after["file"] if row[0] == ident]
    assert [row[:6] for row in mine] == [
        row[:6] for row in before["file"] if row[0] == ident
    ]
    assert after["queue"] == before["queue"]
    start(config)
    with closing(connect(config.store_path)) as conn:
        assert dockings.state(conn, ident) is DockingState.INTERRUPTED
        assert [f.state for f in files.of_docking(conn, ident)] == ["verified"]


def test_a_file_that_is_not_what_was_sealed_does_not_count_and_keeps_the_seal_back(
    here: Site, config: Config
) -> None:
    ident = dock(here, config, FIRST)
    spoil(bag_of(config, ident) / "data/VIDEO/1.MP4")
    lose(config)

    told = again(config)
    send(config)

    assert told.files == 2
    assert [one.partition(": ")[2].partition(":")[0] for one in told.failed] == [
        "VIDEO/1.MP4"
    ]
    sent = states(config)
    bad = next(key for key in sent if key.endswith("VIDEO/1.MP4"))
    seal = next(key for key in sent if key.endswith("tagmanifest.sig"))
    assert (sent[bad], sent[seal]) == ("refused", "blocked")
    with closing(connect(config.store_path)) as conn:
        assert dockings.get(conn, ident).complete is False


@pytest.mark.parametrize(
    "name", ["tagmanifest-sha256.txt", "inventory.jsonl", "custody.jsonl"]
)
def test_a_bag_that_is_not_the_one_that_was_sealed_proves_nothing(
    here: Site, config: Config, name: str
) -> None:
    ident = dock(here, config, FIRST)
    order(config, holds.place, ident)
    start(config)
    own = bag_of(config, ident) / name
    own.chmod(0o600)
    own.write_bytes(own.read_bytes().replace(b"1", b"2", 1))
    lose(config)

    told = again(config)

    assert (told.dockings, told.files) == (0, 0)
    assert len(told.failed) == 3
    with closing(connect(config.store_path)) as conn:
        assert {f.state.value for f in files.of_docking(conn, ident)} == {"quarantined"}
        assert len(holds.every(conn)) == 1


@pytest.mark.parametrize("whose", ["the station's", "another"])
def test_a_bag_that_was_made_anew_is_not_the_one_that_was_sealed(
    here: Site, config: Config, whose: str
) -> None:
    """Whoever made it has all of its own files fit, with the station's very key."""
    ident = dock(here, config, FIRST)
    ours = load_or_make(config.signing_path)
    forge(
        bag_of(config, ident),
        ours if whose == "the station's" else SigningKey.from_seed(bytes(32)),
    )
    lose(config)

    told = again(config)

    assert (told.dockings, told.files) == (0, 0)


def test_what_rests_on_a_copy_that_is_spoilt_does_not_count_either(
    here: Site, config: Config
) -> None:
    first, second = dock(here, config, FIRST), dock(here, config, SECOND)
    spoil(bag_of(config, first) / "data/VIDEO/1.MP4")
    lose(config)

    again(config)

    with closing(connect(config.store_path)) as conn:
        found = {f.stored: f.state.value for f in files.of_docking(conn, second)}
    assert found == {
        "VIDEO/1.MP4": "quarantined",
        "VIDEO/1.LOG": "held",
        "VIDEO/IMP_2.MP4": "held",
        "VIDEO/3.MP4": "verified",
    }


def test_a_copy_of_an_unsealed_docking_is_read_again_too(
    here: Site, config: Config
) -> None:
    dock(here, config, FIRST)
    ident = interrupted(config)
    sign_and_keep(config)
    spoil(bag_of(config, ident) / "data/a.MP4")
    lose(config)

    told = again(config)

    assert [one.split(":")[0] for one in told.failed] == [ident]
    with closing(connect(config.store_path)) as conn:
        assert [f.state for f in files.of_docking(conn, ident)] == ["quarantined"]


def test_a_bag_that_the_log_does_not_know_is_told_of_and_left_alone(
    here: Site, config: Config
) -> None:
    ident = dock(here, config, FIRST)
    bag = bag_of(config, ident)
    card(bag.with_name("01JQXXXXXXXXXXXXXXXXXXXXXX") / "data", {"a.MP4": 100})
    lose(config)

    told = again(config)

    assert told.dockings == 1
    assert len(told.failed) == 1
    assert told.failed[0].endswith("the custody log does not know it")


def test_a_database_that_is_there_is_never_touched(here: Site, config: Config) -> None:
    dock(here, config, FIRST)
    before = remembered(config)

    with pytest.raises(DatabaseThere):
        again(config)

    assert remembered(config) == before


@pytest.mark.parametrize("name", ["00000001.jsonl", "00000001.checkpoint"])
@pytest.mark.parametrize("harm", ["flip", "lose"])
def test_a_log_that_is_not_whole_makes_no_database(
    here: Site, config: Config, name: str, harm: str
) -> None:
    dock(here, config, FIRST)
    path = config.vault_path / "custody/000" / name
    raw = bytearray(path.read_bytes())
    raw[30] ^= 1
    path.unlink()
    if harm == "flip":
        path.write_bytes(raw)
    lose(config)

    with pytest.raises(CustodyError):
        again(config)

    assert list(here.root.glob("store.db*")) == []


def test_a_hole_in_the_log_is_told_exactly(here: Site, config: Config) -> None:
    dock(here, config, FIRST)
    dock(here, config, SECOND)
    whole = [len(segment.lines) for segment in segments(config)]
    (config.vault_path / journal.lines_path(2)).unlink()
    lose(config)

    with pytest.raises(
        CustodyError, match=rf"whole up to line {whole[0]};.*0002\.jsonl"
    ):
        again(config)


def change_last(text: str) -> str:
    head, _, end = text.rpartition('"station"')
    return f'{head}"stations"{end}'


def cut_last(text: str) -> str:
    return text[: text.rindex("\n", 0, -1) + 1]


def add_one(text: str) -> str:
    last = chain.parse(text.splitlines()[-1], 1)
    head = Head(last["seq"], chain.digest(text.splitlines()[-1]))
    more = chain.next_line(head, chain.EMPTY, Event("x"), SystemClock().now())
    return f"{text}{more}\n"


@pytest.mark.parametrize("harm", [change_last, cut_last, add_one])
def test_the_last_line_is_vouched_for_by_the_checkpoint(
    here: Site, config: Config, harm: Callable[[str], str]
) -> None:
    """The chain alone says nothing of its end."""
    dock(here, config, FIRST)
    path = max((config.vault_path / "custody/000").glob("*.jsonl"))
    text = path.read_text()
    path.unlink()
    path.write_text(harm(text))
    chain.verify(line for segment in segments(config) for line in segment.lines)
    lose(config)

    with pytest.raises(CustodyError, match="is of other lines"):
        again(config)


def test_a_log_that_is_signed_and_does_not_hold_together_makes_no_database(
    here: Site, config: Config
) -> None:
    dock(here, config, FIRST)
    with closing(connect(config.store_path)) as conn, transaction(conn):
        head = Head(custody.head(conn).seq, chain.NOTHING)
        line = chain.next_line(head, chain.EMPTY, Event("x"), SystemClock().now())
        restore.lines(conn, [line])
    sign_and_keep(config)
    lose(config)

    with pytest.raises(CustodyError, match="does not follow"):
        again(config)


def segments(config: Config) -> list[journal.Segment]:
    return list(journal.segments(RealDisk(), config.vault_path))


def test_a_log_whose_last_checkpoint_another_key_signed_makes_no_database(
    here: Site, config: Config, tmp_path: Path
) -> None:
    dock(here, config, FIRST)
    lose(config)
    config.signing_path.unlink()
    other = tmp_path / "other.pem"
    other.write_bytes(SigningKey.from_seed(b"x" * 32).public.pem())

    with pytest.raises(CustodyError, match="not signed by a key"):
        again(config, other)


def test_without_any_key_nothing_is_believed(here: Site, config: Config) -> None:
    ident = dock(here, config, FIRST)
    lose(config)
    config.signing_path.unlink()

    with pytest.raises(ConfigError, match="is gone"):
        again(config)

    assert again(config, bag_of(config, ident) / "station-key.pem").files == 3


def test_a_damaged_key_file_is_no_key(here: Site, config: Config) -> None:
    dock(here, config, FIRST)
    lose(config)
    config.signing_path.write_bytes(config.signing_path.read_bytes()[:-40])

    with pytest.raises(ConfigError, match="is not a PEM key"):
        again(config)


def test_what_older_keys_signed_comes_back_too(here: Site, config: Config) -> None:
    dock(here, config, FIRST)
    with closing(connect(config.store_path)) as conn:
        begin_new(config, conn, SystemClock())
    dock(here, config, SECOND)
    before = remembered(config)
    lose(config)

    told = again(config)

    assert (told.dockings, told.failed) == (2, ())
    assert remembered(config)["station"] == before["station"]
    assert verify(config, (), heard).failed == ()
    assert verify(config, (), heard).custody == "ok"


def test_an_empty_vault_has_no_log(config: Config) -> None:
    with pytest.raises(VaultUnusable):
        again(config)
    config.vault_path.mkdir()
    (config.vault_path / MARKER).write_text('{"id": "01JQ"}\n')
    load_or_make(config.signing_path)

    with pytest.raises(NoLog):
        again(config)


def test_the_command_prints_how_much_came_back(here: Site, config: Config) -> None:
    dock(here, config, FIRST)
    lose(config)

    said = here.agent("rebuild", "--json")

    assert said.code == 0
    assert (said.json["dockings"], said.json["files"]) == (1, 3)
    assert here.agent("rebuild").code == 50
    with closing(connect(config.store_path)) as conn:
        assert custody.check(conn).seq == said.json["lines"] + 1


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
def test_what_sqlite_left_beside_a_lost_database_is_not_played_into_the_new_one(
    here: Site, config: Config, ending: str
) -> None:
    dock(here, config, FIRST)
    lose(config)
    left = config.store_path.with_name(config.store_path.name + ending)
    left.write_bytes(b"of the lost one")

    with pytest.raises(DatabaseThere, match=ending):
        again(config)

    assert left.read_bytes() == b"of the lost one"
    assert not config.store_path.exists()


# ---- where it is encrypted -----------------------------------------------------------


@pytest.fixture
def secret(here: Site) -> Config:
    (here.root / "agency.pub").write_bytes(keys("default")[1])
    told = here.root / "dock.toml"
    told.write_text(told.read_text() + '\n[encryption]\nrecipients = ["agency.pub"]\n')
    return load(told)


def in_the_clear(here: Site) -> Config:
    """Return the configuration without `[encryption]`."""
    here.configure()
    return load(here.root / "dock.toml")


def test_a_station_that_encrypts_is_made_anew_as_it_was(
    here: Site, secret: Config
) -> None:
    dock(here, secret, FIRST)
    dock(here, secret, SECOND)
    start(secret)
    before = remembered(secret)
    lose(secret)

    told = again(secret)

    after = remembered(secret)
    after["log"].pop()
    assert told.failed == ()
    assert after == before
    assert verify(secret, (), heard).failed == ()
    assert send(secret) > 10
    assert set(states(secret).values()) == {"confirmed"}


def test_a_rebuilt_station_does_not_forget_that_it_encrypts(
    here: Site, secret: Config
) -> None:
    dock(here, secret, FIRST)
    lose(secret)
    again(secret)

    with pytest.raises(EncryptionMissing):
        dock(here, in_the_clear(here), SECOND)


def test_a_station_that_encrypts_is_not_rebuilt_without_its_recipients(
    here: Site, secret: Config
) -> None:
    dock(here, secret, FIRST)
    lose(secret)

    with pytest.raises(EncryptionMissing):
        again(in_the_clear(here))

    assert list(here.root.glob("store.db*")) == []


def test_what_an_order_ended_stays_ended_in_a_rebuilt_database(
    here: Site, secret: Config
) -> None:
    dock(here, secret, FIRST)
    with closing(connect(secret.store_path)) as conn, transaction(conn):
        encryption.turn_off(conn, "order", "the agency", SystemClock().now())
    plain = in_the_clear(here)
    dock(here, plain, SECOND)
    lose(plain)

    assert again(plain).failed == ()

    assert dock(here, plain, SECOND | {"VIDEO/4.MP4": 500})


def test_an_encrypted_copy_of_an_unsealed_docking_is_as_good_as_it_was(
    here: Site, secret: Config
) -> None:
    dock(here, secret, FIRST)
    ident = interrupted(secret, encrypted(content("a.MP4", 5000), recipient("default")))
    sign_and_keep(secret)
    before = remembered(secret)
    lose(secret)

    told = again(secret)

    assert told.failed == ()
    assert remembered(secret)["queue"] == before["queue"]
    with closing(connect(secret.store_path)) as conn:
        assert [f.state for f in files.of_docking(conn, ident)] == ["verified"]


# ---- what the log in the vault has not yet -------------------------------------------


def test_an_order_that_came_after_the_last_checkpoint_is_missed_and_said(
    here: Site, config: Config
) -> None:
    ident = dock(here, config, FIRST)
    assert here.agent("hold", "add", ident, "--by", "A", "--why", "case 7").code == 0
    lose(config)

    told = again(config)

    with closing(connect(config.store_path)) as conn:
        assert holds.every(conn) == []
    assert len(told.failed) == 1
    assert "which the vault saw" in told.failed[0]


def test_a_log_that_was_cut_off_in_the_vault_is_told_of(
    here: Site, config: Config
) -> None:
    """What is left of it is signed by the station's own key."""
    ident = dock(here, config, FIRST)
    assert here.agent("hold", "add", ident, "--by", "A", "--why", "case 7").code == 0
    start(config)
    last = max((config.vault_path / "custody").rglob("*.checkpoint"))
    for path in (last, last.with_suffix(".jsonl")):
        path.unlink()
    lose(config)

    told = again(config)

    assert any("which the vault saw" in one for one in told.failed)


def test_an_agent_that_starts_meanwhile_makes_no_database_in_its_place(
    here: Site, config: Config
) -> None:
    """Its unit starts it again every few seconds."""
    dock(here, config, FIRST)
    lose(config)

    def meanwhile(done: int, total: int) -> None:
        del done, total
        with pytest.raises(AlreadyRunning):
            start(config)

    told = rebuild(config, (), meanwhile)

    assert told.dockings == 1
    assert remembered(config)["docking"]


@pytest.mark.parametrize("encrypts", [True, False])
def test_a_station_whose_database_is_lost_does_not_begin_another_beside_its_log(
    here: Site, config: Config, request: pytest.FixtureRequest, *, encrypts: bool
) -> None:
    """What it took in would be unknown to the log, and so to a later rebuild."""
    if encrypts:
        config = request.getfixturevalue("secret")
    dock(here, config, FIRST)
    lose(config)
    before = sorted(config.vault_path.rglob("*"))

    with pytest.raises(StoreLost):
        dock(here, in_the_clear(here), SECOND)

    assert sorted(config.vault_path.rglob("*")) == before
    assert list(here.root.glob("store.db*")) == []
    assert again(config).failed == ()


def test_without_its_log_a_station_may_begin_another_database(
    here: Site, config: Config
) -> None:
    dock(here, config, FIRST)
    lose(config)
    (config.vault_path / "custody").rename(here.root / "custody")

    ident = dock(here, config, SECOND)

    with closing(connect(config.store_path)) as conn:
        assert dockings.state(conn, ident) is DockingState.SEALED


def test_what_is_not_all_in_the_new_database_is_not_given_its_name(
    here: Site, config: Config
) -> None:
    """Whoever reads it meanwhile keeps SQLite from emptying its log into it."""
    dock(here, config, FIRST)
    lose(config)
    other = sqlite3.connect(f"{config.store_path}.watched", isolation_level=None)

    def watch(done: int, total: int) -> None:
        del done, total
        other.execute("ATTACH ? AS them", (f"{config.store_path}.rebuilding",))
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM them.docking").fetchone()

    with closing(other), pytest.raises(StoreError, match="in use"):
        rebuild(config, (), watch)

    assert not config.store_path.exists()


@pytest.mark.parametrize("how", ["rebuilt", "another"])
def test_what_was_derived_under_old_numbers_is_not_taken_for_other_files(
    here: Site, config: Config, how: str
) -> None:
    """Tracks are called by their file's number, and a new database counts anew."""
    dock(here, config, FIRST)
    track = config.derived_path / "002/2.gpx"
    track.parent.mkdir(parents=True)
    track.write_bytes(b"of file 2, as it was then")
    lose(config)

    if how == "rebuilt":
        again(config)
    else:
        (config.vault_path / "custody").rename(here.root / "custody")
        start(config)

    assert not track.exists()


def test_a_bag_that_a_database_has_forgotten_is_named_by_verify(
    here: Site, config: Config
) -> None:
    dock(here, config, FIRST)
    old = here.root / "old.db"
    shutil.copy(config.store_path, old)
    ident = dock(here, config, SECOND)
    assert verify(config, (), heard).failed == ()
    shutil.copy(old, config.store_path)

    told = verify(config, (), heard)

    assert [Path(one.id).name for one in told.failed] == [ident]
    assert "does not know it" in told.failed[0].reason


def test_a_station_that_was_put_back_is_rebuilt_from_its_new_log_alone(
    here: Site, config: Config
) -> None:
    """The vault's log goes on from another line: it is moved away, and begins anew."""
    dock(here, config, FIRST)
    old = here.root / "old.db"
    shutil.copy(config.store_path, old)
    dock(here, config, SECOND)
    shutil.copy(old, config.store_path)
    ident = dock(here, config, SECOND | {"VIDEO/4.MP4": 500})
    with closing(connect(config.store_path)) as conn:
        assert alarms.stands(conn, journal.STATION)
    (config.vault_path / "custody").rename(here.root / "custody-before")

    start(config)
    lose(config)
    again(config)

    with closing(connect(config.store_path)) as conn:
        assert dockings.state(conn, ident) is DockingState.SEALED


@pytest.mark.parametrize("written", [0, 1, 200_000])
def test_a_rebuild_that_was_killed_is_begun_again(
    here: Site, config: Config, written: int
) -> None:
    dock(here, config, FIRST)
    start(config)
    before = remembered(config)
    lose(config)
    log = config.store_path.with_name("store.db.rebuilding-wal")
    asked = command("dock-agent", "rebuild")
    with subprocess.Popen(
        asked, env=here.environment(), stdout=subprocess.DEVNULL
    ) as first:
        wait_until(lambda: config.store_path.exists() or size(log) >= written)
        first.kill()
    config.store_path.unlink(missing_ok=True)  # of one that was done by then

    assert again(config).failed == ()

    assert remembered(config)["file"] == before["file"]
    assert [path.name for path in here.root.glob("store.db*")] == ["store.db"]
