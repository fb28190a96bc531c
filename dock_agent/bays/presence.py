"""Hold what the station believes against what is really there. Pure."""

from collections.abc import Mapping

from dock_agent.bays.detector import Presence, Seen, Vanished
from dock_agent.recording import BayName


def reconcile(believed: Mapping[BayName, str | None], present: Presence) -> list[Seen]:
    """Return what has to be said so that belief and truth agree again.

    `believed` is the token thought to be in each bay. Each volume that is there
    and not believed in is said: two in one bay are more than one camera has.
    """
    tokens = {(s.bay, s.token) for s in present.sightings}
    events: list[Seen] = [
        Vanished(bay, token)
        for bay, token in believed.items()
        if token is not None
        and bay not in present.unknown
        and (bay, token) not in tokens
    ]
    events += [s for s in present.sightings if s.token != believed.get(s.bay)]
    return events
