"""Which volume of a camera is read, where it has several: its profile says. Pure.

What the profile does not name is passed over, and on record as such. Where none is
what it names, or more than one, a person is asked: a camera that is read in part and
shown as safe is the worst of all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from dock_agent.bays.detector import Presence, Sighting
from dock_agent.cameras.identify import by_facts
from dock_agent.cameras.profile import Profile

UNCHOSEN = "unchosen"  # a fact: why none of the volumes in the bay can be read


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of all that is in the bays is a camera's, and what is passed over."""

    present: Presence
    aside: tuple[Sighting, ...]


def may_be_read(sighting: Sighting, profiles: Sequence[Profile]) -> bool:
    """Whether its profile names no volume, or this one."""
    named = by_facts(sighting.facts, profiles).volumes
    return not named or any(volume.fits(sighting.facts) for volume in named)


def choose(present: Presence, profiles: Sequence[Profile]) -> Chosen:
    """Leave out what is passed over; in a bay with nothing else, one says why."""
    kept = [s for s in present.sightings if may_be_read(s, profiles)]
    aside = [s for s in present.sightings if not may_be_read(s, profiles)]
    held = {sighting.bay for sighting in kept}
    for sighting in sorted(aside, key=lambda one: one.token):
        if sighting.bay not in held:
            held.add(sighting.bay)
            kept.append(_unchosen(sighting, profiles))
    return Chosen(replace(present, sightings=tuple(kept)), tuple(aside))


def must_hold(sighting: Sighting, profiles: Sequence[Profile]) -> str | None:
    """Return the path that must be on the volume that is read, if one must."""
    named = by_facts(sighting.facts, profiles).volumes
    return next((v.holds for v in named if v.fits(sighting.facts)), None)


def _unchosen(sighting: Sighting, profiles: Sequence[Profile]) -> Sighting:
    name = by_facts(sighting.facts, profiles).name
    told = f"no volume in this bay is the one that the profile {name} names"
    return replace(sighting, facts={**sighting.facts, UNCHOSEN: told})
