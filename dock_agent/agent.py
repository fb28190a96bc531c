"""The hands of the station: what it decided is carried out here.

Nothing in this module blocks the loop: identifying runs on threads, offloads in
processes of their own.
"""

import logging
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from dock_agent.bays.charge import Charger
from dock_agent.bays.detector import Sighting
from dock_agent.bays.machine import (
    ChargeRead,
    Cleared,
    Event,
    Failed,
    Identified,
    OutOfRoom,
    Sealed,
    ToClear,
)
from dock_agent.bays.mount import Mounter, told_of
from dock_agent.cameras import volumes
from dock_agent.cameras.identify import Identity, identify
from dock_agent.cameras.profile import Profile
from dock_agent.clock import Clock
from dock_agent.custody.chain import Event as Recorded
from dock_agent.errors import DockError, NotChosen
from dock_agent.offload.clerk import Job
from dock_agent.offload.erase.books import EraseJob
from dock_agent.offload.erase.parent import Eraser, NoEraser
from dock_agent.offload.parent import Offloader
from dock_agent.offload.root import Root
from dock_agent.offload.source import shown
from dock_agent.recording import (
    BayName,
    BayState,
    CameraId,
    Colour,
    DockingId,
    Policy,
)
from dock_agent.station import CROWDED, Contact, Station, Still
from dock_agent.vault.layout import bag_path
from dock_agent.vault.lock import refuse_overlap

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Tools:
    """The parts that reach into the world, real or simulated."""

    mounter: Mounter
    charger: Charger
    profiles: tuple[Profile, ...]
    offloader: Offloader
    clock: Clock
    vault: Path
    record: Callable[[Recorded], None]
    eraser: Eraser = field(default_factory=NoEraser)


@dataclass(frozen=True, slots=True)
class Ready:
    """A camera that was identified, where its tree is, and which directory that was."""

    identity: Identity
    path: Path
    root: Root


