"""Put the status together: the bays from the loop, the rest from the store."""

import os
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from msgspec.structs import replace as replaced

from dock_agent.bays.machine import Bay
from dock_agent.clock import Instant, stamp
from dock_agent.config import Config
from dock_agent.recording import BayName, BayState, Colour
from dock_agent.store import alarms, alerts, backlog, destinations, files, views
from dock_agent.store.db import reading
from dock_agent.watch.eta import Pace
from dock_agent.watch.links import link
from dock_agent.watch.status import (
    BayStatus,
    Owed,
    Queue,
    Room,
    Status,
    Verdict,
    bay_status,
    is_fresh,
    read,
    refusal,
)
from dock_agent.watch.verdict import verdict

HISTORY = timedelta(days=28)  # what the forecast of room looks back on


@dataclass(slots=True)
class Watcher:
    """Remembers what one look at the bays cannot tell: since when, how fast."""

    config: Config
    _since: dict[BayName, tuple[BayState, datetime]] = field(default_factory=dict)
    _paces: dict[BayName, Pace] = field(default_factory=dict)

    def look(
        self, conn: sqlite3.Connection, bays: Mapping[BayName, Bay], at: Instant
    ) -> Status:
        """Return the whole status at this moment. `rev` is left at 0."""
        shown = tuple(self._bay(bay, at) for bay in bays.values())
        return _status(self.config, conn, shown, at)

    def _bay(self, bay: Bay, at: Instant) -> BayStatus:
        state, since = self._since.get(bay.name, (None, at.utc))
        if state is not bay.state:
            since = at.utc
            self._since[bay.name] = bay.state, since
        pace = self._paces.setdefault(bay.name, Pace())
        pace.note(at.monotonic_ns / 1e9, bay.size_done)
        busy = bay.state is BayState.COPYING
        left = pace.seconds_left(bay.size_total) if busy else None
        return bay_status(bay, since, left)


def current(config: Config, now: Instant) -> Status:
    """Return the status for the command line: the agent's, or what the store knows.

    Without a word of the agent's nothing is known of the bays, and `at` is empty.
    """
    last = read(config.snapshot_path)
    if last is not None and is_fresh(last, now):
        return last
    with reading(config.store_path) as conn:
        status = _status(config, conn, () if last is None else last.bays, now)
    return not_live(replaced(status, at="" if last is None else last.at))


def not_live(status: Status) -> Status:
    """Return a status that nobody keeps up to date: nothing in it is green."""
    bays = tuple(
        replaced(bay, colour=Colour.AMBER) if bay.colour is Colour.GREEN else bay
        for bay in status.bays
    )
    said = verdict(bays, live=False, refusal=refusal(status.vault, bays))
    told = Verdict(key=said.key, text=said.text, tone=said.tone)
    return replaced(status, live=False, bays=bays, verdict=told)


def _status(
    config: Config,
    conn: sqlite3.Connection,
    bays: tuple[BayStatus, ...],
    at: Instant,
) -> Status:
    room, waiting = _room(config, conn, at.utc), backlog.by_destination(conn)
    said = verdict(bays, live=True, refusal=refusal(room, bays))
    told = alarms.every(conn)
    return Status(
        station=config.station.id,
        rev=0,
        at=stamp(at.utc),
        boot=at.boot,
        monotonic_ns=at.monotonic_ns,
        live=True,
        verdict=Verdict(key=said.key, text=said.text, tone=said.tone),
        bays=bays,
        queue=_queue(conn, at.utc),
        links=tuple(
            link(config, row, at.utc, waiting.get(row.name, 0))
            for row in destinations.every(conn)
            if row.configured or row.name in waiting
        ),
        vault=room,
        owed=tuple(_owed(row) for row in views.owed(conn)),
        alarms=tuple(str(one) for one in told if one.by is None),
        acknowledged=tuple(f"{one} ({one.by})" for one in told if one.by),
        alerts=tuple(alerts.lines(conn, at.utc)),
    )


def _queue(conn: sqlite3.Connection, now: datetime) -> Queue:
    waiting = backlog.waiting(conn)
    age = None if waiting.oldest is None else (now - waiting.oldest).total_seconds()
    return Queue(
        waiting=waiting.count,
        bytes=waiting.size,
        oldest_age_s=None if age is None else max(0.0, round(age)),
        refused=waiting.refused,
        stranded=waiting.stranded,
    )


def _owed(row: views.Owed) -> Owed:
    return Owed(
        camera=row.camera,
        bay=row.bay,
        done=row.done,
        total=row.total,
        since=stamp(row.since),
    )


def _room(config: Config, conn: sqlite3.Connection, now: datetime) -> Room:
    free, total = _space(config.vault_path)
    daily = files.daily_bytes(conn, now - HISTORY, now)
    spare = max(0, free - config.vault.reserve_bytes)
    return Room(
        free_bytes=free,
        total_bytes=total,
        reserve_bytes=config.vault.reserve_bytes,
        days_left=round(spare / daily, 1) if daily else None,
    )


def _space(path: Path) -> tuple[int, int]:
    try:
        facts = os.statvfs(path)
    except OSError:
        return 0, 0
    return facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize
