"""What IT reads of a link: what is so, since when, and what to do about it. Pure.

The page and `dock-agent status` say it alike; what is between backquotes is a command.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from shlex import quote
from zoneinfo import ZoneInfo

from dock_agent.clock import unstamp
from dock_agent.durations import age_words, moment_words
from dock_agent.recording import LinkState
from dock_agent.watch.status import Link, Sends


@dataclass(frozen=True, slots=True)
class Spoken:
    """A link, and what is said of it. `todo` is what a person may do; empty: nothing.

    `since` and `next_try` are instants in words; empty where there is none.
    """

    link: Link
    state: str
    since: str
    next_try: str
    told: str
    todo: str


@dataclass(frozen=True, slots=True)
class _Seen:
    link: Link
    now: datetime
    zone: ZoneInfo

    def moment(self, text: str | None) -> str:
        return "–" if text is None else moment_words(unstamp(text), self.zone)

    def for_how_long(self) -> str:
        """Return ", for 6 days 2 h" where it is known since when."""
        if self.link.since is None:
            return ""
        age = (self.now - unstamp(self.link.since)).total_seconds()
        return f" for {age_words(max(0.0, age))}"


def spoken(link: Link, now: datetime, zone: ZoneInfo) -> Spoken:
    """Say how a link is."""
    seen = _Seen(link, now, zone)
    told, todo = _said(seen)
    later = link.try_after is not None and unstamp(link.try_after) > now
    return Spoken(
        link,
        _state(link),
        "" if link.since is None else seen.moment(link.since),
        seen.moment(link.try_after) if later else "",
        told,
        todo,
    )


def _state(link: Link) -> str:
    if link.sends is Sends.REMOVED:
        return "not configured any more"
    return "held back" if link.paused else link.state


def is_untried(link: Link) -> bool:
    """Whether nobody knows yet how it is, and not: no longer."""
    tried = link.last_success or link.last_failure
    return link.state == LinkState.UNKNOWN and not tried and not link.paused


def _said(seen: _Seen) -> tuple[str, str]:
    link = seen.link
    if link.sends is Sends.REMOVED:
        return left_out(link.name, link.waiting)
    if link.paused:
        return (
            "A person holds it back: nothing is sent there.",
            f"`dock-agent destinations resume {quote(link.name)}` lets it go on.",
        )
    return SENTENCES[LinkState(link.state)](seen)


def left_out(name: str, waiting: int) -> tuple[str, str]:
    """Say what waits for a destination that is left out, and what to do about it."""
    if not waiting:
        return "Nothing waits for it.", ""
    count = "1 file waits" if waiting == 1 else f"{waiting} files wait"
    order = f"dock-agent destinations withdraw {quote(name)} --by WHO --why REASON"
    return (
        f"{count} for it.",
        f"Put it back into the configuration, or `{order}` gives that up.",
    )


IS_IT_RUNNING = (
    "Is `dock-agent sync` running, and was it started after the configuration was"
    " changed last? `systemctl status dock-sync` tells."
)
LOOK = "Check cable, router and name; `dock-agent destinations test` says more."
SIGN_IN = "Sign in to the network, or ask for the station to be let through."
MEND = "Mend what it says: the key, the bucket, the place, or its room."
BY_ITSELF = "Then it goes on by itself."


def _unknown(seen: _Seen) -> tuple[str, str]:
    if is_untried(seen.link):
        return "Nobody has tried to reach it yet.", IS_IT_RUNNING
    silence = f"Nothing was heard of `dock-agent sync`{seen.for_how_long()}"
    return f"{silence}: how the link is now is not known.", IS_IT_RUNNING


def _offline(seen: _Seen) -> tuple[str, str]:
    # Not "not answered": a busy one does, and says so.
    return f"Nothing has gone there{seen.for_how_long()}{_because(seen)}.", LOOK


def _captive(seen: _Seen) -> tuple[str, str]:
    page = f"Somebody else's page has come in its place{seen.for_how_long()}"
    return f"{page}{_because(seen)}.", SIGN_IN


def _barred(seen: _Seen) -> tuple[str, str]:
    told = f"It answers, and has taken nothing{seen.for_how_long()}{_because(seen)}."
    return told, f"{MEND} {BY_ITSELF}"


def _online(seen: _Seen) -> tuple[str, str]:
    link = seen.link
    if link.sends is Sends.ALL:
        return "", ""
    why = "The link costs" if link.costs else "Its window is shut"
    what = "nothing goes" if link.sends is Sends.NOTHING else "only marked files go"
    until = f" until {seen.moment(link.changes_at)}" if link.changes_at else ""
    return f"{why}: {what}{until}.", ""


def _because(seen: _Seen) -> str:
    # What a server said may hold a backquote, and must not be drawn as a command.
    failure = (seen.link.failure or "").replace("`", "'")
    return f" ({failure})" if failure else ""


SENTENCES: Mapping[LinkState, Callable[[_Seen], tuple[str, str]]] = {
    LinkState.UNKNOWN: _unknown,
    LinkState.OFFLINE: _offline,
    LinkState.CAPTIVE: _captive,
    LinkState.BARRED: _barred,
    LinkState.METERED: _online,
    LinkState.ONLINE: _online,
}
