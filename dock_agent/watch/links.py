"""What may be said of the way to a destination: no more than was heard just now.

The sending process is another one than the agent. It leaves its word in the store; if
it dies, its last word stays there, and must not be shown as if it still held.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from dock_agent.clock import stamp
from dock_agent.config import Config
from dock_agent.recording import LinkState
from dock_agent.store.destinations import DestinationRow
from dock_agent.sync.policy import Policy, resting
from dock_agent.watch.status import LEFT_OUT, Link, Sends

QUIET = timedelta(minutes=5)  # it has a word each minute, or says until when it rests
LATELY = timedelta(minutes=1)  # a rate is measured each quarter of it while bytes move
A_WEEK = timedelta(days=8)  # windows are of weekdays
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
    terms = _terms(config, row, now)
    if terms.sends is Sends.REMOVED:
        return Link(
            name=row.name,
            kind=row.kind,
            state=LEFT_OUT,
            since=_text(row.link_since),
            last_success=_text(row.last_success),
            last_failure=_text(row.last_failure),
            failure=None,
            sends=terms.sends,
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
        sends=terms.sends,
        changes_at=_text(terms.until),
        costs=terms.costs,
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


@dataclass(frozen=True, slots=True)
class _Terms:
    """What may go now; `until` is when that changes, None: not by a window."""

    sends: Sends
    until: datetime | None = None
    costs: bool = False


def _terms(config: Config, row: DestinationRow, now: datetime) -> _Terms:
    """Return what the configuration lets go there now.

    Whoever was started last has the newest configuration, and tells the store whether
    it is left out; of the windows of one that is not in ours, nothing is known.
    """
    if not row.configured:
        return _Terms(Sends.REMOVED)
    for table in config.destinations:
        if table.name == row.name:
            metered = row.link is LinkState.METERED
            return _allowed(Policy.of(table, config.zone), now, metered=metered)
    return _Terms(Sends.ALL)


def _allowed(policy: Policy, now: datetime, *, metered: bool) -> _Terms:
    allowed = policy.allowed(now, metered=metered)
    sends, until = Sends.of(len(allowed.priorities)), allowed.until
    if sends is Sends.ALL:
        return _Terms(sends, until)
    if metered and _is_the_same_in_each_window(policy):
        return _Terms(sends, costs=True)
    while until is not None and until <= now + A_WEEK:
        later = policy.allowed(until, metered=metered)
        if later.priorities != allowed.priorities:
            break
        until = later.until  # nothing changed: another window, or the clock did
    free = policy.allowed(now, metered=False)
    return _Terms(sends, until, costs=free.priorities != allowed.priorities)


def _is_the_same_in_each_window(policy: Policy) -> bool:
    """Whether what goes over a link that costs is so whatever the windows say."""
    return policy.metered == "nothing" or (
        policy.metered == "marked" and policy.marked_pass
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else stamp(moment)
