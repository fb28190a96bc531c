"""What a station keeps how long, and which change of that destroys. Pure.

A change that keeps more holds at once. One that keeps less holds once two people have
approved it; until then the stricter of old and new does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dock_agent.recording import Policy

Days = Mapping[str, int | None]
"""Days that each category is kept, by its name; None: for ever."""

STRICTEST = (Policy.NEVER, Policy.AFTER_CONFIRMED, Policy.AFTER_VERIFIED)


@dataclass(frozen=True, slots=True)
class Terms:
    """What may be destroyed: local copies (`expire`, `days`), cameras' own (`erase`).

    A category that is not among `days` is kept for ever.
    """

    expire: bool
    erase: Policy
    days: Days

    def facts(self) -> dict[str, Any]:
        """Return it as plain facts, for the custody log and the database."""
        return {
            "expire": self.expire,
            "erase": self.erase.value,
            "days": dict(sorted(self.days.items())),
        }


def terms(facts: Mapping[str, Any]) -> Terms:
    """Return what `facts` told."""
    return Terms(facts["expire"], Policy(facts["erase"]), dict(facts["days"]))


def stricter(one: Terms, other: Terms) -> Terms:
    """Return what keeps all that either of them keeps."""
    days = {name: _longer(one, other, name) for name in {*one.days, *other.days}}
    return Terms(
        one.expire and other.expire,
        min(one.erase, other.erase, key=STRICTEST.index),
        {name: kept for name, kept in days.items() if kept is not None},
    )


def loosened(old: Terms, new: Terms) -> list[str]:
    """Return a sentence for each thing that `new` may destroy and `old` may not."""
    told = []
    if new.expire and not old.expire:
        told.append("local copies expire")
    if STRICTEST.index(new.erase) > STRICTEST.index(old.erase):
        told.append(f"cameras are erased {new.erase}, not {old.erase}")
    for name in sorted(new.days):
        before, after = old.days.get(name), new.days[name]
        if after is not None and (before is None or after < before):
            kept = "for ever" if before is None else f"{before} days"
            told.append(f"category {name} is kept {after} days, not {kept}")
    return told


def _longer(one: Terms, other: Terms, name: str) -> int | None:
    first, second = one.days.get(name), other.days.get(name)
    return None if first is None or second is None else max(first, second)
