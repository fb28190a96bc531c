"""Leave every checkpoint of the custody log at a destination: it is the witness.

They are numbered, and no object is ever replaced. So a log that was cut, restored
from an old copy or made anew comes to a number that is taken: what is there then is
not ours, which is an alarm, and stays as it is.
"""

import hashlib
import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from dock_agent.clock import Clock
from dock_agent.errors import FixityError, NotTaken, Refused
from dock_agent.recording import CameraId, DestinationName, Digest, DockingId, Proof
from dock_agent.store import alarms, checkpoints, destinations
from dock_agent.store.checkpoints import Kept
from dock_agent.store.db import transaction
from dock_agent.sync.content import FileContent, Moved, unheard
from dock_agent.sync.destination import About, Destination, Object, Progress
from dock_agent.sync.lane import Lane
from dock_agent.vault.journal import note_path

log = logging.getLogger(__name__)

AT_A_TIME = 50  # checkpoints
NO_WITNESS = {"axis"}  # keeps recordings, and nothing else


@dataclass(frozen=True, slots=True)
class Witnessing:
    """Sends checkpoints. `moved` hears of their bytes."""

    vault: Path
    clock: Clock
    moved: Moved = unheard

    def send(self, conn: sqlite3.Connection, name: DestinationName, lane: Lane) -> int:
        """Send what this destination has not proved yet, the oldest first.

        Returns how many it proved now. After an alarm nothing more is sent there.
        Raises as a destination does, but for what concerns one object only.
        """
        row, done = destinations.get(conn, name), 0
        if row.kind in NO_WITNESS or alarms.stands(conn, name):
            return 0
        for kept in checkpoints.unwitnessed(conn, name, AT_A_TIME):
            path = self.vault / note_path(kept.number)
            if not path.is_file():
                break  # the agent is about to write it
            if not self._sent(conn, name, lane, self._object(kept, path)):
                break
            with transaction(conn):
                checkpoints.witnessed(conn, name, kept.number)
            done += 1
        return done

    def _sent(
        self, conn: sqlite3.Connection, name: DestinationName, lane: Lane, item: Object
    ) -> bool:
        try:
            return _is_proved(lane.destination, item)
        except (NotTaken, FixityError) as error:
            log.info("checkpoint waits key=%s %s", item.key, error)
        except Refused as error:
            if lane.destination.look(item, Progress()) is None:
                log.warning("checkpoint not taken key=%s %s", item.key, error)
                return False
            told = f"{item.key} is there already, and is not ours"
            with transaction(conn):
                new = alarms.alarm(conn, name, told, self.clock.now())
            if new:
                log.warning("the log differs destination=%s %s", name, told)
        return False

    def _object(self, kept: Kept, path: Path) -> Object:
        content = kept.note.encode()
        digest = Digest(hashlib.sha256(content).hexdigest())
        station = kept.note.partition("\n")[0].rpartition("/")[2]
        key = f"checkpoints/{station}/{kept.number:08d}"
        about = About(DockingId(""), CameraId(""), self.clock.now().utc, key)
        return Object(
            key, FileContent(path), len(content), digest, (digest,), about, self.moved
        )


def _is_proved(destination: Destination, item: Object) -> bool:
    """Send it; return whether the destination proved that it has it."""
    done = destination.send(item, Progress(), _forget)
    told = destination.confirm(item, done)
    return (
        told is not None and told.proof is not Proof.NONE and told.digest == item.digest
    )


def _forget(progress: Progress) -> None:
    """Remember nothing: it is so small that it is sent anew."""
    del progress
