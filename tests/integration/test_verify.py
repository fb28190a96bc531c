"""Our own check of a bag: what other tools let pass, it does not."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dock_agent.clock import SystemClock
from dock_agent.custody import manifest
from dock_agent.custody.chain import Event
from dock_agent.offload.messages import AllPassed
from dock_agent.offload.recover import recover
from dock_agent.store import custody, files
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Docking
from dock_agent.vault.bag import seal
from dock_agent.vault.real import RealDisk
from dock_agent.vault.verify import Result, verify_bag
from dock_agent.vault.verify_rows import verify_rows
from support.bench import KEY, Bench
from support.cards import card

SIZES = {"VIDEO/1.MP4": 300_000, "VIDEO/2.MP4": 7, "LOG/empty": 0}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


@pytest.fixture
def docking(bench: Bench, tmp_path: Path) -> Docking:
    """A docking that copied a file and found the others held."""
    source = card(tmp_path / "card", {name: SIZES[name] for name in list(SIZES)[:2]})
    bench.dock(source)
    return bench.dock(card(source, SIZES))


def check(bench: Bench, docking: Docking) -> Result:
    return verify_bag(RealDisk(), bench.bag(docking), docking.id, KEY.public)


def check_rows(bench: Bench, docking: Docking) -> Result:
    return verify_rows(bench.conn, RealDisk(), bench.vault, docking)


def reasons(result: Result) -> str:
    return "; ".join(f"{failure.id} {failure.reason}" for failure in result.failed)


def rewrite(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    rewrite(path, text.replace(old, new, 1).encode())


def sign_again(bag: Path) -> None:
    """Sign a bag as it is now: what someone with the station's key could do."""
    tags = {name: (bag / name).read_bytes() for name in manifest.TAGS}
    signed = manifest.tag_manifest(tags).encode()
    rewrite(bag / manifest.TAG_MANIFEST, signed)
    rewrite(bag / manifest.SIGNATURE, KEY.sign(signed))


def hard_link_outside(bag: Path) -> None:
    """Put a link to an equal file in a file's place."""
    kept = bag.parent / "elsewhere"
    shutil.copy(bag / "data/LOG/empty", kept)
    (bag / "data/LOG/empty").unlink()
    (bag / "data/LOG/empty").symlink_to(kept)


def link_tag(bag: Path) -> None:
    (bag / "bagit.txt").rename(bag.parent / "bagit.txt")
    (bag / "bagit.txt").symlink_to(bag.parent / "bagit.txt")