class Agent:
    """Carries out what the station decides. Meets `station.Hands`."""

    def __init__(self, tools: Tools, bays: tuple[BayName, ...], still: Still) -> None:
        self._tools = tools
        self._ready: dict[tuple[BayName, str], Ready] = {}  # by bay and contact
        self._needed: dict[BayName, int] = {}  # bytes free that a bay waits for
        self._cleared: set[DockingId] = set()
        self._aside: set[tuple[BayName, str]] = set()  # volumes that are not read
        self._closed = False
        self.station = Station(bays, self, tools.clock, still)

    def arrived(self, contact: Contact) -> None:
        self._record("contact", contact.sighting, contact.camera)

    def left(self, contact: Contact) -> None:
        self._record("removed", contact.sighting, contact.camera)

    def identify(self, contact: Contact) -> None:
        if not self._closed:
            # A thread for each: one that hangs on its camera keeps no other waiting.
            thread = threading.Thread(
                target=self._identify_or_say,
                args=(contact,),
                name=f"identify-{contact.sighting.bay}",
                daemon=True,
            )
            thread.start()

    def offload(self, contact: Contact) -> None:
        if self._closed:
            return
        ready = self._ready[_place(contact)]
        camera = contact.camera or ready.identity.camera
        opened_at = self._tools.clock.now().utc
        job = Job(
            docking=contact.docking,
            camera=camera,
            bay=contact.sighting.bay,
            source=ready.path,
            bag=bag_path(contact.docking, camera, opened_at),
            identity=_facts(contact, ready.identity),
            root=ready.root,
        )
        post = partial(self._post, contact.sighting.bay, contact.docking)
        self._tools.offloader.start(job, post)

    def clear(self, contact: Contact) -> None:
        name, ready = contact.sighting.bay, self._ready.get(_place(contact))
        post = partial(self._post, name, contact.docking)
        if ready is None or contact.camera is None or self._closed:
            post(Cleared("the camera is not at hand any more"))
            return
        # PID 1 mounted a USB camera for us alone; a folder, anybody may write to.
        private = "folder" not in contact.sighting.facts
        job = EraseJob(contact.docking, contact.camera, ready.path, ready.root, private)
        self._tools.eraser.start(job, ready.identity.profile, post)

    @property
    def profiles(self) -> tuple[Profile, ...]:
        return self._tools.profiles

    def passed_over(self, aside: Sequence[Sighting]) -> None:
        """Keep on record, once for each, which volumes in the bays are not read."""
        tokens = {(sighting.bay, sighting.token) for sighting in aside}
        for one in aside:
            if (one.bay, one.token) not in self._aside:
                self._record("volume passed over", one)
        self._aside = tokens

    def cancel(self, contact: Contact) -> None:
        self._tools.eraser.cancel(contact.docking)
        self._tools.offloader.cancel(contact.docking)
        self._ready.pop(_place(contact), None)

    def show(self, bay: BayName, colour: Colour) -> None:
        log.info("light changed bay=%s colour=%s", bay, colour)

    def read_batteries(self) -> None:
        """Ask every docked camera that can say for its battery."""
        for name, bay in self.station.bays.items():
            contact = self.station.contact(name)
            if bay.token is None or contact is None or bay.state is BayState.FAULT:
                continue
            percent = self._tools.charger.percent(contact.sighting)
            if percent is not None and percent != bay.percent:
                self.station.post(name, contact.docking, ChargeRead(percent))

    def retry_waiting(self, free: int) -> None:
        """Begin again where there is room now; `free` is in bytes."""
        for name, bay in self.station.bays.items():
            if bay.state is BayState.WAITING and free >= self._needed.get(name, 0):
                self.station.retry(name)

    def clear_confirmed(self) -> None:
        """Clear the cameras that stayed docked until all of theirs was confirmed."""
        for name, bay in self.station.bays.items():
            contact = self.station.contact(name)
            sealed = bay.state is BayState.SEALED and bay.files_total
            if not sealed or contact is None:
                continue
            policy = self._policy(contact)
            if policy is Policy.AFTER_CONFIRMED and self._ripe(contact.docking):
                ripe = ToClear(bay.files_total)
                self.station.post(name, contact.docking, ripe)

    def _ripe(self, docking: DockingId) -> bool:
        if docking in self._cleared:
            return False
        try:
            ripe = self._tools.eraser.ripe(docking)
        except DockError as error:
            log.warning("not known what is confirmed docking=%s %s", docking, error)
            return False
        if ripe:
            self._cleared.add(docking)  # once in a docking, whatever comes of it
        return ripe

    def _clears(self, bay: BayName, docking: DockingId) -> bool:
        """Whether the camera of this docking is cleared as soon as it is sealed."""
        contact = self.station.contact(bay)
        if contact is None or contact.docking != docking:
            return False
        return self._policy(contact) is Policy.AFTER_VERIFIED

    def _policy(self, contact: Contact | None) -> Policy:
        ready = None if contact is None else self._ready.get(_place(contact))
        if ready is None:
            return Policy.NEVER
        return self._tools.eraser.policy(ready.identity.profile)

    def close(self) -> None:
        """Give up every docking, in order; begin nothing more."""
        self._closed = True
        self._tools.eraser.close()
        self._tools.offloader.close()

    def _record(
        self, what: str, sighting: Sighting, camera: CameraId | None = None
    ) -> None:
        facts = {
            "bay": sighting.bay,
            "camera": camera,
            "contact": sighting.token,
            "node": shown(os.fsencode(sighting.node)),
            "seen": dict(sighting.facts),
        }
        try:
            self._tools.record(Recorded(what, facts=facts))
        except DockError:
            log.exception("not on record bay=%s what=%s", sighting.bay, what)

    def _identify_or_say(self, contact: Contact) -> None:
        """A bay must never wait for an answer in vain, whatever happens."""
        try:
            self._identify(contact)
        except Exception as error:
            log.exception("identifying failed bay=%s", contact.sighting.bay)
            told = Failed("D-1", f"{type(error).__name__}: {error}")
            self._post(contact.sighting.bay, contact.docking, told)

    def _identify(self, contact: Contact) -> None:
        sighting = contact.sighting
        post = partial(self._post, sighting.bay, contact.docking)
        try:
            ready = self._looked_at(sighting)
        except NotChosen as error:
            post(Failed(CROWDED, str(error)))
            return
        except (DockError, OSError) as error:
            post(Failed("D-17", str(error)))
            return
        self._ready[_place(contact)] = ready
        charge = self._tools.charger.percent(sighting) is not None
        reports = ready.identity.profile.reports_charge or charge
        post(Identified(ready.identity.camera, reports_charge=reports))

    def _looked_at(self, sighting: Sighting) -> Ready:
        """Return who it is and where its tree is; raise `DockError` or `OSError`."""
        if volumes.UNCHOSEN in sighting.facts:
            raise NotChosen(sighting.facts[volumes.UNCHOSEN])
        root = self._tools.mounter.path(sighting)
        facts = Root.of(root.stat())
        refuse_overlap(self._tools.vault, root)
        identity = identify(sighting, self._tools.profiles)
        must = volumes.must_hold(sighting, self._tools.profiles)
        if must is not None and not os.path.lexists(root / must):
            name = identity.profile.name
            raise NotChosen(f"there is no {must} on it, as the profile {name} has it")
        if "folder" not in sighting.facts:
            told = dict(identity.evidence) | told_of(facts.device)
            identity = replace(identity, evidence=told)
        return Ready(identity, root, facts)

    def _post(self, bay: BayName, docking: DockingId, event: Event) -> None:
        if isinstance(event, OutOfRoom):
            self._needed[bay] = event.needed
        if isinstance(event, Sealed) and event.files and self._clears(bay, docking):
            event = ToClear(event.files)  # in one step: it never shows green between
        self.station.post(bay, docking, event)


def _place(contact: Contact) -> tuple[BayName, str]:
    return contact.sighting.bay, contact.sighting.token


def _facts(contact: Contact, identity: Identity) -> dict[str, Any]:
    return {
        "contact": contact.sighting.token,
        "node": shown(os.fsencode(contact.sighting.node)),
        "profile": identity.profile.name,
        **identity.evidence,
    }
