"""The running station: one loop, fed by one queue, the only owner of the bays.

Detectors, offloads and timers run on threads of their own and only ever call
`saw`, `lost` or `post`; all decisions happen in `pump`, one event at a time.
What has to be done about them goes to the `Hands`.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from typing import Protocol

from dock_agent.bays.detector import Sighting
from dock_agent.bays.machine import (
    Bay,
    Cancel,
    Clear,
    Docked,
    Effect,
    Event,
    Failed,
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
    left: bool = False


class Hands(Protocol):
    """Whatever carries out what the station decided. None of these may block."""

    def arrived(self, contact: Contact) -> None:
        """Keep on record that something was put into a bay."""
        ...

    def left(self, contact: Contact) -> None:
        """Keep on record that it was taken out."""
        ...

    def identify(self, contact: Contact) -> None:
        """Find out which camera it is; post `Identified` or `Failed`."""
        ...

    def offload(self, contact: Contact) -> None:
        """Begin the docking; post what comes of it."""
        ...

    def clear(self, contact: Contact) -> None:
        """Erase the camera's own copies; post `Cleared` or `Failed` in the end."""
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


Still = Callable[[BayName, str], bool]
"""Whether a contact is still in its bay, asked of whatever sees the bays."""

CROWDED = "D-18"  # more than one volume in one bay
UNKNOWN_S, UNREAD_S, KNOWN_S = 60, 120, 600  # seconds
"""How long a bay calls for a camera that nobody could name, how long one may take
to be identified, and how long a bay calls for a camera that was pulled from it;
that one is then called for by the page's list of cameras that are owed."""


def gone(bay: BayName, token: str) -> bool:
    """Say that nothing is there any more."""
    del bay, token
    return False


class Station:
    """Owns every bay. Nothing else may change one."""

    def __init__(
        self, bays: Sequence[BayName], hands: Hands, clock: Clock, still: Still = gone
    ) -> None:
        self._bays = {name: Bay(name) for name in bays}
        self._contacts: dict[BayName, Contact] = {}
        self._since: dict[BayName, int] = {}  # monotonic ns of the last change of state
        self._hands, self._clock, self._still = hands, clock, still
        self._inbox: SimpleQueue[_Saw | _Lost | _Posted] = SimpleQueue()

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

    def tidy(self) -> None:
        """Let no bay call, or wait, for ever."""
        now = self._clock.now().monotonic_ns
        for name, bay in list(self._bays.items()):
            seconds = (now - self._since.get(name, now)) / 1e9
            patience = UNKNOWN_S if bay.camera is None else KNOWN_S
            if bay.state is BayState.PULLED and seconds >= patience:
                self._move(name, Returned())
            nameless = bay.state is BayState.IDENTIFYING and bay.camera is None
            if nameless and seconds >= UNREAD_S:
                told = f"it could not be identified within {UNREAD_S} s"
                self._move(name, Failed("D-17", told))

    def _handle(self, item: _Saw | _Lost | _Posted) -> None:
        match item:
            case _Saw(sighting):
                self._seen(sighting)
            case _Lost(bay, token):
                self._taken_out(bay, token)
            case _Posted(bay, docking, event):
                contact = self._contacts.get(bay)
                if contact is not None and contact.docking == docking:
                    self._tell(contact, event)

    def _taken_out(self, bay: BayName, token: str) -> None:
        contact = self._contacts.get(bay)
        if contact is not None and contact.sighting.token == token and not contact.left:
            self._contacts[bay] = replace(contact, left=True)
            self._hands.left(contact)
        if self._bays[bay].token == token:
            self._move(bay, Undocked())

    def _seen(self, sighting: Sighting) -> None:
        bay = self._bays[sighting.bay]
        crowded = bay.state is BayState.FAULT and bay.code == CROWDED
        if bay.token == sighting.token or crowded:
            return
        if bay.token is not None:
            if self._still(bay.name, bay.token):
                # One of them would be read, and the camera shown as safe.
                told = "there is more than one volume in this bay"
                self._move(bay.name, Failed(CROWDED, told))
                return
            self._taken_out(bay.name, bay.token)  # which was never reported
        contact = Contact(DockingId(ulid(self._clock)), sighting)
        self._contacts[bay.name] = contact
        self._hands.arrived(contact)
        self._move(bay.name, Docked(sighting.token))

    def _tell(self, contact: Contact, event: Event) -> None:
        name = contact.sighting.bay
        if isinstance(event, Identified):
            event = replace(event, camera=self._told_apart(contact, event.camera))
            self._contacts[name] = replace(contact, camera=event.camera)
            self._welcome_back(event.camera)
        self._move(name, event)

    def _told_apart(self, contact: Contact, camera: CameraId) -> CameraId:
        """Give the second of two cameras with one serial a name of its own.

        Also where the first was pulled, and this one's file system is another.
        """
        bay, volume = contact.sighting.bay, _volume(contact)
        taken = set()
        for name, other in self._bays.items():
            pulled = other.state is BayState.PULLED and _differ(
                volume, _volume(self._contacts.get(name))
            )
            if name != bay and (other.token or pulled):
                taken.add(other.camera)
        if camera not in taken:
            return camera
        names = [volume[:8]] if volume else []
        names += [str(number) for number in range(2, len(self._bays) + 2)]
        twins = (CameraId(f"{camera}~{name}") for name in names)
        return next(twin for twin in twins if twin not in taken)

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
        if after.state is not before.state:
            self._since[name] = self._clock.now().monotonic_ns
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
            case Clear():
                self._hands.clear(contact)
            case Cancel():
                self._hands.cancel(contact)
            case Show(colour):
                self._hands.show(name, colour)


def _volume(contact: Contact | None) -> str:
    """Return the file system's own id, where it is known."""
    return "" if contact is None else contact.sighting.facts.get("fs_uuid", "")


def _differ(one: str, other: str) -> bool:
    return bool(one and other) and one != other