def drop_last_line(path: Path) -> None:
    rewrite(path, b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


SMUGGLED: dict[str, Callable[[Path], object]] = {
    "data/new is a directory": lambda bag: (bag / "data/new").mkdir(),
    "new is a directory": lambda bag: (bag / "new").mkdir(),
    "data/LOG/x/y is a directory": lambda bag: (bag / "data/LOG/x/y").mkdir(
        parents=True
    ),
    "data/LOG/empty is neither": hard_link_outside,
    "data/way is neither": lambda bag: (bag / "data/way").symlink_to("/etc"),
    "data/pipe is neither": lambda bag: os.mkfifo(bag / "data/pipe"),
    "bagit.txt is neither": link_tag,
    "data/0000_x.mhl is not in the manifest": lambda bag: (
        bag / "data/0000_x.mhl"
    ).write_bytes(b"<hashlist/>"),
    ".hidden is not in the manifest": lambda bag: (bag / ".hidden").write_bytes(b""),
}


@pytest.mark.parametrize("reason", SMUGGLED)
def test_what_nobody_listed_is_noticed(
    bench: Bench, docking: Docking, reason: str
) -> None:
    assert check(bench, docking).failed == []

    SMUGGLED[reason](bench.bag(docking))

    assert reason in reasons(check(bench, docking))


def test_a_file_that_is_missing_is_named(bench: Bench, docking: Docking) -> None:
    (bench.bag(docking) / "data/LOG/empty").unlink()

    found = check(bench, docking)

    assert "data/LOG/empty is missing" in reasons(found)
    assert (found.checked, found.ok) == (1, 1)


FORGED: dict[str, Callable[[Path], object]] = {
    "Payload-Oxum is not": lambda bag: edit(bag / "bag-info.txt", ".2\n", ".3\n"),
    "External-Identifier is not": lambda bag: edit(
        bag / "bag-info.txt", "External-Identifier: 0", "External-Identifier: 1"
    ),
    "Dock-Signing-Key is not": lambda bag: edit(bag / "bag-info.txt", KEY.id, "0" * 16),
    "calls complete what is not": lambda bag: edit(
        bag / "inventory.jsonl", '"state":"held"', '"state":"missed"'
    ),
    "=held-sha256.txt and the inventory differ": lambda bag: edit(
        bag / "inventory.jsonl", '"state":"held"', '"state":"skipped"'
    ),
    "should have 9 bytes": lambda bag: edit(
        bag / "inventory.jsonl", '"size":0', '"size":9'
    ),
    "inventory.jsonl and the manifest differ": lambda bag: edit(
        bag / "inventory.jsonl", '"state":"verified"', '"state":"skipped"'
    ),
    "inventory.jsonl line 1": lambda bag: edit(bag / "inventory.jsonl", "{", "{ "),
    "bagit.txt is of no version": lambda bag: edit(bag / "bagit.txt", "1.0", "0.9"),
    "station-key.pem is not": lambda bag: rewrite(bag / "station-key.pem", b""),
    "custody.jsonl line 2": lambda bag: edit(
        bag / "custody.jsonl", '"kind":"docked"', '"kind":"docked!"'
    ),
    "custody.jsonl line": lambda bag: rewrite(
        bag / "custody.jsonl", (bag / "custody.jsonl").read_bytes()[:-1]
    ),
    "manifest-sha256.txt not a manifest line": lambda bag: edit(
        bag / manifest.MANIFEST, "  data", " data"
    ),
}


@pytest.mark.parametrize("reason", FORGED)
def test_a_bag_that_contradicts_itself_is_noticed_although_it_is_signed(
    bench: Bench, docking: Docking, reason: str
) -> None:
    FORGED[reason](bench.bag(docking))
    sign_again(bench.bag(docking))

    found = reasons(check(bench, docking))

    assert reason in found
    assert "signed" not in found


def test_a_bag_sealed_anew_by_someone_with_the_key_is_noticed_by_the_store(
    bench: Bench, docking: Docking
) -> None:
    bag = bench.bag(docking)
    assert check_rows(bench, docking).failed == []
    edit(bag / "bag-info.txt", "Dock-Bay: 1", "Dock-Bay: 2")
    sign_again(bag)

    assert check(bench, docking).failed == []
    assert "is not the one that was sealed" in reasons(check_rows(bench, docking))


def test_a_log_cut_short_in_the_bag_is_noticed_by_the_store(
    bench: Bench, docking: Docking
) -> None:
    bag = bench.bag(docking)
    drop_last_line(bag / "custody.jsonl")
    sign_again(bag)

    assert check(bench, docking).failed == []
    assert "not the one that was sealed" in reasons(check_rows(bench, docking))


def test_a_log_cut_short_in_the_store_is_noticed(
    bench: Bench, docking: Docking
) -> None:
    bench.conn.execute("DROP TRIGGER custody_keeps")
    bench.conn.execute("DELETE FROM custody WHERE docking_seq > 3")

    assert "not what the station's log says" in reasons(check_rows(bench, docking))


def test_a_bag_holds_what_the_log_says_later_events_or_not(
    bench: Bench, docking: Docking
) -> None:
    with transaction(bench.conn):
        custody.append(bench.conn, Event("confirmed", docking.id), SystemClock().now())

    assert check_rows(bench, docking).failed == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE file SET state = 'quarantined' WHERE size = 0",
        "UPDATE file SET sha256 = 'x' WHERE size = 0",
        "DELETE FROM part; DELETE FROM transfer_part",
    ],
)
def test_a_row_that_the_bag_does_not_bear_out_is_noticed(
    bench: Bench, docking: Docking, change: str
) -> None:
    for statement in change.split("; "):
        bench.conn.execute(statement)

    found = check_rows(bench, docking).failed

    assert bool(found) == ("file SET" in change)


