"""What may be said of the way to a destination: no more than was heard just now.

The sending process is another one than the agent. It leaves its word in the store; if
it dies, its last word stays there, and must not be shown as if it still held.
"""

from datetime import datetime, timedelta

from dock_agent.clock import stamp
from dock_agent.config import Config
from dock_agent.recording import LinkState
from dock_agent.store.destinations import DestinationRow
from dock_agent.sync.policy import Policy, resting
from dock_agent.watch.status import LEFT_OUT, Link, Sends

QUIET = timedelta(minutes=5)  # it has a word each minute, or says until when it rests
LATELY = timedelta(minutes=1)  # a rate is measured each quarter of it while bytes move
UP = frozenset({LinkState.ONLINE, LinkState.METERED})


def link(config: Config, row: DestinationRow, now: datetime, waiting: int = 0) -> Link:
    """Return what is shown of a destination, for which so many objects wait.

    A link that nothing was heard of for long is not known, since its last word; a
    rate that is not of the last minute, or of a link that is down, is none.
    """
    last = max((t for t in _words(row) if t is not None), default=None)
    silent = last is not None and not is_heard(row, now)
    state = LinkState.UNKNOWN if silent else row.link
    fresh = row.goodput_at is not None and abs(now - row.goodput_at) <= LATELY
    sends, changes_at = _allowed(config, row, now)
    if sends is Sends.REMOVED:
        return Link(
            name=row.name,
            kind=row.kind,
            state=LEFT_OUT,
            since=_text(row.link_since),
            last_success=_text(row.last_success),
            last_failure=_text(row.last_failure),
            failure=None,
            sends=sends,
            waiting=waiting,
        )
    return Link(
        name=row.name,
        kind=row.kind,
        state=state,
        since=_text(last if silent else row.link_since),
        last_success=_text(row.last_success),
        last_failure=_text(row.last_failure),
        failure=row.failure,
        try_after=_text(row.try_after),
        paused=row.paused,
        goodput=row.goodput if fresh and state in UP else None,
        sends=sends,
        changes_at=_text(changes_at),
        waiting=waiting,
    )


def is_heard(row: DestinationRow, now: datetime) -> bool:
    """Whether the sending process gave a sign of life just now, or said it rests.

    A time that lies ahead was written before the clock was set back.
    """
    if resting(row.try_after, now):
        return True
    return any(abs(now - t) <= QUIET for t in (*_words(row), row.try_after) if t)


def _words(row: DestinationRow) -> tuple[datetime | None, ...]:
    return row.last_success, row.last_failure, row.goodput_at


def _allowed(
    config: Config, row: DestinationRow, now: datetime
) -> tuple[Sends, datetime | None]:
    """Return what the configuration lets go there now, and when that changes.

    Whoever was started last has the newest configuration, and tells the store whether
    it is left out; of the windows of one that is not in ours, nothing is known.
    """
    if not row.configured:
        return Sends.REMOVED, None
    for table in config.destinations:
        if table.name == row.name:
            metered = row.link is LinkState.METERED
            allowed = Policy.of(table, config.zone).allowed(now, metered=metered)
            return Sends.of(len(allowed.priorities)), allowed.until
    return Sends.ALL, None


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else stamp(moment)
