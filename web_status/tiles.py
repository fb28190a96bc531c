"""What one bay says on the board. Pure.

A tile answers "may I take this camera?". Green needs three things at once: live
data, a light that is green, and a seal over every file. The board never says
error, failed or corrupt: a code on the tile leads IT to the reason.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from dock_agent.durations import eta_words
from dock_agent.recording import BayState, Colour
from dock_agent.watch.status import BayStatus
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
DOT = f" ·{NO_BREAK}"  # a line may end before the dot, never after it
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


def _clearing(bay: BayStatus) -> Tile:
    line = f"All safe{DOT}clearing {counted(bay)}"
    return Tile(bay.name, LEAVE, line, _label(bay))


def _working(bay: BayStatus, doing: str) -> Tile:
    left = eta_words(bay.eta_s)
    line = f"{doing} {counted(bay)}"
    if left:
        line += DOT + left.replace(" ", NO_BREAK)
    return Tile(bay.name, LEAVE, line, _label(bay), bar=_progress(bay))


def counted(bay: BayStatus) -> str:
    """Say how many files are done; more may be done than were listed at first."""
    return f"{bay.done}{NO_BREAK}of{NO_BREAK}{max(bay.done, bay.total)}"


def _progress(bay: BayStatus) -> int:
    """Return how much is done, in percent: of bytes or of files, what is less."""
    pairs = ((bay.bytes_done, bay.bytes_total), (bay.done, bay.total))
    shares = [done * 100 // total for done, total in pairs if total > 0]
    return max(0, min(ALMOST, *shares)) if shares else 0


def _sealed(bay: BayStatus) -> Tile:
    if bay.done != bay.total:
        return Tile(bay.name, LEAVE, f"{counted(bay)} safe", _label(bay))
    if bay.colour is not Colour.GREEN:
        return _charging(bay)
    charge = (
        f"{bay.percent}{NO_BREAK}%{DOT}" if bay.reports_charge and bay.percent else ""
    )
    line = f"{charge}{_safe(bay)}"
    return Tile(bay.name, "Take me", line, _label(bay), Icon.CHECK, Treatment.FILL)


def _safe(bay: BayStatus) -> str:
    return f"{counted(bay)} safe" if bay.total else "Nothing to copy"


def _charging(bay: BayStatus) -> Tile:
    """Say that the files are safe, and what the camera still waits for."""
    if bay.percent is None:
        return Tile(bay.name, LEAVE, f"All safe{DOT}charging", _label(bay), Icon.BOLT)
    line = f"All safe{DOT}charging {bay.percent}{NO_BREAK}%"
    bar = min(100, bay.percent)
    return Tile(bay.name, LEAVE, line, _label(bay), Icon.BOLT, bar=bar)


def _waiting(bay: BayStatus) -> Tile:
    return Tile(bay.name, LEAVE, "Dock full. Videos stay on the camera.", _label(bay))


def _pulled(bay: BayStatus) -> Tile:
    if bay.code is not None:  # what was wrong is still wrong without the camera
        return _fault(bay)
    line = "Removed too early. Dock it again."
    if bay.total:
        line = f"Removed at {counted(bay)}. Nothing lost."
    return _calling(bay, "Re-dock", line)


def _fault(bay: BayStatus) -> Tile:
    line = f"Code{NO_BREAK}{bay.code}" if bay.code else "This bay needs IT"
    return _calling(bay, "Tell IT", line)


def _calling(bay: BayStatus, word: str, line: str) -> Tile:
    return Tile(bay.name, word, line, _label(bay), Icon.WARN, Treatment.DOUBLE)


TILES: Mapping[BayState, Callable[[BayStatus], Tile]] = {
    BayState.EMPTY: _empty,
    BayState.IDENTIFYING: _identifying,
    BayState.COPYING: _copying,
    BayState.CHECKING: _checking,
    BayState.SEALED: _sealed,
    BayState.CLEARING: _clearing,
    BayState.WAITING: _waiting,
    BayState.PULLED: _pulled,
    BayState.FAULT: _fault,
}
