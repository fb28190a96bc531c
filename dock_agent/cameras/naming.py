"""What the name of a camera's file claims: camera, officer, time, number, mark. Pure.

Read leniently: a time that no clock has is kept as it is written, and a name that
nobody knows is a file as good as any. Nothing is decided by a name alone.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from dock_agent.errors import ConfigError

FIELDS = frozenset(
    ("device", "officer", "date", "time", "number", "mark", "lens", "encrypted")
)
EIGHT, SIX = 8, 6  # digits of a date and of a time
LONGEST = 255  # bytes of a name, on any file system

Pattern = re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Named:
    """What a name claims; None, or no, where it says nothing.

    `at` is the camera's own clock, without a zone; `said` the digits it was read
    from, kept above all where they are no time (`at` is None then).
    """

    device: str | None = None
    officer: str | None = None
    at: datetime | None = None
    said: str | None = None
    number: int | None = None
    lens: str = ""
    is_marked: bool = False
    is_encrypted: bool = False

    @property
    def is_impossible(self) -> bool:
        """Whether it tells a time that no clock has."""
        return self.said is not None and self.at is None


NOTHING = Named()


def compiled(patterns: Sequence[str]) -> tuple[Pattern, ...]:
    """Return patterns for names without their endings, whole, in any case.

    Raises `ConfigError` for one that is no regular expression, or that has a group
    of another name than `FIELDS`.
    """
    return tuple(_compiled(pattern) for pattern in patterns)


def read(path: str, patterns: Sequence[Pattern]) -> Named:
    """Return what the name of a file below the camera's root claims.

    The first pattern that fits the whole name decides.
    """
    stem = PurePosixPath(path).name.partition(".")[0]
    if len(stem) > LONGEST:
        return NOTHING
    for pattern in patterns:
        found = pattern.fullmatch(stem)
        if found is not None:
            return _named(found.groupdict())
    return NOTHING


def _compiled(pattern: str) -> Pattern:
    try:
        made = re.compile(pattern, re.IGNORECASE | re.ASCII)
    except re.error as error:
        raise ConfigError(f"`names`: {pattern!r}: {error}") from error
    unknown = sorted(set(made.groupindex) - FIELDS)
    if unknown:
        known = ", ".join(sorted(FIELDS))
        raise ConfigError(f"`names`: no field is called {unknown[0]!r}; known: {known}")
    return made


def _named(found: dict[str, str | None]) -> Named:
    said = _digits(found.get("date")) + _digits(found.get("time"))
    number = found.get("number")
    return Named(
        device=found.get("device"),
        officer=found.get("officer"),
        at=_time(said),
        said=said or None,
        number=int(number) if number else None,
        lens=(found.get("lens") or "").upper(),
        is_marked=bool(found.get("mark")),
        is_encrypted=bool(found.get("encrypted")),
    )


def _digits(text: str | None) -> str:
    return re.sub(r"\D", "", text or "")


def _time(said: str) -> datetime | None:
    """Return a date and a time of day; None for either alone, or for an impossible one.

    No zone is made up here: what the digits are the time of, the profile says.
    """
    if len(said) != EIGHT + SIX:
        return None
    try:
        return datetime.strptime(said, "%Y%m%d%H%M%S")  # noqa: DTZ007
    except ValueError:
        return None
