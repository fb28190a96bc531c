"""What is known of the way to a destination: a table."""

from collections.abc import Mapping
from enum import StrEnum

from dock_agent.recording import LinkState


class LinkMove(StrEnum):
    """What was just seen of the link."""

    ANSWERED = "answered"  # the destination itself answered
    ANSWERED_METERED = "answered metered"  # it did, over a link that costs
    SILENT = "silent"  # no answer, or none in time
    INTERCEPTED = "intercepted"  # somebody else's page came back
    TURNED_AWAY = "turned away"  # it answered, and will not have us


LEADS_TO: Mapping[LinkMove, LinkState] = {
    LinkMove.ANSWERED: LinkState.ONLINE,
    LinkMove.ANSWERED_METERED: LinkState.METERED,
    LinkMove.SILENT: LinkState.OFFLINE,
    LinkMove.INTERCEPTED: LinkState.CAPTIVE,
    LinkMove.TURNED_AWAY: LinkState.BARRED,
}

MOVES: Mapping[tuple[LinkState, LinkMove], LinkState] = {
    (state, move): after for state in LinkState for move, after in LEADS_TO.items()
}
"""The last thing seen decides: a link has no memory."""