def test_a_held_file_is_no_safer_than_the_copy_that_holds_it(
    bench: Bench, docking: Docking
) -> None:
    held = bench.files(docking)["VIDEO/1.MP4"].held_by
    assert held is not None
    with transaction(bench.conn):
        files.quarantined(bench.conn, held, "differs", SystemClock().now())

    assert "what holds it is quarantined" in reasons(check_rows(bench, docking))


def test_a_file_that_the_store_never_knew_is_noticed(
    bench: Bench, docking: Docking
) -> None:
    bag = bench.bag(docking)
    line = f"{hashlib.sha256(b'').hexdigest()}  data/planted\n"
    rewrite(
        bag / manifest.MANIFEST, (bag / manifest.MANIFEST).read_bytes() + line.encode()
    )

    assert "data/planted the store does not know it" in reasons(
        check_rows(bench, docking)
    )


def test_a_bag_that_is_gone_is_said_so_by_both(bench: Bench, docking: Docking) -> None:
    shutil.rmtree(bench.bag(docking))

    assert "cannot be read" in reasons(check(bench, docking))
    assert "cannot be read" in reasons(check_rows(bench, docking))


def test_a_directory_whose_only_file_was_set_aside_is_no_failure(
    bench: Bench, tmp_path: Path
) -> None:
    docking = bench.dies_at(card(tmp_path / "card", SIZES), AllPassed, before=True)
    recover(bench.conn, bench.sealer)
    (bench.bag(docking) / "data/LOG/empty").unlink()
    file = bench.files(docking)["LOG/empty"]
    with transaction(bench.conn):
        files.quarantined(bench.conn, file.id, "differs", SystemClock().now())

    seal(bench.conn, bench.sealer, docking.id)

    assert (bench.bag(docking) / "data/LOG").is_dir()
    assert check(bench, docking).failed == []


TEXTS = st.binary(max_size=200) | st.text(max_size=100).map(str.encode)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["state", "file", "sha256", "size", "docking", "seq", "x"]),
            inner,
            max_size=4,
        )
    ),
).map(lambda thing: json.dumps(thing, sort_keys=True, separators=(",", ":")) + "\n")


@given(name=st.sampled_from(sorted(manifest.OWN)), content=TEXTS | JSON.map(str.encode))
def test_no_content_of_a_tag_file_passes_or_stops_the_check(
    sealed: tuple[Bench, Docking], name: str, content: bytes
) -> None:
    bench, docking = sealed
    path = bench.bag(docking) / name
    before = path.read_bytes()

    rewrite(path, content)
    if name not in {manifest.SIGNATURE, manifest.TAG_MANIFEST}:
        sign_again(bench.bag(docking))
    found = reasons(check(bench, docking))
    rows = reasons(check_rows(bench, docking))
    rewrite(path, before)
    sign_again(bench.bag(docking))

    assert found or rows or content == before


@given(where=st.integers(0, 1 << 30), by=st.integers(1, 255), which=st.integers(0, 99))
def test_any_changed_byte_of_a_bag_is_noticed(
    sealed: tuple[Bench, Docking], where: int, by: int, which: int
) -> None:
    bench, docking = sealed
    paths = [p for p in RealDisk().listing(bench.bag(docking)) if p.stat().st_size]
    path = paths[which % len(paths)]
    before = path.read_bytes()
    raw = bytearray(before)
    raw[where % len(raw)] ^= by

    rewrite(path, bytes(raw))
    found = check(bench, docking).failed
    rewrite(path, before)

    assert found
    assert check(bench, docking).failed == []


@pytest.fixture(scope="module")
def sealed(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Bench, Docking]]:
    root = tmp_path_factory.mktemp("sealed")
    bench = Bench(root)
    yield bench, bench.dock(card(root / "card", {"1.MP4": 3000, "2.MP4": 1}))
    bench.close()
