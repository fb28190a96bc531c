"""The destinations, and what is known of the way to each."""

import sqlite3
from dataclasses import dataclass
from datetime import datetime, timedelta

from dock_agent.clock import Instant, stamp, unstamp
from dock_agent.custody.chain import Event
from dock_agent.errors import ConfigError, NotAllowed
from dock_agent.recording import DestinationName, LinkState
from dock_agent.store import custody
from dock_agent.store.db import writer

LATELY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class DestinationRow:
    """One destination as the station remembers it. Times are aware UTC.

    `place` is where it is, as one string, and `marker` the id that was found or put
    there; `capabilities` is JSON; `goodput` bytes a second, lately. `configured` is
    whether the configuration names it, as whoever started last has read it.
    """

    name: DestinationName
    kind: str
    place: str | None
    marker: str | None
    link: LinkState
    link_since: datetime | None
    last_success: datetime | None
    last_failure: datetime | None
    failure: str | None
    try_after: datetime | None
    attempts: int
    paused: bool
    capabilities: str
    goodput: int | None
    goodput_at: datetime | None
    configured: bool


@writer
def ensure(
    conn: sqlite3.Connection, name: DestinationName, kind: str, place: str | None = None
) -> None:
    """Know a destination from the configuration."""
    conn.execute(
        "INSERT INTO destination (name, kind, place, link)"
        " VALUES (:name, :kind, :place, 'unknown') ON CONFLICT (name) DO UPDATE"
        " SET kind = excluded.kind, place = coalesce(place, excluded.place)",
        {"name": name, "kind": kind, "place": place},
    )


@writer
def bind(
    conn: sqlite3.Connection, name: DestinationName, marker: str, at: Instant
) -> None:
    """Remember the id of the place, once: no other place is this destination."""
    cursor = conn.execute(
        "UPDATE destination SET marker = ? WHERE name = ? AND marker IS NULL",
        (marker, name),
    )
    if cursor.rowcount != 1:
        return  # another thread was faster; the next look holds it against this one
    facts = {"destination": name, "marker": marker}
    custody.append(conn, Event("destination bound", facts=facts), at)


@writer
def moved(
    conn: sqlite3.Connection, name: DestinationName, place: str, at: Instant
) -> None:
    """The place is reached in another way now; its marker, if any, says it is it."""
    conn.execute("UPDATE destination SET place = ? WHERE name = ?", (place, name))
    marked = get(conn, name).marker is not None
    facts = {"destination": name, "place": place, "marked": marked}
    custody.append(conn, Event("destination moved", facts=facts), at)


@dataclass(frozen=True, slots=True)
class SamePlace:
    """A person's word: what is at `place` now is the destination. `why` is text."""

    destination: DestinationName
    place: str
    by: str
    why: str


@writer
def same_place(conn: sqlite3.Connection, order: SamePlace, at: Instant) -> None:
    """Take a person's word where no marker tells whether it is the place it was.

    What it does there is found out anew. Raises `ConfigError` if nobody ever knew it,
    and `NotAllowed` where a marker tells, or without a name or a reason.
    """
    name, by, why = order.destination, order.by.strip(), order.why.strip()
    if get(conn, name).marker is not None:
        raise NotAllowed(f"{name} has a marker, which tells where it is")
    if not (by and why):
        raise NotAllowed("an order needs who gives it, and why")
    asked = "to be taken for the place it was"
    facts = {"destination": name, "asked": asked, "reason": why}
    custody.append(conn, Event("order", facts=facts, actor=by), at)
    moved(conn, name, order.place, at)
    learnt(conn, name, "{}")
    wake(conn, name)


@writer
def answered(
    conn: sqlite3.Connection, name: DestinationName, link: LinkState, at: Instant
) -> None:
    """The destination itself answered: nothing rests any more.

    A failure of just now is not forgotten for an answer: the next rest is longer.
    """
    now, lately = stamp(at.utc), stamp(at.utc - LATELY)
    conn.execute(
        "UPDATE destination SET last_success = :now, try_after = NULL,"
        " attempts = CASE WHEN last_failure > :lately THEN attempts ELSE 0 END,"
        " failure = NULL,"
        " link_since = CASE WHEN link = :link THEN link_since ELSE :now END,"
        " link = :link WHERE name = :name",
        {"now": now, "lately": lately, "link": link, "name": name},
    )


