"""Ask a destination to prove now what it proved before: every byte, once more."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dock_agent.recording import DestinationName, Proof
from dock_agent.store import destinations
from dock_agent.store.transfers import Transfer
from dock_agent.sync.contact import require_place
from dock_agent.sync.destination import Progress
from dock_agent.sync.item import named
from dock_agent.sync.lane import Lane


@dataclass(frozen=True, slots=True)
class Asking:
    """Asks the destinations of the configuration."""

    conn: sqlite3.Connection
    vault: Path
    lanes: Mapping[DestinationName, Lane]

    def proof(self, sent: Transfer) -> Proof:
        """Return the proof that it has this very object; `NONE` if it gives none.

        Of an object that it keeps elsewhere it gives none. Raises as a destination
        does, `Barred` among them where it is not the place that it was.
        """
        lane = self.lanes.get(sent.destination)
        if lane is None:
            return Proof.NONE
        require_place(destinations.get(self.conn, sent.destination), lane.destination)
        item = named(self.conn, self.vault, sent)
        handle = Progress(sent.upload, sent.generation, (), sent.sent)
        told = lane.destination.confirm(item, handle)
        if told is None or told.apart or told.digest != sent.sha256:
            return Proof.NONE
        return told.proof
