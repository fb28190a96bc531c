"""One sentence for the whole dock: can the officer in front of it walk away?

Pure. The status page and `dock-agent status` both say what this says. It never
promises more than is known: "you can go" needs live data, room, and a station
that has recognised every camera it holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from dock_agent.recording import BayState, Colour


class VerdictKey(StrEnum):
    """The verdicts, the one that wins first."""

    DONT_DOCK = "dont_dock"  # this dock cannot take a camera
    NEEDS_YOU = "needs_you"  # somebody must act at a bay
    NOT_LIVE = "not_live"  # what is shown may be old
    READING = "reading"  # a camera was put in and is not yet known
    CAN_GO = "can_go"  # every camera is known, and its footage has room
    ALL_READY = "all_ready"  # nothing is being done, every camera may be taken


class Tone(StrEnum):
    """How the sentence is shown."""

    GOOD = "good"
    WAIT = "wait"
    BAD = "bad"


class BaySeen(Protocol):
    """What the verdict asks of a bay."""

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> BayState: ...

    @property
    def colour(self) -> Colour: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """The key for programs, the sentence for people.

    What is before " – " in `text` is the verdict; the rest explains it.
    """

    key: VerdictKey
    text: str
    tone: Tone


NEEDS_A_PERSON = frozenset({BayState.PULLED, BayState.FAULT})


def verdict(
    bays: Sequence[BaySeen], *, live: bool, refusal: str | None = None
) -> Verdict:
    """Return the sentence for these bays, in the order of `VerdictKey`.

    `live` is whether the states are those of this moment, `refusal` why the vault
    cannot take the footage of one more camera.
    """
    if not bays and live:
        return Verdict(
            VerdictKey.DONT_DOCK, "Don't dock here – no bay is set up", Tone.BAD
        )
    if any(bay.state is BayState.WAITING for bay in bays):
        refusal = refusal or "dock full"
    if refusal is not None:
        text = f"Don't dock here – {refusal}"
        return Verdict(VerdictKey.DONT_DOCK, text, Tone.BAD)
    calling = [bay.name for bay in bays if bay.state in NEEDS_A_PERSON]
    reading = any(bay.state is BayState.IDENTIFYING for bay in bays)
    if calling:
        text = f"{_named(calling)} – {_the_others(live=live, reading=reading)}"
        return Verdict(VerdictKey.NEEDS_YOU, text, Tone.BAD)
    if not live:
        return Verdict(VerdictKey.NOT_LIVE, "Not live – leave cameras docked", Tone.BAD)
    if reading:
        return Verdict(VerdictKey.READING, "Wait – reading camera", Tone.WAIT)
    return _quiet(bays)


def _named(bays: Sequence[str]) -> str:
    if len(bays) == 1:
        return f"Bay {bays[0]} needs you"
    return f"Bays {', '.join(bays[:-1])} and {bays[-1]} need you"


def _the_others(*, live: bool, reading: bool) -> str:
    """Say what everyone else may do: go, but only if that is known."""
    if not live:
        return "not live, leave cameras docked"
    if reading:
        return "everyone else: wait, reading camera"
    return "everyone else can go"


def _quiet(bays: Sequence[BaySeen]) -> Verdict:
    """Tell cameras at work from cameras that may be taken."""
    held = [bay for bay in bays if bay.state is not BayState.EMPTY]
    if not held:
        return Verdict(VerdictKey.ALL_READY, "All ready – dock a camera", Tone.GOOD)
    if all(bay.colour is Colour.GREEN for bay in held):
        return Verdict(VerdictKey.ALL_READY, "All ready", Tone.GOOD)
    return Verdict(VerdictKey.CAN_GO, "You can go – leave cameras docked", Tone.GOOD)
