"""IT's page: what is stuck, since when and why, and how much room is left."""

from dataclasses import dataclass
from datetime import datetime

from flask import Blueprint, render_template, request

from dock_agent.away import away
from dock_agent.config import Config
from dock_agent.errors import StoreError
from dock_agent.recording import TransferState
from dock_agent.store import backlog, views
from dock_agent.store.backlog import Listing, QueueLine
from dock_agent.store.db import reading
from dock_agent.store.views import DockingLine, Owed
from dock_agent.watch.spoken import spoken
from web_status.facts import Facts
from web_status.visitor import require_local

LATEST = 50  # dockings looked at for ones that were interrupted
APART = 20  # objects named that a destination keeps apart
STOPPED = frozenset({"interrupted", "waiting", "fault"})
MEANS = {
    TransferState.BLOCKED: "A docking's signature: it goes when all else is there.",
    TransferState.QUEUED: "It goes as soon as the link and the windows let it.",
    TransferState.SENDING: "It is on its way.",
    TransferState.REFUSED: (
        "A person must look: `dock-agent transfers list --state refused` names it,"
        " `dock-agent transfers retry ID` sends it again."
    ),
    TransferState.PAUSED: (
        "A person holds it back: `dock-agent transfers list --state paused` names it,"
        " `dock-agent transfers resume ID` lets it go."
    ),
}
NONE_APART = Listing((), 0)
LEFT_OUT = "Nobody sends it: its destination is not configured any more."


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the store knows; `trouble` is a sentence if it cannot be read."""

    queue: tuple[QueueLine, ...] = ()
    owed: tuple[Owed, ...] = ()
    stopped: tuple[DockingLine, ...] = ()
    apart: Listing = NONE_APART
    trouble: str | None = None

    @property
    def oldest(self) -> datetime | None:
        """Return when the first of all that waits was queued."""
        times = (line.oldest for line in self.queue)
        return min((t for t in times if t is not None), default=None)


def blueprint(facts: Facts) -> Blueprint:
    """Return IT's page; it answers only at the station itself."""
    routes = Blueprint("overview", __name__)
    routes.before_request(lambda: require_local(request.environ, facts.config))
    ports = {bay.name: bay.port or bay.folder for bay in facts.config.bays}

    @routes.get("/it")
    def page() -> str:
        seen, known = facts.seen(), remembered(facts.config, facts.now())
        bays = seen.status.bays if seen.live and seen.status else ()
        links = seen.status.links if seen.status else ()
        at = facts.now() if seen.live or seen.since is None else seen.since
        return render_template(
            "it.html",
            seen=seen,
            ports=ports,
            remembered=known,
            owed=away(known.owed, bays),
            links=tuple(spoken(link, at, facts.config.zone) for link in links),
            means=MEANS,
            left_out=LEFT_OUT,
            now=facts.now(),
            station=facts.config.station.id,
        )

    return routes


def remembered(config: Config, now: datetime) -> Remembered:
    """Read what the page shows of the store, or why it cannot be read."""
    try:
        with reading(config.store_path) as conn:
            latest = views.dockings(conn, limit=LATEST)
            return Remembered(
                queue=tuple(backlog.queue(conn, now)),
                owed=tuple(views.owed(conn)),
                stopped=tuple(each for each in latest if each.state in STOPPED),
                apart=backlog.apart(conn, APART),
            )
    except StoreError as error:
        return Remembered(trouble=f"{error}. {error.hint}".rstrip())
