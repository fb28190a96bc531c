"""The status as an object for programs. Pure."""

from typing import Any

import msgspec

from dock_agent.recording import Colour
from dock_agent.watch.status import BayStatus, Link, Queue, Room, Status, Verdict
from web_status.snapshot import Seen


def status_object(seen: Seen, station: str, *, everything: bool) -> dict[str, Any]:
    """Return what the agent says; while it is not live, nothing in it is green.

    Anybody may have the board's part. Reasons, and what the links said, are for
    people at the station: `everything`.
    """
    status = _nothing(station) if seen.status is None else seen.status
    if not seen.live:
        status = _put_out(status)
    if not everything:
        status = _for_anybody(status)
    found: dict[str, Any] = msgspec.to_builtins(status)
    if not seen.live:
        found |= {"live": False, "verdict": msgspec.to_builtins(seen.verdict)}
    return found


def tagged_part(found: dict[str, Any]) -> dict[str, Any]:
    """Return what a client must hear of: all but the times that always change."""
    queue = {k: v for k, v in found["queue"].items() if k != "oldest_age_s"}
    rest = {k: v for k, v in found.items() if k not in {"at", "monotonic_ns"}}
    return rest | {"queue": queue}


def _nothing(station: str) -> Status:
    said = Verdict(key="", text="", tone="")
    return Status(
        station=station,
        rev=0,
        at="",
        boot="",
        monotonic_ns=0,
        live=False,
        verdict=said,
        bays=(),
        queue=Queue(waiting=0, bytes=0, oldest_age_s=None, refused=0),
        links=(),
        vault=Room(free_bytes=0, total_bytes=0, reserve_bytes=0, days_left=None),
        owed=(),
    )


def _put_out(status: Status) -> Status:
    """Return it without a green light or a rate: what was so may not be so now."""
    bays = tuple(_amber(bay) for bay in status.bays)
    links = tuple(msgspec.structs.replace(x, goodput=None) for x in status.links)
    return msgspec.structs.replace(status, bays=bays, links=links)


def _amber(bay: BayStatus) -> BayStatus:
    if bay.colour is not Colour.GREEN:
        return bay
    return msgspec.structs.replace(bay, colour=Colour.AMBER)


def _for_anybody(status: Status) -> Status:
    bays = tuple(msgspec.structs.replace(bay, reason=None) for bay in status.bays)
    links = tuple(map(_only_the_state, status.links))
    return msgspec.structs.replace(
        status, bays=bays, links=links, alarms=(), acknowledged=(), alerts=()
    )


def _only_the_state(link: Link) -> Link:
    return msgspec.structs.replace(
        link, last_success=None, last_failure=None, failure=None
    )
