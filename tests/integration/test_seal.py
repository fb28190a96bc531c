"""What is sealed, and what is not: a seal never signs for more than is there."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent.bays.machine import Failed
from dock_agent.custody import manifest
from dock_agent.custody.chain import Event
from dock_agent.custody.checkpoint import Checkpoint, origin, signed
from dock_agent.errors import FixityError, StoreError
from dock_agent.offload.messages import AllPassed, Named
from dock_agent.offload.recover import recover
from dock_agent.recording import DockingState, Proof, TransferState
from dock_agent.store import (
    backlog,
    checkpoints,
    confirmations,
    custody,
    files,
    orders,
    transfers,
)
from dock_agent.store.checkpoints import Kept
from dock_agent.store.confirmations import Confirmed
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Docking
from dock_agent.store.transfers import Claim
from dock_agent.vault.bag import seal
from dock_agent.vault.real import RealDisk
from dock_agent.vault.verify import verify_bag
from dock_agent.vault.verify_rows import verify_rows
from support.bench import CLOUD, KEY, Bench
from support.cards import card

SIZES = {"VIDEO/1.MP4": 300_000, "VIDEO/1.NMEA": 400, "LOG/empty": 0}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def wrong(bench: Bench, docking: Docking) -> list[str]:
    bag = verify_bag(RealDisk(), bench.bag(docking), docking.id, KEY.public)
    rows = verify_rows(bench.conn, RealDisk(), bench.vault, docking)
    return [str(failure) for failure in (*bag.failed, *rows.failed)]


def info(bench: Bench, docking: Docking) -> dict[str, str]:
    return manifest.labels((bench.bag(docking) / "bag-info.txt").read_text("utf-8"))


def stopped(bench: Bench, root: Path) -> Docking:
    """Return a docking that was stopped just before its seal, recovered."""
    docking = bench.dies_at(card(root / "card", SIZES), AllPassed, before=True)
    recover(bench.conn, bench.sealer)
    return bench.docking(docking.id)


def test_a_docking_stopped_midway_is_sealed_as_incomplete(
    bench: Bench, tmp_path: Path
) -> None:
    docking = bench.dies_at(card(tmp_path / "card", SIZES), Named, before=False)
    recover(bench.conn, bench.sealer)

    told = seal(bench.conn, bench.sealer, docking.id)

    found = bench.docking(docking.id)
    assert (told.complete, found.complete) == (False, False)
    assert info(bench, found)["Dock-Complete"] == "false"
    assert wrong(bench, found) == []


class DiskOfAStationThatSends(RealDisk):
    """While a bag's own files get their names, a destination confirms an object."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self._bench = bench

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        if target.name != "custody.jsonl":
            return
        at = self._bench.clock.now()
        wish = Claim(CLOUD, "a worker", at.utc, timedelta(minutes=5))
        with transaction(self._bench.conn) as conn:
            found = transfers.claim(conn, wish)
            assert found is not None
            proof = Confirmed(Proof.READ_BACK, found.sha256)
            confirmations.confirm(conn, found, proof, at)


def test_what_is_confirmed_while_a_docking_is_sealed_makes_its_bag_no_other(
    bench: Bench, tmp_path: Path
) -> None:
    docking = stopped(bench, tmp_path)
    sealer = replace(bench.sealer, disk=DiskOfAStationThatSends(bench))

    seal(bench.conn, sealer, docking.id)

    lines = map(json.loads, custody.lines(bench.conn, docking.id))
    assert [line["kind"] for line in lines][-2:] == ["confirmed", "sealed"]
    assert wrong(bench, docking) == []


def test_a_docking_whose_second_pass_did_not_end_is_never_called_complete(
    bench: Bench, tmp_path: Path
) -> None:
    docking = stopped(bench, tmp_path)

    told = seal(bench.conn, bench.sealer, docking.id)

    assert (told.safe, told.files) == (3, 3)
    assert not told.complete
    assert wrong(bench, docking) == []


def test_the_log_in_the_bag_ends_before_its_own_seal(
    bench: Bench, tmp_path: Path
) -> None:
    docking = bench.dock(card(tmp_path / "card", SIZES))

    text = (bench.bag(docking) / "custody.jsonl").read_text("utf-8")

    kinds = [json.loads(line)["kind"] for line in text.splitlines()]
    assert kinds[:2] == ["docked", "listed"]
    assert kinds.count("verified") == 3
    assert "sealed" not in kinds


