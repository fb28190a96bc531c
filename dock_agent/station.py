"""The running station: one loop, fed by one queue, the only owner of the bays.

Detectors, offloads and timers run on threads of their own and only ever call
`saw`, `lost` or `post`; all decisions happen in `pump`, one event at a time.
What has to be done about them goes to the `Hands`.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Protocol

from dock_agent.bays.detector import Sighting
from dock_agent.bays.machine import (
    Bay,
    Cancel,
    Docked,
    Effect,
    Event,
    Identified,
    Identify,
    Offload,
    Returned,
    Show,
    Undocked,
    step,
)
from dock_agent.clock import Clock, ulid
from dock_agent.machine import IllegalMove
from dock_agent.recording import BayName, BayState, CameraId, Colour, DockingId

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Contact:
    """One visit of one camera: what every late answer is matched against."""

    docking: DockingId
    sighting: Sighting
    camera: CameraId | None = None


class Hands(Protocol):
    """Whatever carries out what the station decided. None of these may block."""

    def identify(self, contact: Contact) -> None:
        """Find out which camera it is; post `Identified` or `Failed`."""
        ...

    def offload(self, contact: Contact) -> None:
        """Begin the docking; post what comes of it."""
        ...

    def cancel(self, contact: Contact) -> None:
        """Give the camera up: nothing may read it from now on."""
        ...

    def show(self, bay: BayName, colour: Colour) -> None:
        """Change the light over the bay."""
        ...


@dataclass(frozen=True, slots=True)
class _Saw:
    sighting: Sighting


@dataclass(frozen=True, slots=True)
class _Lost:
    bay: BayName
    token: str


@dataclass(frozen=True, slots=True)
class _Posted:
    bay: BayName
    docking: DockingId
    event: Event


class Station:
    """Owns every bay. Nothing else may change one."""

    def __init__(self, bays: Sequence[BayName], hands: Hands, clock: Clock) -> None:
        self._bays = {name: Bay(name) for name in bays}
        self._contacts: dict[BayName, Contact] = {}
        self._hands = hands
        self._clock = clock
        self._inbox: SimpleQueue[_Saw | _Lost | _Posted] = SimpleQueue()
        self.changes = 0  # grows with every move: the status page's revision

    @property
    def bays(self) -> Mapping[BayName, Bay]:
        return self._bays

    def contact(self, bay: BayName) -> Contact | None:
        """Return the present or, after a pull, the last contact of a bay."""
        return self._contacts.get(bay)

    def believed(self) -> dict[BayName, str | None]:
        """Return which contact is thought to be in each bay."""
        return {name: bay.token for name, bay in self._bays.items()}

    # ---- from any thread ----------------------------------------------------

    def saw(self, sighting: Sighting) -> None:
        """Say that something is in a bay. Saying it twice does no harm."""
        self._inbox.put(_Saw(sighting))

    def lost(self, bay: BayName, token: str) -> None:
        """Say that this contact is no longer in the bay."""
        self._inbox.put(_Lost(bay, token))

    def post(self, bay: BayName, docking: DockingId, event: Event) -> None:
        """Say what came of a docking; dropped if the bay has moved on."""
        self._inbox.put(_Posted(bay, docking, event))

    # ---- the loop's own thread -----------------------------------------------

    def pump(self, wait: float = 0.0) -> None:
        """Handle every event that has arrived; wait up to `wait` s for the first."""
        try:
            item = self._inbox.get(timeout=wait) if wait else self._inbox.get_nowait()
            while True:
                self._handle(item)
                item = self._inbox.get_nowait()
        except Empty:
            return

    def retry(self, bay: BayName) -> None:
        """Begin a waiting docking again, as a docking of its own."""
        contact = self._contacts[bay]
        if contact.camera is None or self._bays[bay].state is not BayState.WAITING:
            return
        self._contacts[bay] = replace(contact, docking=DockingId(ulid(self._clock)))
        reports_charge = self._bays[bay].reports_charge
        self._move(bay, Identified(contact.camera, reports_charge))

    def _handle(self, item: _Saw | _Lost | _Posted) -> None:
        match item:
            case _Saw(sighting):
                self._seen(sighting)
            case _Lost(bay, token):
                if self._bays[bay].token == token:
                    self._move(bay, Undocked())
            case _Posted(bay, docking, event):
                contact = self._contacts.get(bay)
                if contact is not None and contact.docking == docking:
                    self._tell(contact, event)

    def _seen(self, sighting: Sighting) -> None:
        bay = self._bays[sighting.bay]
        if bay.token == sighting.token:
            return
        if bay.token is not None:  # its removal was never reported
            self._move(bay.name, Undocked())
        contact = Contact(DockingId(ulid(self._clock)), sighting)
        self._contacts[bay.name] = contact
        self._move(bay.name, Docked(sighting.token))

    def _tell(self, contact: Contact, event: Event) -> None:
        name = contact.sighting.bay
        if isinstance(event, Identified):
            event = replace(event, camera=self._told_apart(name, event.camera))
            self._contacts[name] = replace(contact, camera=event.camera)
            self._welcome_back(event.camera)
        self._move(name, event)

    def _told_apart(self, bay: BayName, camera: CameraId) -> CameraId:
        """Give the second of two cameras with one serial a name of its own."""
        docked = {b.camera for n, b in self._bays.items() if n != bay and b.token}
        if camera not in docked:
            return camera
        twins = (CameraId(f"{camera}~{n}") for n in range(2, len(self._bays) + 2))
        return next(twin for twin in twins if twin not in docked)

    def _welcome_back(self, camera: CameraId) -> None:
        for name, bay in self._bays.items():
            if bay.state is BayState.PULLED and bay.camera == camera:
                self._move(name, Returned())

    def _move(self, name: BayName, event: Event) -> None:
        before = self._bays[name]
        try:
            after, effects = step(before, event)
        except IllegalMove as error:
            log.info("event came too late bay=%s %s", name, error)
            return
        self._bays[name] = after
        if after != before:
            self.changes += 1
        if after.state is not before.state:
            log.info("bay moved bay=%s from=%s to=%s", name, before.state, after.state)
        for effect in effects:
            self._perform(name, effect)

    def _perform(self, name: BayName, effect: Effect) -> None:
        contact = self._contacts[name]
        match effect:
            case Identify():
                self._hands.identify(contact)
            case Offload():
                self._hands.offload(contact)
            case Cancel():
                self._hands.cancel(contact)
            case Show(colour):
                self._hands.show(name, colour)
