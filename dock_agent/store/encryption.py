"""That this station encrypts, and to whom: remembered until an order ends it."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from dock_agent.clock import Instant
from dock_agent.custody.chain import Event
from dock_agent.custody.recipients import parse
from dock_agent.errors import ConfigError
from dock_agent.store import custody
from dock_agent.store.db import writer

KEY = "encryption"


class EncryptionMissing(ConfigError):
    """This station encrypts, and its configuration would have it copy in the clear."""

    hint = (
        "Put [encryption] back as it was; nothing is copied until then."
        " To end it, a recipient signs what `dock-agent encryption order` prints."
    )


@dataclass(frozen=True, slots=True)
class Encryption:
    """Since when it is on, an id of that time alone, and the public files of then."""

    since: str
    recipients: tuple[str, ...]

    def ids(self) -> tuple[str, ...]:
        """Return the ids of the recipients."""
        return tuple(parse(pem.encode()).id for pem in self.recipients)


def get(conn: sqlite3.Connection) -> Encryption | None:
    """Return what was turned on; None where nothing was, or an order ended it."""
    row = conn.execute("SELECT value FROM station WHERE key = ?", (KEY,)).fetchone()
    if row is None:
        return None
    told = json.loads(row["value"])
    return Encryption(told["since"], tuple(told["recipients"]))


def require_recipients(conn: sqlite3.Connection, given: Sequence[bytes]) -> None:
    """Raise `EncryptionMissing` unless all to whom this station encrypts are given."""
    known = get(conn)
    if known is None:
        return
    missing = sorted(set(known.ids()) - {parse(pem).id for pem in given})
    if missing:
        raise EncryptionMissing(f"not encrypted to {', '.join(missing)}")


@writer
def turn_on(conn: sqlite3.Connection, told: Encryption, at: Instant) -> None:
    """Remember it; the custody log says to whom."""
    remember(conn, told)
    facts = {"since": told.since, "recipients": list(told.ids())}
    custody.append(conn, Event("encryption on", facts=facts), at)


@writer
def remember(conn: sqlite3.Connection, told: Encryption) -> None:
    """Remember what the custody log has already."""
    conn.execute(
        "INSERT INTO station (key, value) VALUES (?, ?)",
        (KEY, json.dumps(asdict(told))),
    )


@writer
def turn_off(conn: sqlite3.Connection, order: str, by: str, at: Instant) -> None:
    """Forget it; the custody log keeps the whole order. `by` is who signed it."""
    conn.execute("DELETE FROM station WHERE key = ?", (KEY,))
    custody.append(conn, Event("encryption off", facts={"order": order}, actor=by), at)