@writer
def took(conn: sqlite3.Connection, name: DestinationName) -> None:
    """It took bytes, or an object: its next rest is a short one."""
    conn.execute("UPDATE destination SET attempts = 0 WHERE name = ?", (name,))


@dataclass(frozen=True, slots=True)
class Silence:
    """A destination that takes nothing now: why, and when it is tried again.

    `attempts` is how often in a row it was silent, this time included.
    """

    link: LinkState
    failure: str
    try_after: datetime
    attempts: int


@writer
def silent(
    conn: sqlite3.Connection, name: DestinationName, silence: Silence, at: Instant
) -> None:
    """The whole destination rests: one probe finds it again, not every file."""
    conn.execute(
        "UPDATE destination SET last_failure = :now, failure = :failure,"
        " try_after = :after, attempts = :attempts,"
        " link_since = CASE WHEN link = :link THEN link_since ELSE :now END,"
        " link = :link WHERE name = :name",
        {
            "now": stamp(at.utc),
            "failure": silence.failure,
            "after": stamp(silence.try_after),
            "attempts": silence.attempts,
            "link": silence.link,
            "name": name,
        },
    )


@writer
def wake(conn: sqlite3.Connection, name: DestinationName | None = None) -> None:
    """Let no destination (or not this one) rest any longer: the network changed."""
    conn.execute(
        "UPDATE destination SET try_after = NULL WHERE :name IS NULL OR name = :name",
        {"name": name},
    )


@writer
def pause(
    conn: sqlite3.Connection, name: DestinationName, at: Instant, *, paused: bool
) -> None:
    """A person holds a destination back, or lets it go; `ConfigError` if unknown."""
    cursor = conn.execute(
        "UPDATE destination SET paused = ? WHERE name = ?", (paused, name)
    )
    if cursor.rowcount != 1:
        raise ConfigError(f"no destination is called {name}")
    facts = {"destination": name, "asked": "to wait" if paused else "to go on"}
    custody.append(conn, Event("order", facts=facts), at)


@writer
def learnt(conn: sqlite3.Connection, name: DestinationName, capabilities: str) -> None:
    """Keep what the place was found to do, as JSON."""
    conn.execute(
        "UPDATE destination SET capabilities = ? WHERE name = ?", (capabilities, name)
    )


@writer
def measured(
    conn: sqlite3.Connection, name: DestinationName, goodput: int, at: Instant
) -> None:
    """Keep how fast it goes, in bytes a second."""
    conn.execute(
        "UPDATE destination SET goodput = ?, goodput_at = ? WHERE name = ?",
        (goodput, stamp(at.utc), name),
    )


def every(conn: sqlite3.Connection) -> list[DestinationRow]:
    """Return all of them by name."""
    return [_row(row) for row in conn.execute("SELECT * FROM destination ORDER BY 1")]


def get(conn: sqlite3.Connection, name: DestinationName) -> DestinationRow:
    """Return one destination; raise `ConfigError` if the station never knew it."""
    row = conn.execute("SELECT * FROM destination WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise ConfigError(f"no destination is called {name}")
    return _row(row)


def _time(text: str | None) -> datetime | None:
    return None if text is None else unstamp(text)


def _row(row: sqlite3.Row) -> DestinationRow:
    facts = {column: row[column] for column in DestinationRow.__dataclass_fields__}
    times = ("link_since", "last_success", "last_failure", "try_after", "goodput_at")
    facts |= {column: _time(row[column]) for column in times}
    facts |= {"link": LinkState(row["link"]), "paused": bool(row["paused"])}
    facts |= {"configured": bool(row["configured"])}
    return DestinationRow(**facts)
