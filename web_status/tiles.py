"""What one bay says on the board. Pure.

A tile answers "may I take this camera?". Green needs three things at once: live
data, a light that is green, and a seal over every file. The board never says
error, failed or corrupt: a code on the tile leads IT to the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from dock_agent.recording import BayState, Colour
from dock_agent.watch.status import BayStatus
from web_status.durations import eta_words


class Icon(StrEnum):
    """The drawings in `templates/icons.svg`."""

    NONE = "none"
    LOCK = "lock"
    BOLT = "bolt"
    CHECK = "check"
    WARN = "warn"


class Treatment(StrEnum):
    """How a tile is drawn, so that its colour never speaks alone."""

    OUTLINE = "outline"  # thin: no camera
    DASHED = "dashed"  # at work
    FILL = "fill"  # may be taken
    DOUBLE = "double"  # somebody must act


@dataclass(frozen=True, slots=True)
class Tile:
    """One bay as the board shows it; `bar` is a percentage, or None for no bar."""

    bay: str
    word: str
    line: str
    camera: str = ""
    icon: Icon = Icon.LOCK
    treatment: Treatment = Treatment.DASHED
    bar: int | None = None


LEAVE = "Leave it"
ALMOST = 99  # percent: a bar is full only when its files are sealed


def tile(bay: BayStatus, *, live: bool) -> Tile:
    """Return the words for a bay; without live data nothing may be taken."""
    said = replace(TILES[bay.state](bay), camera=camera_words(bay))
    if live or bay.state is BayState.EMPTY:
        return said
    if said.treatment is Treatment.DOUBLE:
        return said
    return Tile(bay.name, LEAVE, "Not live", camera=said.camera)


def camera_words(bay: BayStatus) -> str:
    """Return the label on the camera: "Cam 0102"; nothing while it is unknown."""
    return f"Cam {bay.label}" if bay.label else ""


def _empty(bay: BayStatus) -> Tile:
    return Tile(
        bay.name, "Empty", "Dock a camera here", "", Icon.NONE, Treatment.OUTLINE
    )


def _identifying(bay: BayStatus) -> Tile:
    return Tile(bay.name, LEAVE, "Reading camera…")


def _copying(bay: BayStatus) -> Tile:
    return _working(bay, "Copying")


def _checking(bay: BayStatus) -> Tile:
    return _working(bay, "Checking")


def _working(bay: BayStatus, doing: str) -> Tile:
    left = eta_words(bay.eta_s)
    line = f"{doing} {bay.done} of {bay.total}" + (f" · {left}" if left else "")
    return Tile(bay.name, LEAVE, line, bar=_progress(bay))


def _progress(bay: BayStatus) -> int:
    """Return how much is done, in percent of bytes, or of files if all are empty."""
    done, total = bay.bytes_done, bay.bytes_total
    if total <= 0:
        done, total = bay.done, bay.total
    if total <= 0:
        return 0
    return max(0, min(ALMOST, done * 100 // total))


def _sealed(bay: BayStatus) -> Tile:
    if bay.done != bay.total:
        return Tile(bay.name, LEAVE, f"{bay.done} of {bay.total} safe")
    if bay.colour is not Colour.GREEN:
        return _charging(bay)
    charge = f"{bay.percent} % · " if bay.reports_charge and bay.percent else ""
    line = f"{charge}{_safe(bay)}"
    return Tile(bay.name, "Take me", line, "", Icon.CHECK, Treatment.FILL)


def _safe(bay: BayStatus) -> str:
    return f"{bay.done} of {bay.total} safe" if bay.total else "Nothing to copy"


def _charging(bay: BayStatus) -> Tile:
    """Say that the files are safe, and what the camera still waits for."""
    if bay.percent is None:
        return Tile(bay.name, LEAVE, "All safe · charging", icon=Icon.BOLT)
    line = f"All safe · charging {bay.percent} %"
    return Tile(bay.name, LEAVE, line, icon=Icon.BOLT, bar=min(100, bay.percent))


def _waiting(bay: BayStatus) -> Tile:
    return Tile(bay.name, LEAVE, "Dock full. Videos stay on the camera.")


def _pulled(bay: BayStatus) -> Tile:
    line = "Removed too early. Dock it again."
    if bay.total:
        line = f"Removed at {bay.done} of {bay.total}. Nothing lost."
    return Tile(bay.name, "Re-dock", line, "", Icon.WARN, Treatment.DOUBLE)


def _fault(bay: BayStatus) -> Tile:
    parts = (f"Code {bay.code}" if bay.code else "", camera_words(bay))
    line = " · ".join(part for part in parts if part) or "This bay needs IT"
    return Tile(bay.name, "Tell IT", line, "", Icon.WARN, Treatment.DOUBLE)


TILES: Mapping[BayState, Callable[[BayStatus], Tile]] = {
    BayState.EMPTY: _empty,
    BayState.IDENTIFYING: _identifying,
    BayState.COPYING: _copying,
    BayState.CHECKING: _checking,
    BayState.SEALED: _sealed,
    BayState.WAITING: _waiting,
    BayState.PULLED: _pulled,
    BayState.FAULT: _fault,
}
