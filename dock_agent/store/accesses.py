"""Who took evidence out of the vault, or looked at it: events, nothing else.

The event is committed first. What could not be put on record is not given out.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from dock_agent.clock import Instant
from dock_agent.custody.chain import Event
from dock_agent.errors import NotAllowed
from dock_agent.recording import FileId
from dock_agent.store import custody, erasures, files
from dock_agent.store.db import writer


class Way(StrEnum):
    """How evidence was given out; the value is the event's kind."""

    EXPORTED = "exported"
    VIEWED = "viewed"


@dataclass(frozen=True, slots=True)
class Access:
    """What was given out, to whom, and why, as text."""

    way: Way
    ids: Sequence[FileId]
    by: str
    why: str


@writer
def tell(conn: sqlite3.Connection, access: Access, at: Instant) -> None:
    """Put an access on record, one event for each file.

    Raises `NotAllowed` without a name or a reason, `StoreError` for no such file.
    """
    if not (access.by.strip() and access.why.strip()):
        raise NotAllowed("say who has it, and why")
    events = []
    for ident in access.ids:
        file = files.get(conn, ident)
        facts = erasures.name(file) | {"sha256": file.sha256, "reason": access.why}
        events.append(Event(access.way.value, file.docking, facts, actor=access.by))
    custody.append_all(conn, events, at)
