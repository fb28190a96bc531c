"""A story as data: cameras, and what happens to them, step by step."""

import tomllib
from importlib import resources
from pathlib import Path

import msgspec

from dock_agent.errors import ConfigError


class Camera(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A camera of the story; `id` is what the steps call it."""

    id: str
    model: str
    serial: str
    officer: str = "000000"
    recordings: int = 2


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing that happens.

    `dock` puts `camera` into `bay`; `leaves_after` or `agent_dies_after` is the
    share of its bytes that are read before it does. `undock` empties `bay`.
    `wait` lets `hours` pass. `link` sets whether the destination can be
    reached. `room` limits the vault to `bytes`. `sync` sends what is due.
    `expect` compares: a bay's state, how many files are verified, how many
    objects wait, which cameras are owed.
    """

    do: str
    say: str = ""
    camera: str = ""
    bay: str = ""
    leaves_after: float | None = None
    agent_dies_after: float | None = None
    hours: float = 0.0
    up: bool = True
    bytes: int = 0
    state: str | None = None
    verified: int | None = None
    waiting: int | None = None
    owed: tuple[str, ...] | None = None


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A whole story."""

    name: str
    about: str
    bays: int
    cameras: tuple[Camera, ...]
    steps: tuple[Step, ...]


def names() -> list[str]:
    """Return the scenarios that ship, by name."""
    return sorted(path.stem for path in _folder().glob("*.toml"))


def load(name: str) -> Scenario:
    """Read one; raise `ConfigError` for a name nobody knows."""
    if name not in names():
        known = ", ".join(names())
        raise ConfigError(f"no scenario is called {name}; there are {known}")
    text = (_folder() / f"{name}.toml").read_text("utf-8")
    try:
        return msgspec.convert(tomllib.loads(text), Scenario)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"scenario {name}: {error}") from error


def _folder() -> Path:
    return Path(str(resources.files("dock_agent.simulated") / "scenarios"))
