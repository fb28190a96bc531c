"""A docked folder that everybody proved, classified, and whose time is over.

The fixtures of these tests are here, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent import retaining
from dock_agent.config import Config, parse
from dock_agent.expiring import Ask, Expired, Expiry
from dock_agent.recording import FileState, Proof, RecordingId
from dock_agent.simulated.clock import ManualClock
from dock_agent.store import approvals, categories, kept
from dock_agent.store.approvals import Approval
from dock_agent.store.db import transaction
from dock_agent.store.dockings import Docking
from dock_agent.store.transfers import Transfer
from dock_agent.vault.disk import Disk
from dock_agent.vault.layout import MARKER
from dock_agent.vault.real import RealDisk
from dock_agent.vault.write import write_file
from support.bench import Bench
from support.cards import card
from support.erasing import SIZES, confirm_all

TEXT = """
[station]
id = "bench"
[vault]
path = "vault"
[store]
path = "store.db"
[[destinations]]
name = "cloud"
kind = "directory"
path = "cloud"
local = true
[retention]
expire = {expire}
[[categories]]
name = "traffic"
keep_days = {days}
[[categories]]
name = "case"
keep = "forever"
"""
LONG = timedelta(days=40)


def proves(sent: Transfer) -> Proof:
    """Prove whatever is asked for."""
    del sent
    return Proof.READ_BACK


@dataclass
class Shelf:
    """A bench, and the copies on it."""

    root: Path
    disk: Disk = field(default_factory=RealDisk)
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.bench = Bench(self.root, self.disk, self.clock)
        if not self.disk.exists(self.bench.vault / MARKER):
            self.disk.make_directory(self.bench.vault)
            write_file(self.disk, self.bench.vault / MARKER, b"")

    def config(self, *, expire: bool = True, days: int = 30) -> Config:
        text = TEXT.format(expire=str(expire).lower(), days=days)
        return parse(text, base=self.root)

    def dock(self, category: str | None = "traffic") -> Docking:
        """Dock a card, have the destination prove it, classify it."""
        docking = self.bench.dock(card(self.root / "card", SIZES))
        confirm_all(self.bench)
        if category is not None:
            self.classify(docking, category)
        return docking

    def classify(self, docking: Docking, category: str) -> None:
        at = self.clock.now()
        with transaction(self.bench.conn) as conn:
            for ident in self.recordings(docking):
                categories.put(conn, ident, category, "A. Clerk", at)

    def recordings(self, docking: Docking) -> list[RecordingId]:
        rows = self.bench.conn.execute(
            "SELECT id FROM recording WHERE docking = ? ORDER BY id", (docking.id,)
        )
        return [RecordingId(row["id"]) for row in rows]

    def approve(self, *people: tuple[int, str], config: Config | None = None) -> None:
        """Have these people approve the plan as it is; without any: two."""
        wish = config or self.config()
        for uid, name in people or ((1001, "A. Chief"), (1002, "B. Deputy")):
            at = self.clock.now()
            shown = retaining.plan(self.bench.conn, wish, self.disk, at)
            word = Approval(shown.digest, uid, name)
            retaining.approve(self.bench.conn, wish, self.disk, word, at)

    def run(
        self,
        ask: Ask = proves,
        *,
        config: Config | None = None,
        disk: Disk | None = None,
    ) -> Expired:
        conn, wish = self.bench.conn, config or self.config()
        return Expiry(conn, wish, disk or self.disk, self.clock, ask).run()

    def there(self, docking: Docking) -> set[str]:
        """Return the stored names of the payload that is on the disk."""
        data = self.bench.bag(docking) / "data"
        return {str(path.relative_to(data)) for path in self.disk.listing(data)}

    def states(self, docking: Docking) -> set[FileState]:
        return {file.state for file in self.bench.files(docking).values()}

    def approved(self) -> bool:
        facts = approvals.in_force(self.bench.conn)
        return facts is not None and bool(facts["expire"])

    def require_sound(self, docking: Docking) -> None:
        """Fail unless what is called verified is there, and nothing went unsaid."""
        there = self.there(docking)
        for file in self.bench.files(docking).values():
            path = self.bench.bag(docking) / "data" / file.stored
            if file.state is FileState.VERIFIED:
                assert self.disk.reread(path).digest == file.copy_sha256
            else:
                assert file.state is FileState.EXPIRED
                assert file.stored not in there
        assert not [
            ident
            for ident in kept.classified(self.bench.conn)
            if kept.of_file(self.bench.conn, ident).file.stored not in there
        ]

    def close(self) -> None:
        self.bench.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.close()


@pytest.fixture
def ripe(shelf: Shelf) -> Docking:
    """Return a docking all of which may go: approved, and past its time."""
    docking = shelf.dock()
    shelf.clock.advance(LONG)
    shelf.approve()
    return docking
