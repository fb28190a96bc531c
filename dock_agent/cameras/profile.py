"""A camera model, as data: one strict TOML file each."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from dock_agent.cameras import naming
from dock_agent.errors import ConfigError

Natural = Annotated[int, Meta(ge=0)]
_NAME = r"(?!\.{1,2}(/|$))[^/]+"
Below = Annotated[str, Meta(pattern=f"^{_NAME}(/{_NAME})*$")]  # a way down, never out


class Volume(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which volume of a camera holds the footage: one that is all of this."""

    label: Annotated[str | None, Meta(description="glob on its label")] = None
    file_system: Annotated[
        Literal["vfat", "exfat", "ext4"] | None, Meta(description="its file system")
    ] = None
    number: Annotated[
        Natural | None,
        Meta(description="of its partition; 0: the card has no partitions"),
    ] = None
    least_bytes: Annotated[int, Meta(ge=0, description="its size, at least")] = 0
    most_bytes: Annotated[Natural | None, Meta(description="its size, at most")] = None
    holds: Annotated[
        Below | None,
        Meta(description="a path on it that must be there, else a person is asked"),
    ] = None

    def fits(self, facts: Mapping[str, str]) -> bool:
        """Whether a volume is this one, by what was seen of it before any mount.

        A size that is not known fits no bounds.
        """
        label, size = facts.get("fs_label", ""), facts.get("bytes")
        bounded = self.least_bytes > 0 or self.most_bytes is not None
        return (
            (self.label is None or fnmatchcase(label, self.label))
            and self.file_system in {None, facts.get("fs_type")}
            and self.number in {None, int(facts.get("partition", 0))}
            and (not bounded or (size is not None and self._has_room(int(size))))
        )

    def _has_room(self, size: int) -> bool:
        most = size if self.most_bytes is None else self.most_bytes
        return self.least_bytes <= size <= most


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to recognise one model, and what is known of it.

    `usb` are `vendor:product` in hexadecimal; empty where nothing is published.
    `marked` are globs, on names below the card, of footage that the officer
    marked as evidence. `volumes` say where the footage is on a model that has
    several; without one, two volumes in a bay are for a person. `names` say what the
    name of a file claims (`naming.py`). `unconfirmed` names the keys that nobody has
    seen yet.
    """

    name: Annotated[str, Meta(description="of the model, as in its cameras' ids")]
    maker: Annotated[str, Meta(description="who makes it")] = ""
    driver: Annotated[str, Meta(description="how it is read")] = "mass_storage"
    usb: Annotated[
        tuple[str, ...], Meta(description="its `vendor:product`, in hexadecimal")
    ] = ()
    labels: Annotated[
        tuple[str, ...], Meta(description="globs on its volume's label, without `usb`")
    ] = ()
    marked: Annotated[
        tuple[str, ...],
        Meta(description="globs on names that the officer marked as evidence"),
    ] = ()
    names: Annotated[
        tuple[str, ...],
        Meta(description="regular expressions of what a file's name claims, see below"),
    ] = ()
    volumes: Annotated[
        tuple[Volume, ...],
        Meta(description="which volume holds the footage, see below"),
    ] = ()
    reports_charge: Annotated[bool, Meta(description="it tells of its battery")] = False
    may_erase: Annotated[
        bool, Meta(description="it may be cleared, where `[release]` says so")
    ] = False
    unconfirmed: Annotated[
        tuple[str, ...], Meta(description="keys that nobody has seen on a camera yet")
    ] = ()

    def is_marked(self, path: str) -> bool:
        """Whether the officer marked this file as evidence."""
        return any(fnmatchcase(path.upper(), glob.upper()) for glob in self.marked)

    def named(self, path: str) -> naming.Named:
        """Return what the name of a file claims."""
        return naming.read(path, _patterns(self.names))


GENERIC = Profile(name="generic")


@cache
def _patterns(names: tuple[str, ...]) -> tuple[naming.Pattern, ...]:
    return naming.compiled(names)


def parse(text: str, name: str) -> Profile:
    """Read one profile; an unknown key is refused with the nearest known one."""
    try:
        found = msgspec.convert(tomllib.loads(text), Profile)
        _patterns(found.names)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"profile {name}: not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"profile {name}: {_explain(str(error))}") from error
    except ConfigError as error:
        raise ConfigError(f"profile {name}: {error}") from error
    for fault in _faults(found):
        raise ConfigError(f"profile {name}: {fault}")
    return found


def _faults(profile: Profile) -> Iterator[str]:
    if len(profile.volumes) > 1:
        yield "only one volume of a camera is read: `volumes` has more than one"
    if profile.volumes and not profile.usb:
        # By its label alone a camera's other volumes would not be known for its own.
        yield "`volumes` needs `usb`: by what else is each of its volumes known?"
    if Volume() in profile.volumes:
        yield "`volumes` has one that says nothing, and would be any"


@cache
def shipped() -> tuple[Profile, ...]:
    """Return the profiles that come with the program, by name."""
    folder = resources.files("dock_agent.cameras") / "profiles"
    texts = {f.name: f.read_text("utf-8") for f in folder.iterdir()}
    return _sorted(parse(text, name) for name, text in texts.items())


def load(folder: Path) -> tuple[Profile, ...]:
    """Return the shipped profiles, those in `folder` put over them by name."""
    over = {
        profile.name: profile
        for profile in (
            parse(path.read_text("utf-8"), path.name)
            for path in sorted(folder.glob("*.toml"))
        )
    }
    return _sorted(({p.name: p for p in shipped()} | over).values())


def chosen(folder: Path | None) -> tuple[Profile, ...]:
    """Return the profiles of a station; `folder` has its own, if there is one.

    Raises `ConfigError` if that is no directory.
    """
    if folder is None:
        return shipped()
    if not folder.is_dir():
        raise ConfigError(f"[cameras] profiles: there is no directory {folder}")
    return load(folder)


def find(profiles: Sequence[Profile], name: str) -> Profile:
    """Return the profile of a model; the generic one for a model nobody knows."""
    known = {_plain(profile.name): profile for profile in profiles}
    return known.get(_plain(name), GENERIC)


def _sorted(profiles: Iterable[Profile]) -> tuple[Profile, ...]:
    return tuple(sorted(profiles, key=lambda profile: profile.name))


def _plain(name: str) -> str:
    return name.casefold().replace("-", "").replace(" ", "")


def _explain(message: str) -> str:
    unknown = re.search(r"unknown field `([^`]+)`", message)
    if unknown is None:
        return message
    known = (Volume if "$.volumes" in message else Profile).__struct_fields__
    near = difflib.get_close_matches(unknown[1], known, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    return f"unknown key `{unknown[1]}`{hint}"
