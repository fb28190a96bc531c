"""A vault with sealed dockings in it, and what looks at it again."""

import json
from pathlib import Path
from typing import Any

from dock_agent.store import alerts, custody, scrubs
from dock_agent.store.scrubs import Item
from dock_agent.vault.heal import Healer
from dock_agent.vault.scrub import Scrubber
from support.bench import Bench


class Scrubbed:
    """Scrubs a bench's vault; `fetched` is where destinations give back."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.fetched = bench.root / "fetched"
        parts = bench.conn, bench.disk, bench.vault
        self.scrubber = Scrubber(*parts, bench.clock)
        self.healer = Healer(*parts, self.fetched, bench.clock)
        self.scrubber.enrol()

    def items(self) -> dict[str, Item]:
        """Return every file that is known, by its path."""
        rows = self.bench.conn.execute("SELECT DISTINCT docking FROM scrub").fetchall()
        listed = [scrubs.of_docking(self.bench.conn, row["docking"]) for row in rows]
        return {item.path: item for items in listed for item in items}

    def all(self) -> dict[str, str]:
        """Read every file once; return what is wrong, by path."""
        told = {path: self.scrubber.look(item) for path, item in self.items().items()}
        return {path: wrong for path, wrong in told.items() if wrong is not None}

    def path(self, ending: str) -> Path:
        """Return the one file of the vault whose path ends so."""
        (found,) = [path for path in self.items() if path.endswith(ending)]
        return self.bench.vault / found

    def told(self, kind: str) -> list[dict[str, Any]]:
        """Return what the custody events of one kind say."""
        events = map(json.loads, custody.log(self.bench.conn).splitlines())
        return [event["facts"] for event in events if event["kind"] == kind]

    def alerts(self) -> list[str]:
        """Return what a person is told."""
        return alerts.lines(self.bench.conn, self.bench.clock.now().utc)


def flip(path: Path, bit: int) -> None:
    """Change one bit of a file, whatever its mode; once more puts it back."""
    mode = path.stat().st_mode & 0o777
    path.chmod(0o600)
    with path.open("r+b") as file:
        file.seek(bit // 8)
        (byte,) = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))
    path.chmod(mode)
