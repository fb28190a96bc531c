"""Have the newest checkpoint of the custody log stamped by a time authority.

Nothing waits for it: while nobody answers the checkpoint waits, and the next one
takes its place, which speaks for all lines before it.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dock_agent.clock import Clock
from dock_agent.config import Config
from dock_agent.custody import timestamp
from dock_agent.errors import Barred, DockError
from dock_agent.store import timestamps
from dock_agent.store.checkpoints import Kept
from dock_agent.store.db import transaction
from dock_agent.sync.policy import next_attempt, resting
from dock_agent.sync.transport.client import Transport
from dock_agent.sync.transport.wire import Patience
from dock_agent.sync.transport.words import host_of

log = logging.getLogger(__name__)

OK = 200
DEADLINE_S = 10.0  # for an answer of some kilobytes
PATIENCE = Patience(connect_s=5.0, write_s=DEADLINE_S, read_s=DEADLINE_S)
HEADERS = {"content-type": "application/timestamp-query"}  # RFC 3161, 3.4
NAP = 2.0  # seconds between two looks whether one is due


@dataclass(slots=True)
class Stamping:
    """Asks an authority each `every` in which a checkpoint was made. One thread's."""

    url: str
    ca_file: Path
    every: timedelta
    clock: Clock
    tries: int = 0
    try_after: datetime | None = None

    def keep_asking(
        self, connect: Callable[[], sqlite3.Connection], stop: threading.Event
    ) -> None:
        """Ask whenever it is time, until `stop` is set."""
        with closing(connect()) as conn:
            while not stop.is_set():
                self.step(conn)
                stop.wait(NAP)

    def step(self, conn: sqlite3.Connection) -> bool:
        """Have the newest checkpoint stamped if it is time; return whether it was."""
        if resting(self.try_after, self.clock.now().utc):
            return False
        try:
            kept = self._due(conn)
            if kept is not None:
                self._stamp(conn, kept)
        except DockError as error:
            self.tries += 1
            jitter = int.from_bytes(self.clock.entropy(4), "big") / 2**32
            now = self.clock.now().utc
            self.try_after = next_attempt(self.tries, now, jitter)
            log.warning("no time stamp until=%s %s", self.try_after, error)
            return False
        return kept is not None

    def _due(self, conn: sqlite3.Connection) -> Kept | None:
        last = next(timestamps.newest(conn), None)
        # In the future it may lie: the clock was set back since.
        if last and abs(self.clock.now().utc - last.kept_at) < self.every:
            return None
        return timestamps.waiting(conn)

    def _stamp(self, conn: sqlite3.Connection, kept: Kept) -> None:
        """Ask, and keep the answer once it is seen to prove what it should."""
        roots = timestamp.authorities(self.ca_file)
        asked = timestamp.question(kept.note)
        with closing(Transport(deadline_s=DEADLINE_S, patience=PATIENCE)) as way:
            answer = way.call("POST", self.url, HEADERS, asked.query)
        if answer.status != OK:
            raise Barred(f"{host_of(self.url)} answered {answer.status}")
        at = timestamp.verify(answer.body, kept.note, roots, asked.nonce)
        with transaction(conn):
            timestamps.keep(conn, kept.number, answer.body, self.clock.now())
        self.tries, self.try_after = 0, None
        log.info("checkpoint stamped number=%d at=%s", kept.number, at)


def stamping(config: Config, clock: Clock) -> Stamping | None:
    """Return what asks the authority of the configuration, if it names one."""
    table = config.timestamp
    if table is None:
        return None
    every = timedelta(seconds=table.interval_s)
    return Stamping(table.url, config.resolve(table.ca_file), every, clock)
