"""What the whole board says, word for word. Pure; the page's script has no words."""

import math
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from dock_agent.away import away
from dock_agent.durations import age_words, clock_words, lasts_words, size_words
from dock_agent.recording import BayState, CameraId, LinkState
from dock_agent.watch.spoken import is_untried
from dock_agent.watch.status import Link, Owed, Room, Sends, Status, label
from dock_agent.watch.verdict import Tone, VerdictKey
from web_status.names import shown
from web_status.snapshot import Seen, usable
from web_status.tiles import DOT, Icon, Tile, tile


@dataclass(frozen=True, slots=True)
class Footer:
    """What is below the tiles; `network` is "good", "amber" or "none"."""

    queue: str
    link: str
    network: str
    room: str


@dataclass(frozen=True, slots=True)
class Board:
    """The whole board. `lead` is the verdict, `rest` explains it.

    `length` and `rest_length` name the size with which each stays on one line.
    """

    live: bool
    title: str
    lead: str
    rest: str
    length: str
    rest_length: str
    tone: Tone
    icon: Icon
    tiles: tuple[Tile, ...]
    owed: tuple[str, ...]
    footer: Footer


ICONS = {Tone.GOOD: Icon.CHECK, Tone.WAIT: Icon.LOCK, Tone.BAD: Icon.WARN}
LENGTHS = {"short": 12, "medium": 17, "long": math.inf}  # characters
SHORT_REST = 22  # characters
NOT_LIVE = "Not live"
STAY = "Leave cameras docked"
# No camera has more to give.
AT_REST = frozenset({BayState.EMPTY, BayState.SEALED, BayState.CLEARING})
NO_ANSWER = frozenset({LinkState.OFFLINE, LinkState.CAPTIVE})
UP = frozenset({LinkState.ONLINE, LinkState.METERED})
NO_NETWORK, STOPPED = "No network", "Sending stopped"
SAFE = " – videos are safe here"


def board(seen: Seen, zone: ZoneInfo) -> Board:
    """Say everything there is to say about the dock."""
    lead, rest = heading(seen, zone)
    shown = seen.status
    return Board(
        live=seen.live,
        title=f"{lead} – {rest}" if rest else lead,
        lead=lead,
        rest=rest,
        length=_length(lead),
        rest_length="short" if len(rest) <= SHORT_REST else "long",
        tone=seen.verdict.tone,
        icon=ICONS[seen.verdict.tone],
        tiles=_tiles(seen),
        owed=tuple(owed_words(o) for o in to_be_docked(shown)) if shown else (),
        footer=footer(shown if seen.live else None),
    )


def _length(lead: str) -> str:
    return next(name for name, most in LENGTHS.items() if len(lead) <= most)


def _tiles(seen: Seen) -> tuple[Tile, ...]:
    if seen.status is None:
        return ()
    takes = seen.verdict.key is not VerdictKey.DONT_DOCK
    return tuple(tile(bay, live=seen.live, takes=takes) for bay in seen.status.bays)


def heading(seen: Seen, zone: ZoneInfo) -> tuple[str, str]:
    """Return the verdict in its two parts; one that is not live says since when."""
    if seen.live:
        lead, _, rest = seen.verdict.text.partition(" – ")
        return lead, rest
    if seen.since is None:
        return NOT_LIVE, STAY
    return f"{NOT_LIVE} since {clock_words(seen.since, zone)}", STAY


def to_be_docked(status: Status) -> tuple[Owed, ...]:
    """Return the owed cameras that are in no bay, and that no tile calls for."""
    called = {bay.camera for bay in status.bays if bay.state is BayState.PULLED}
    missing = away(status.owed, status.bays)
    return tuple(owed for owed in missing if owed.camera not in called)


def owed_words(owed: Owed) -> str:
    """Say which camera must come back, and how far it got."""
    camera = shown(label(CameraId(owed.camera)) or owed.camera)
    return (
        f"Cam {camera} was removed from bay {owed.bay}"
        f" at {owed.done} of {owed.total}: dock it again"
    )


def footer(status: Status | None) -> Footer:
    """Return the line below the tiles; empty words unless the data is live."""
    if status is None:
        return Footer(queue="", link="", network="none", room="")
    link, network = link_words(status.links, safe=status.vault.total_bytes > 0)
    return Footer(
        queue=queue_words(status),
        link=link,
        network=network,
        room=room_words(status.vault),
    )


def queue_words(status: Status) -> str:
    """Say what waits to be sent, and for how long; refused objects wait for IT."""
    queue, parts = status.queue, []
    for_it = queue.refused + queue.stranded
    to_send = queue.waiting - for_it
    if to_send > 0:
        parts.append(f"{to_send} object{'' if to_send == 1 else 's'} to send")
    if for_it:
        parts.append(f"{for_it} need{'s' if for_it == 1 else ''} IT")
    if not parts:
        return _nothing_waits(status)
    if queue.oldest_age_s is not None:
        parts.append(f"oldest {age_words(queue.oldest_age_s)}")
    return DOT.join(parts)


def _nothing_waits(status: Status) -> str:
    """Say what an empty queue proves: "sent" needs a destination that answered.

    Who sends to it has queued before that what was sealed without it. Of one that is
    not known just now that may still be to come.
    """
    answered = [link for link in status.links if link.last_success is not None]
    if not status.links:
        return "Kept on this station"
    if not answered:
        return "Nothing sent yet"
    if len(answered) < len(status.links) or any(map(is_unknown, status.links)):
        return "Nothing is queued"
    at_rest = all(bay.state in AT_REST for bay in status.bays) and not status.owed
    return "Everything is sent" if at_rest else "Everything here is sent"


def link_words(links: tuple[Link, ...], *, safe: bool = True) -> tuple[str, str]:
    """Return the network's tag and its tone; a network that is down is never red.

    `safe`: what is here is safe here, and may be said to be.
    """
    used = [link for link in links if link.sends is not Sends.REMOVED]
    stopped = [link for link in used if is_stopped(link)]
    if not used:
        return "", "none"
    if all(is_untried(link) for link in used):
        return "Network not tried yet", "none"
    if stopped:
        return _stopped_words(used, stopped) + (SAFE if safe else ""), "amber"
    if all(link.sends is Sends.ALL for link in used):
        return "Connected", "good"
    costs = any(link.costs for link in used)
    return "Connected, saving data" if costs else "Connected, sends later", "good"


def _stopped_words(used: list[Link], stopped: list[Link]) -> str:
    going = [link for link in used if link not in stopped]
    if going:
        now = any(link.sends is Sends.ALL for link in going)
        return f"Sends {'' if now else 'later '}to {len(going)} of {len(used)}"
    alone = all(link.state in NO_ANSWER and not link.paused for link in stopped)
    return NO_NETWORK if alone else STOPPED


def is_unknown(link: Link) -> bool:
    """Whether nobody who sends was heard of lately."""
    return link.state == LinkState.UNKNOWN


def is_stopped(link: Link) -> bool:
    """Whether nothing goes there until something, or somebody, changes that."""
    return link.paused or link.state not in UP


def room_words(vault: Room) -> str:
    """Say how much more fits, and for how long if that is known."""
    if not vault.total_bytes:
        return "Storage is missing"
    if not usable(vault):
        return "Dock full"
    room = f"Room for {size_words(usable(vault))}"
    if vault.days_left is None:
        return room
    return f"{room}, {lasts_words(vault.days_left)}"
