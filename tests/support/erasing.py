"""Erase a docked folder in this thread, with whatever goes wrong in the midst of it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from dock_agent.bays.machine import Cleared, Failed
from dock_agent.errors import DockError
from dock_agent.offload.erase.books import EraseBooks, EraseJob, break_off, over, unsafe
from dock_agent.offload.erase.card import Card, WritableCard
from dock_agent.offload.erase.door import Door
from dock_agent.offload.erase.work import Erase, Way
from dock_agent.offload.messages import Heard, Said, Stop, ended
from dock_agent.offload.release import Rule
from dock_agent.offload.root import Root
from dock_agent.recording import CameraId, DestinationName, DockingId, Policy
from dock_agent.store import custody
from dock_agent.store.dockings import Docking
from support.bench import CAMERA, CLOUD, Bench, unheard

RULE = Rule(
    Policy.AFTER_VERIFIED,
    may_erase=True,
    cached_vault=False,
    destinations=frozenset({CLOUD}),
)
CONFIRMED = replace(RULE, policy=Policy.AFTER_CONFIRMED)
NOWHERE = frozenset[DestinationName]()


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
