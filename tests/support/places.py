"""Destinations for the one suite that all of them pass, each with a judge of its own.

A module `support.place_NAME` has a function `place(folder)`, a context manager that
yields a `Place`; servers that are slow to start are kept by `server(folder)`, where
the module has one, and given as a second argument. Other ways to reach or to wrap
it are in its `VARIANTS`, by their own names: `{"s3-juicefs": Recipe(place, juicefs)}`.
Those in its `SLOW` stand in the place of all others where `make test-servers` asks.
"""

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from dock_agent.recording import CameraId, DockingId
from dock_agent.sync.destination import About, Destination
from support.rooted import ROOTS

NAMES = ("simulated", "directory", "s3", "tus", "axis")
SENT_WHOLE = frozenset({"directory", "axis", "axis-get"})  # a part is sent again
UNSHARED = frozenset({"tus"})  # its server makes the names: they cannot collide
DOCKING = DockingId("01KAVXG0000000000000000001")
BEGIN = datetime(2026, 3, 5, 8, 15, 30, tzinfo=UTC)


@dataclass
class Place:
    """A destination, and a look at what it holds that does not go through it.

    `put` puts something under a key behind its back; None where names cannot
    collide. `again` opens the same place anew, as after a restart. `resumes` says
    whether a part that was sent is not sent again.
    """

    destination: Destination
    found: Callable[[str], bytes | None]
    put: Callable[[str, bytes], object] | None
    keys: Callable[[], list[str]]
    again: Callable[[], Destination]
    resumes: bool


@dataclass(frozen=True)
class Recipe:
    """How a place is made: `place(folder)`, or `place(folder, server)`."""

    place: Callable[..., AbstractContextManager[Place]]
    server: Callable[[Path], AbstractContextManager[Any]] | None = None


@cache
def recipe(name: str) -> Recipe:
    """Return how the place of that name is made, a variant too."""
    family = name if name in NAMES else _family(name)
    module = importlib.import_module(f"support.place_{family}")
    if name in NAMES:
        return Recipe(module.place, getattr(module, "server", None))
    return _variants(family)[name]


@cache
def every_name() -> tuple[str, ...]:
    """Return the names of all places and all their variants; or of the slow ones."""
    others = tuple(name for family in NAMES for name in _variants(family))
    return others if ROOTS else (*NAMES, *others)


def about(file: str = "data/DCIM/0001.MP4", *, seal: bool = False) -> About:
    """Return what an object of a docking is."""
    camera = CameraId("KT-Z3:KTZ3A00017")
    if seal or not file.startswith("data/"):
        return About(DOCKING, camera, BEGIN, file, seal=seal)
    return About(DOCKING, camera, BEGIN, file, "DCIM/0001", BEGIN, "000123")


def _family(name: str) -> str:
    return next(family for family in NAMES if name in _variants(family))


def _variants(family: str) -> Mapping[str, Recipe]:
    module = f"support.place_{family}"
    if importlib.util.find_spec(module) is None:
        return {}  # its own tests say so
    variants: Mapping[str, Recipe] = getattr(
        importlib.import_module(module), "SLOW" if ROOTS else "VARIANTS", {}
    )
    return variants
