"""Hold what the station believes against what is really there. Pure."""

from collections.abc import Mapping, Sequence

from dock_agent.bays.detector import Seen, Sighting, Vanished
from dock_agent.recording import BayName


def reconcile(
    believed: Mapping[BayName, str | None], present: Sequence[Sighting]
) -> list[Seen]:
    """Return what has to be said so that belief and truth agree again.

    `believed` is the token thought to be in each bay. Of several devices in one
    bay the one believed in stays; else the first counts.
    """
    found: dict[BayName, Sighting] = {}
    for sighting in present:
        known = sighting.token == believed.get(sighting.bay)
        if known or sighting.bay not in found:
            found[sighting.bay] = sighting
    events: list[Seen] = []
    for bay, token in believed.items():
        there = found.get(bay)
        if token is not None and (there is None or there.token != token):
            events.append(Vanished(bay, token))
        if there is not None and there.token != token:
            events.append(there)
    return events
