"""A camera model, as data: one strict TOML file each."""

import difflib
import re
import tomllib
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from pathlib import Path

import msgspec

from dock_agent.cameras import naming
from dock_agent.errors import ConfigError


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to recognise one model, and what is known of it.

    `usb` are `vendor:product` in hexadecimal; empty where nothing is published.
    `marked` are globs, on names below the card, of footage that the officer
    marked as evidence. `names` are regular expressions of what the name of a file
    claims (`naming.py`). `unconfirmed` names the keys that nobody has seen yet.
    """

    name: str
    maker: str = ""
    driver: str = "mass_storage"
    usb: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    marked: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    reports_charge: bool = False
    may_erase: bool = False
    unconfirmed: tuple[str, ...] = ()

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
        profile = msgspec.convert(tomllib.loads(text), Profile)
        _patterns(profile.names)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"profile {name}: not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"profile {name}: {_explain(str(error))}") from error
    except ConfigError as error:
        raise ConfigError(f"profile {name}: {error}") from error
    return profile


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
    known = Profile.__struct_fields__
    near = difflib.get_close_matches(unknown[1], known, n=1)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    return f"unknown key `{unknown[1]}`{hint}"
