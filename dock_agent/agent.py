"""The hands of the station: what it decided is carried out here.

Nothing in this module blocks the loop: identifying runs on a small pool,
offloads in processes of their own.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dock_agent.bays.charge import Charger
from dock_agent.bays.mount import Mounter
from dock_agent.cameras.identify import Identity
from dock_agent.cameras.profile import Profile
from dock_agent.clock import Clock
from dock_agent.offload.parent import Job, Offloader
from dock_agent.recording import BayName, Colour
from dock_agent.station import Contact, Station
from dock_agent.vault.layout import bag_path

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ready:
    """A camera that was identified, and where its tree is."""

    identity: Identity
    root: Path


@dataclass(frozen=True, slots=True)
class Tools:
    """The parts that reach into the world, real or simulated."""

    mounter: Mounter
    charger: Charger
    profiles: tuple[Profile, ...]
    offloader: Offloader
    clock: Clock


class Agent:
    """Carries out what the station decides. Meets `station.Hands`."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._pool = ThreadPoolExecutor(thread_name_prefix="identify")
        self._ready: dict[str, Ready] = {}  # by the token of the contact
        self.station: Station

    def identify(self, contact: Contact) -> None:
        self._pool.submit(self._identify, contact)

    def offload(self, contact: Contact) -> None:
        ready = self._ready[contact.sighting.token]
        camera = contact.camera or ready.identity.camera
        opened_at = self._tools.clock.now().utc
        job = Job(
            docking=contact.docking,
            camera=camera,
            bay=contact.sighting.bay,
            source=ready.root,
            bag=bag_path(contact.docking, camera, opened_at),
            identity=_facts(contact, ready.identity),
        )
        post = partial(self.station.post, contact.sighting.bay, contact.docking)
        self._tools.offloader.start(job, post)

    def cancel(self, contact: Contact) -> None:
        self._tools.offloader.cancel(contact.docking)

    def show(self, bay: BayName, colour: Colour) -> None:
        log.info("light changed bay=%s colour=%s", bay, colour)
