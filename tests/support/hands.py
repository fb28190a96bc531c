"""Hands that only remember what the station told them to do."""

from dataclasses import dataclass, field

from dock_agent.recording import BayName, Colour
from dock_agent.station import Contact


@dataclass
class RecordingHands:
    """The station's orders, in order."""

    identified: list[Contact] = field(default_factory=list)
    offloaded: list[Contact] = field(default_factory=list)
    cleared: list[Contact] = field(default_factory=list)
    cancelled: list[Contact] = field(default_factory=list)
    lights: list[tuple[BayName, Colour]] = field(default_factory=list)
    came: list[Contact] = field(default_factory=list)
    went: list[Contact] = field(default_factory=list)

    def arrived(self, contact: Contact) -> None:
        self.came.append(contact)

    def left(self, contact: Contact) -> None:
        self.went.append(contact)

    def identify(self, contact: Contact) -> None:
        self.identified.append(contact)

    def offload(self, contact: Contact) -> None:
        self.offloaded.append(contact)

    def clear(self, contact: Contact) -> None:
        self.cleared.append(contact)

    def cancel(self, contact: Contact) -> None:
        self.cancelled.append(contact)

    def show(self, bay: BayName, colour: Colour) -> None:
        self.lights.append((bay, colour))
