"""A story as data: cameras, and what happens to them, step by step.

`docs/scenarios.md` explains it to who wants to write one.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from dock_agent.errors import ConfigError

Share = Annotated[float, Meta(ge=0, le=1)]
Aware = Annotated[datetime, Meta(tz=True)]
SHIFT = timedelta(hours=8)  # how long before the story cameras began to record


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: unknown keys are refused."""


class Camera(Table, frozen=True, kw_only=True):
    """A camera of the story; `id` is what the steps call it.

    `begin` is when its first recording was started: 8 hours before the story.
    """

    id: str
    model: str
    serial: str
    officer: str = "000000"
    recordings: Annotated[int, Meta(ge=0)] = 2
    begin: Aware | None = None


class Happening(Table, frozen=True, kw_only=True, tag_field="do"):
    """What every step may have: `say`, a sentence for who watches."""

    say: str = ""


class Dock(Happening, frozen=True, kw_only=True, tag="dock"):
    """A camera is put into a bay.

    It leaves again, or the agent dies, once this share of the card's bytes was
    read.
    """

    camera: str
    bay: str
    leaves_after: Share | None = None
    agent_dies_after: Share | None = None


class Undock(Happening, frozen=True, kw_only=True, tag="undock"):
    """A bay is emptied."""

    bay: str


class Wait(Happening, frozen=True, kw_only=True, tag="wait"):
    """Time passes."""

    hours: Annotated[float, Meta(gt=0)]


class SetLink(Happening, frozen=True, kw_only=True, tag="link"):
    """The destination can be reached from now on, or cannot."""

    up: bool


class SetRoom(Happening, frozen=True, kw_only=True, tag="room"):
    """The vault may hold so many bytes from now on."""

    bytes: Annotated[int, Meta(ge=0)]


class Sync(Happening, frozen=True, kw_only=True, tag="sync"):
    """What is due is sent."""


class Expect(Happening, frozen=True, kw_only=True, tag="expect"):
    """How things stand; the story fails where they do not.

    A bay's state and colour; files verified; objects that wait, and that the
    destination has proved; cameras that must come back.
    """

    bay: str | None = None
    state: str | None = None
    colour: str | None = None
    verified: int | None = None
    waiting: int | None = None
    confirmed: int | None = None
    owed: tuple[str, ...] | None = None


Step = Dock | Undock | Wait | SetLink | SetRoom | Sync | Expect
STEPS: Mapping[str, type[Happening]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (Dock, Undock, Wait, SetLink, SetRoom, Sync, Expect)
}


class Scenario(Table, frozen=True, kw_only=True):
    """A whole story, which begins at `begin`."""

    name: str
    about: str
    bays: Annotated[int, Meta(ge=1)]
    begin: Aware
    cameras: tuple[Camera, ...]
    steps: tuple[Step, ...]


def names() -> list[str]:
    """Return the scenarios that ship, by name."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def load(name: str) -> Scenario:
    """Read one that ships; raise `ConfigError` for a name nobody knows."""
    if name not in names():
        known = ", ".join(names())
        raise ConfigError(f"no scenario is called {name}; there are {known}")
    return parse((_folder() / f"{name}.toml").read_text("utf-8"), name)


def parse(text: str, name: str) -> Scenario:
    """Read the text of a scenario; raise `ConfigError` with what is wrong in it."""
    try:
        told = tomllib.loads(text)
        scenario = msgspec.convert(told, Scenario)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"scenario {name}: not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"scenario {name}: {_explain(str(error), told)}") from error
    for fault in _faults(scenario, name):
        raise ConfigError(f"scenario {name}: {fault}")
    return scenario


def _explain(message: str, told: Mapping[str, Any]) -> str:
    """Add the nearest word that would have been right."""
    wrong = re.search(r"unknown field `([^`]+)`|Invalid value '([^']+)'", message)
    if wrong is None:
        return message
    step = re.search(r"\$\.steps\[(\d+)]", message)
    known: list[str] = list(STEPS)
    if wrong[1]:
        table: type[msgspec.Struct] = Camera if "$.cameras" in message else Scenario
        if step:
            table = STEPS[told["steps"][int(step[1])]["do"]]
        known = list(table.__struct_fields__)
    near = difflib.get_close_matches(wrong[1] or wrong[2], known, n=1)
    return message + (f"; did you mean `{near[0]}`?" if near else "")


def _faults(scenario: Scenario, name: str) -> list[str]:
    """Return what each table allows and the whole does not."""
    cameras = [camera.id for camera in scenario.cameras]
    bays = [str(number) for number in range(1, scenario.bays + 1)]
    found = [f"it calls itself {scenario.name}"] if scenario.name != name else []
    found += [f"camera {c} is there twice" for c in cameras if cameras.count(c) > 1]
    for number, step in enumerate(scenario.steps, 1):
        bay = getattr(step, "bay", None)
        if bay is not None and bay not in bays:
            found.append(f"step {number}: there is no bay {bay}")
        if isinstance(step, Dock) and step.camera not in cameras:
            found.append(f"step {number}: there is no camera {step.camera}")
        if isinstance(step, Expect) and bay is None and (step.state or step.colour):
            found.append(f"step {number}: of which bay?")
    return found


def _folder() -> Path:
    return Path(str(resources.files("dock_agent.simulated") / "scenarios"))