def test_the_inventory_says_of_every_entry_what_became_of_it(
    bench: Bench, tmp_path: Path
) -> None:
    source = card(tmp_path / "card", SIZES)
    (source / "link").symlink_to("/etc/passwd")
    first = bench.dock(source)
    card(source, {"VIDEO/2.MP4": 77})

    second = bench.dock(source)

    text = (bench.bag(second) / "inventory.jsonl").read_text("utf-8")
    entries = {e["name"]: e for e in map(json.loads, text.splitlines())}
    assert entries["VIDEO/2.MP4"]["state"] == "verified"
    assert entries["link"]["state"] == "skipped"
    assert entries["VIDEO/1.MP4"]["held_by"] == {
        "docking": first.id,
        "file": "VIDEO/1.MP4",
    }
    assert not (bench.bag(second) / "data/VIDEO/1.MP4").exists()
    assert wrong(bench, second) == []


def test_what_the_bag_adds_is_sent_and_the_signature_last(
    bench: Bench, tmp_path: Path
) -> None:
    docking = bench.dock(card(tmp_path / "card", SIZES))

    rows = bench.conn.execute(
        "SELECT path, state FROM transfer WHERE destination = ? AND file IS NULL",
        (CLOUD,),
    )

    states = {Path(row["path"]).name: row["state"] for row in rows}
    assert states.pop("tagmanifest.sig") == TransferState.BLOCKED
    assert set(states) == manifest.OWN - {manifest.SIGNATURE}
    assert set(states.values()) == {TransferState.QUEUED}
    assert docking.state is DockingState.SEALED


@pytest.mark.parametrize("state", ["opened", "copying"])
def test_a_docking_to_which_files_still_arrive_is_not_sealed(
    bench: Bench, tmp_path: Path, state: str
) -> None:
    docking = stopped(bench, tmp_path)
    bench.conn.execute("UPDATE docking SET state = ?", (state,))

    with pytest.raises(StoreError, match="too early"):
        seal(bench.conn, bench.sealer, docking.id)

    assert not (bench.bag(docking) / "tagmanifest.sig").exists()


DIFFERENT: dict[str, Callable[[Path], object]] = {
    "is missing": lambda data: (data / "VIDEO/1.MP4").unlink(),
    "was never proved": lambda data: (data / "VIDEO/x.MP4").write_bytes(b"whose?"),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_a_seal_does_not_sign_for_what_is_not_there_or_was_never_proved(
    bench: Bench, tmp_path: Path, what: str
) -> None:
    docking = stopped(bench, tmp_path)
    DIFFERENT[what](bench.bag(docking) / "data")

    with pytest.raises(FixityError, match=what):
        seal(bench.conn, bench.sealer, docking.id)

    assert bench.docking(docking.id).state is DockingState.INTERRUPTED
    assert not (bench.bag(docking) / "tagmanifest.sig").exists()


def test_what_an_unfinished_seal_left_is_written_anew(
    bench: Bench, tmp_path: Path
) -> None:
    docking = stopped(bench, tmp_path)
    bag = bench.bag(docking)
    for name in (
        "bagit.txt",
        "data/=held-sha256.txt",
        "data/.part-own-=held-sha256.txt",
    ):
        (bag / name).write_bytes(b"of an unfinished seal")

    seal(bench.conn, bench.sealer, docking.id)

    assert wrong(bench, docking) == []


@pytest.mark.parametrize("state", ["interrupted", "checking"])
def test_a_quarantined_file_keeps_its_docking_incomplete(
    bench: Bench, tmp_path: Path, state: str
) -> None:
    docking = stopped(bench, tmp_path)
    bench.conn.execute("UPDATE docking SET state = ?", (state,))
    victim = bench.files(docking)["VIDEO/1.MP4"]
    (bench.bag(docking) / "data/VIDEO/1.MP4").unlink()
    with transaction(bench.conn):
        at = bench.clock.now()
        files.quarantined(bench.conn, victim.id, "differs", at)
        orders.withdraw(bench.conn, victim.id, at)

    told = seal(bench.conn, bench.sealer, docking.id)

    assert (told.complete, told.safe, told.files) == (False, 2, 3)
    assert "VIDEO/1.MP4" not in (bench.bag(docking) / manifest.MANIFEST).read_text()
    assert wrong(bench, docking) == []
    row = bench.conn.execute(
        "SELECT state FROM transfer WHERE file = ?", (victim.id,)
    ).fetchone()
    assert row["state"] == TransferState.WITHDRAWN
    assert backlog.waiting(bench.conn).refused == 0


def test_a_log_that_is_not_what_was_signed_is_told_at_the_bay_and_nothing_is_green(
    bench: Bench, tmp_path: Path
) -> None:
    with transaction(bench.conn) as conn:
        at, head = bench.clock.now(), custody.head(conn)
        custody.append(conn, Event("x"), at)
        other = signed(Checkpoint(origin("bench-1"), head.seq + 1, bytes(32)), KEY)
        checkpoints.keep(conn, Kept(1, head.seq + 1, other), at)

    docking = bench.dock(card(tmp_path / "card", SIZES))

    assert docking.state is not DockingState.SEALED
    last = bench.events[-1]
    assert isinstance(last, Failed)
    assert last.code == "D-21"
    assert "not the one that was signed" in last.reason
