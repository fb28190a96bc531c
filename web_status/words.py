"""What the whole board says, word for word. Pure; the page's script has no words."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from dock_agent.recording import CameraId, LinkState
from dock_agent.watch.status import Link, Owed, Queue, Room, Status, label
from dock_agent.watch.verdict import Tone
from web_status.durations import age_words, clock_words, size_words
from web_status.snapshot import Seen, usable
from web_status.tiles import Icon, Tile, tile


@dataclass(frozen=True, slots=True)
class Footer:
    """What is below the tiles; `network` is "good", "amber" or "none"."""

    queue: str
    link: str
    network: str
    room: str


@dataclass(frozen=True, slots=True)
class Board:
    """The whole board. `lead` is the verdict, `rest` explains it."""

    live: bool
    title: str
    lead: str
    rest: str
    tone: Tone
    icon: Icon
    tiles: tuple[Tile, ...]
    owed: tuple[str, ...]
    footer: Footer
    clock: str


ICONS = {Tone.GOOD: Icon.CHECK, Tone.WAIT: Icon.LOCK, Tone.BAD: Icon.WARN}
NOT_LIVE = "Not live"
NO_NETWORK = "No network – videos are safe here"


def board(seen: Seen, zone: ZoneInfo, now: datetime) -> Board:
    """Say everything there is to say about the dock at the moment `now`."""
    lead, rest = heading(seen, zone)
    shown = seen.status
    return Board(
        live=seen.live,
        title=f"{lead} – {rest}" if rest else lead,
        lead=lead,
        rest=rest,
        tone=seen.verdict.tone,
        icon=ICONS[seen.verdict.tone],
        tiles=tuple(tile(b, live=seen.live) for b in shown.bays) if shown else (),
        owed=tuple(owed_words(o) for o in to_be_docked(shown)) if shown else (),
        footer=footer(shown),
        clock=clock_words(now, zone),
    )


def heading(seen: Seen, zone: ZoneInfo) -> tuple[str, str]:
    """Return the verdict in its two parts; one that is not live says since when."""
    if seen.live:
        lead, _, rest = seen.verdict.text.partition(" – ")
        return lead, rest
    if seen.since is None:
        return NOT_LIVE, "Leave cameras docked"
    return f"{NOT_LIVE} since {clock_words(seen.since, zone)}", "Leave cameras docked"


def to_be_docked(status: Status) -> tuple[Owed, ...]:
    """Return the owed cameras that are in no bay, and that no tile calls for."""
    present = {bay.camera for bay in status.bays}
    return tuple(owed for owed in status.owed if owed.camera not in present)


def owed_words(owed: Owed) -> str:
    return (
        f"Cam {label(CameraId(owed.camera))} was removed from bay {owed.bay}"
        f" at {owed.done} of {owed.total}: dock it again"
    )


def footer(status: Status | None) -> Footer:
    """Return the line below the tiles; empty words where nothing is known."""
    if status is None:
        return Footer(queue="", link="", network="none", room="")
    link, network = link_words(status.links)
    return Footer(
        queue=queue_words(status.queue, status.links),
        link=link,
        network=network,
        room=room_words(status.vault),
    )


def queue_words(queue: Queue, links: tuple[Link, ...]) -> str:
    """Say what waits to be sent, and for how long; "sent" needs a destination."""
    parts = []
    if queue.waiting:
        files = "1 file" if queue.waiting == 1 else f"{queue.waiting} files"
        parts.append(f"{files} to send ({size_words(queue.bytes)})")
        if queue.oldest_age_s is not None:
            parts.append(f"oldest {age_words(queue.oldest_age_s)}")
    if queue.refused:
        parts.append(f"{queue.refused} need IT")
    if parts:
        return " · ".join(parts)
    return "Everything is sent" if links else "Kept on this station"


def link_words(links: tuple[Link, ...]) -> tuple[str, str]:
    """Return the network's tag and its tone; a network that is down is never red."""
    states = {link.state for link in links}
    if states & {LinkState.OFFLINE, LinkState.CAPTIVE}:
        return NO_NETWORK, "amber"
    if LinkState.UNKNOWN in states:
        return "Network not tried yet", "none"
    if LinkState.METERED in states:
        return "Connected, saving data", "good"
    return ("Connected", "good") if states else ("", "none")


def room_words(vault: Room) -> str:
    """Say how much more fits, and for how long if that is known."""
    if not usable(vault):
        return "Dock full"
    room = f"Room for {size_words(usable(vault))}"
    if vault.days_left is None:
        return room
    return f"{room}, about {age_words(vault.days_left * 86400)}"
