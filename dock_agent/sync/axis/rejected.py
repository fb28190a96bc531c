"""What a content destination will never store in its own container.

Where the place offers it, that goes to a container for rejected content, one for each
object (README, "Rejected content storage"). It is there then, whole, and a person
there decides what becomes of it. Where the place does not, a person here must look.
"""

from dataclasses import dataclass
from uuid import UUID

from dock_agent.clock import Clock
from dock_agent.sync.axis import metadata, names
from dock_agent.sync.axis.account import Account, Rejected, expect
from dock_agent.sync.axis.body import Handle
from dock_agent.sync.axis.capabilities import REJECTED
from dock_agent.sync.axis.shelf import describe
from dock_agent.sync.destination import About

CREATED, ACCEPTED = 201, 202


@dataclass(frozen=True, slots=True)
class Rejects:
    """Makes such containers; several threads may use it. Raises as a destination."""

    account: Account
    station: str
    anybody: str
    clock: Clock

    def spot(self, about: About, known: Handle | None, refusal: Rejected) -> names.Spot:
        """Return where an object goes instead; where it was to go, if that is known.

        Raises the refusal if there is no such place for it.
        """
        self._recorded(about, refusal)
        if REJECTED not in self.account.capable():
            raise refusal
        if known and names.rejected_at(known.spot.container):
            return known.spot
        ident = UUID(bytes=self.clock.entropy(16), version=4)
        container = names.rejected(self.clock.now().utc, ident)
        return names.Spot(container, names.spot(about, self.anybody).name)

    def make(self, about: About, spot: names.Spot, refusal: Rejected) -> None:
        """Make the container, and tell what it is."""
        found = self._recorded(about, refusal)
        answer = self.account.call("PUT", (spot.container,))
        expect(answer, f"making {spot.container}", CREATED, ACCEPTED)
        usual = metadata.of_recording(about, found, self.station)
        fields = metadata.of_rejected(usual, spot.container, refusal.reason)
        describe(self.account, spot.container, fields)

    def _recorded(self, about: About, refusal: Rejected) -> names.Recorded:
        """Return whose recording it is of; what is of none is no content."""
        found = names.recorded(about, self.anybody)
        if found is None:
            raise refusal
        return found
