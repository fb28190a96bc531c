"""Erase a docked folder in this thread, with whatever goes wrong in the midst of it.

The fixtures of these tests are here, too: a bench, and a card in a folder.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dock_agent.bays.machine import Cleared, Failed
from dock_agent.errors import DockError
from dock_agent.offload.erase.books import EraseBooks, EraseJob, break_off, over, unsafe
from dock_agent.offload.erase.card import Card, WritableCard
from dock_agent.offload.erase.door import Door
from dock_agent.offload.erase.work import Erase, Way
from dock_agent.offload.messages import Found, Heard, Said, Stop, ended
from dock_agent.offload.release import Rule
from dock_agent.offload.root import Root
from dock_agent.recording import CameraId, DestinationName, DockingId, Policy, Proof
from dock_agent.store import confirmations, custody, holds, transfers
from dock_agent.store.confirmations import Confirmed
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Docking
from dock_agent.store.holds import Hold
from dock_agent.store.transfers import Claim
from support.bench import CAMERA, CLOUD, Bench, unheard
from support.cards import card, content, digests

RULE = Rule(
    Policy.AFTER_VERIFIED,
    may_erase=True,
    cached_vault=False,
    destinations=frozenset({CLOUD}),
)
CONFIRMED = replace(RULE, policy=Policy.AFTER_CONFIRMED)
NOWHERE = frozenset[DestinationName]()
SIZES = {f"DCIM/{n:04d}.MP4": 5000 + n for n in range(5)} | {"LOG/1.LOG": 100}


@dataclass(frozen=True)
class Direct:
    """The way to the books in the same thread; `before` and `then` hear each word."""

    books: EraseBooks
    before: Callable[[Said], None]
    then: Callable[[Said], None]

    def ask(self, said: Said) -> Heard:
        self.before(said)
        answer = self.books.answer(said) or Stop("no answer")
        self.then(said)
        return answer

    def tell(self, said: Said) -> None:
        self.books.answer(said)


@dataclass
class Clearing:
    """How an erase is to go."""

    bench: Bench
    source: Path
    rule: Rule = RULE
    camera: CameraId = CAMERA
    root: Root | None = None
    card: Callable[..., Card] = WritableCard
    door: Door | None = None
    before: Callable[[Said], None] = unheard
    then: Callable[[Said], None] = unheard

    def of(self, docking: Docking) -> str | None:
        """Erase; return why it was not done, or None."""
        bench = self.bench
        root = self.root or Root.of(self.source.stat())
        job = EraseJob(docking.id, self.camera, self.source, root)
        bench.events = []
        books = EraseBooks(
            bench.conn, bench.sealer, job, self.rule, bench.events.append
        )
        try:
            order = books.open()
        except DockError as error:
            why = ended(error)
            break_off(bench.conn, bench.sealer, (job, self.rule), why)
            bench.events.append(over(unsafe(why), why.detail))
            return str(error)
        channel = Direct(books, self.before, self.then)
        try:
            way = Way(partial(self.card, expected=root), self.door)
            Erase(way, bench.disk, channel, order).run()
        except DockError as error:
            books.end(ended(error))
        last = bench.events[-1]
        assert isinstance(last, Cleared | Failed), bench.events
        return last.reason


def told(bench: Bench, docking: DockingId, kind: str) -> list[Mapping[str, Any]]:
    """Return the custody lines of one kind about a docking."""
    lines = map(json.loads, custody.lines(bench.conn, docking))
    return [line for line in lines if line["kind"] == kind]


def erasures(bench: Bench, docking: DockingId) -> dict[str, str]:
    """Return what is on record of each file of a docking, by its stored name."""
    rows = bench.conn.execute(
        "SELECT file.stored, erasure.state FROM erasure JOIN file ON file.id = file"
        " WHERE erasure.docking = ?",
        (docking,),
    )
    return {row["stored"]: row["state"] for row in rows}


def require_intents(bench: Bench, gone: Mapping[bytes, str]) -> None:
    """Fail unless each file that is gone was meant to go, on what is in the vault.

    `gone` are the digests by path. A file without an intent, an intent without a
    verified copy, or a copy that is not on the disk is a loss.
    """
    for path, digest in gone.items():
        row = bench.conn.execute(
            "SELECT copy.stored, docking.bag FROM erasure"
            " JOIN file ON file.id = erasure.file"
            " JOIN file AS copy ON copy.id = coalesce(file.held_by, file.id)"
            " JOIN docking ON docking.id = copy.docking"
            " WHERE file.path = ? AND file.sha256 = ? AND copy.sha256 = ?"
            " AND copy.state = 'verified' AND docking.state = 'sealed'",
            (path, digest, digest),
        ).fetchone()
        assert row is not None, path
        kept = bench.vault / row["bag"] / "data" / row["stored"]
        assert bench.disk.reread(kept).digest == digest


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
    assert erasures(bench, docking.id) == {}
    assert told(bench, docking.id, "erase intended") == []
    (refused,) = told(bench, docking.id, "erase refused")
    assert why in refused["facts"]["reason"]


def confirm_all(
    bench: Bench, proof: Proof = Proof.READ_BACK, name: DestinationName = CLOUD
) -> None:
    """Have the destination prove everything that waits for it."""
    at = bench.clock.now()
    while True:
        with transaction(bench.conn) as conn:
            wish = Claim(name, "worker", at.utc, timedelta(minutes=1))
            claimed = transfers.claim(conn, wish)
            if claimed is None:
                return
            confirmed = Confirmed(proof, claimed.sha256)
            confirmations.confirm(conn, claimed, confirmed, at)


def hold(bench: Bench, docking: Docking) -> None:
    with transaction(bench.conn) as conn:
        holds.place(conn, Hold(docking.id, "A. Judge", "case 7"), bench.clock.now())


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


def record_more(source: Path) -> None:
    (source / "DCIM/9999.MP4").write_bytes(b"new footage")


def give_other_bytes(source: Path) -> None:
    path = source / "DCIM/0002.MP4"
    facts = path.stat()
    path.write_bytes(content("other", facts.st_size))
    os.utime(path, ns=(facts.st_mtime_ns, facts.st_mtime_ns))
