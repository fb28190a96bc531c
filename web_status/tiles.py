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
from web_status.names import shown


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
NO_BREAK = "\N{NO-BREAK SPACE}"
ALMOST = 99  # percent: a bar is full only when its files are sealed


def tile(bay: BayStatus, *, live: bool, takes: bool) -> Tile:
    """Return the words for a bay; without live data nothing may be taken.

    `takes` is whether the dock takes cameras: else no bay asks for one.
    """
    said = TILES[bay.state](bay)
    if bay.state is BayState.EMPTY:
        return said if live and takes else replace(said, line="")
    if live or said.treatment is Treatment.DOUBLE:
        return said
    return Tile(bay.name, LEAVE, "Not live", camera=_label(bay))


def _label(bay: BayStatus) -> str:
    return shown(bay.label or "")


def _empty(bay: BayStatus) -> Tile:
    line = "Dock a camera here"
    return Tile(bay.name, "Empty", line, "", Icon.NONE, Treatment.OUTLINE)


def _identifying(bay: BayStatus) -> Tile:
    return Tile(bay.name, LEAVE, "Reading camera…", _label(bay))


def _copying(bay: BayStatus) -> Tile:
    return _working(bay, "Copying")


def _checking(bay: BayStatus) -> Tile:
    return _working(bay, "Checking")


def _working(bay: BayStatus, doing: str) -> Tile:
    left = eta_words(bay.eta_s)
    line = f"{doing} {bay.done} of {bay.total}"
    if left:
        line += " · " + left.replace(" ", NO_BREAK)
    return Tile(bay.name, LEAVE, line, _label(bay), bar=_progress(bay))


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
        return Tile(bay.name, LEAVE, f"{bay.done} of {bay.total} safe", _label(bay))
    if bay.colour is not Colour.GREEN:
        return _charging(bay)
    charge = f"{bay.percent} % · " if bay.reports_charge and bay.percent else ""
    line = f"{charge}{_safe(bay)}"
    return Tile(bay.name, "Take me", line, _label(bay), Icon.CHECK, Treatment.FILL)


def _safe(bay: BayStatus) -> str:
    return f"{bay.done} of {bay.total} safe" if bay.total else "Nothing to copy"


def _charging(bay: BayStatus) -> Tile:
    """Say that the files are safe, and what the camera still waits for."""
    if bay.percent is None:
        return Tile(bay.name, LEAVE, "All safe · charging", _label(bay), Icon.BOLT)
    line, bar = f"All safe · charging {bay.percent} %", min(100, bay.percent)
    return Tile(bay.name, LEAVE, line, _label(bay), Icon.BOLT, bar=bar)


def _waiting(bay: BayStatus) -> Tile:
    return Tile(bay.name, LEAVE, "Dock full. Videos stay on the camera.", _label(bay))


def _pulled(bay: BayStatus) -> Tile:
    line = "Removed too early. Dock it again."
    if bay.total:
        line = f"Removed at {bay.done} of {bay.total}. Nothing lost."
    return Tile(bay.name, "Re-dock", line, _label(bay), Icon.WARN, Treatment.DOUBLE)


def _fault(bay: BayStatus) -> Tile:
    parts = (
        f"Code {bay.code}" if bay.code else "",
        f"Cam {_label(bay)}" if bay.label else "",
    )
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
