"""Play a scenario: the real station, store, vault and queue, on a still clock.

One thread and no chance, so that the custody log of a story is the same to the
byte wherever it is played.
"""

import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from dock_agent.bays.detector import Sighting
from dock_agent.bays.machine import Event, Identified, OutOfRoom
from dock_agent.custody.chain import Event as Recorded
from dock_agent.custody.signing import SigningKey
from dock_agent.errors import DockError
from dock_agent.offload.clerk import Job, Terms
from dock_agent.offload.inline import InlineOffloader
from dock_agent.offload.recover import recover
from dock_agent.recording import (
    BayName,
    BayState,
    CameraId,
    Colour,
    DestinationName,
    DockingId,
)
from dock_agent.simulated.camera import Faults, SimulatedSource
from dock_agent.simulated.cards import Card, build, size
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.dock import AgentDied, Link, StoryDisk
from dock_agent.simulated.scenario import (
    SHIFT,
    Camera,
    Dock,
    Expect,
    Scenario,
    SetLink,
    SetRoom,
    Step,
    Sync,
    Undock,
    Wait,
)
from dock_agent.station import Contact, Station
from dock_agent.store import backlog, custody, destinations, files, views
from dock_agent.store.db import connect, transaction
from dock_agent.sync.directory.destination import Directory
from dock_agent.sync.lane import Lane
from dock_agent.sync.route import Routes
from dock_agent.sync.worker import Network, Worker
from dock_agent.vault.bag import Sealer
from dock_agent.vault.layout import MARKER, bag_path
from dock_agent.vault.real import RealDisk

CLOUD = DestinationName("cloud")
PLENTY = 1 << 40  # bytes
SEED = bytes(range(32))


def unheard(line: str) -> None:
    """Say nothing to nobody."""
    del line


class OtherwiseThanTold(DockError):
    """A story did not go as it says it does."""


class Story:
    """One scenario at work below `root`. Meets `station.Hands`."""

    def __init__(
        self, scenario: Scenario, root: Path, say: Callable[[str], None]
    ) -> None:
        self.scenario, self.root, self.say = scenario, root, say
        self.clock = ManualClock(scenario.begin)
        self._docked: dict[BayName, Dock] = {}
        self._needed: dict[BayName, int] = {}
        self._contacts = 0
        self.vault = self.root / "vault"
        for folder in (self.vault, self.root / "nas"):
            folder.mkdir(parents=True)
        (self.vault / MARKER).touch()
        for camera in self.scenario.cameras:
            build(self._card(camera), self.root / "cameras" / camera.id)
        self.disk = StoryDisk(self.vault, PLENTY)
        self.link = Link(Directory(self.root / "nas", RealDisk(), local=True))
        self.conn = connect(self.root / "store.db", create=True)
        with transaction(self.conn):
            destinations.ensure(self.conn, CLOUD, "directory")
        self._start()

    def close(self) -> None:
        self.conn.close()

    def play(self) -> str:
        """Play every step; return the custody log as JSON lines.

        Raises `OtherwiseThanTold` where an expectation does not hold.
        """
        for step in self.scenario.steps:
            if step.say:
                self.say(step.say)
            self.take(step)
        return custody.log(self.conn)

    def take(self, step: Step) -> None:
        """Let one thing happen, and everything that follows from it."""
        match step:
            case Dock():
                self._dock(step)
            case Undock():
                self._undock(step)
            case Wait(hours=hours):
                self.clock.advance(timedelta(hours=hours))
            case SetLink(up=up):
                self._set_link(up=up)
            case SetRoom():
                self._set_room(step)
            case Sync():
                self._sync()
            case Expect():
                self._expect(step)
        self.clock.advance(timedelta(seconds=1))

    # ---- station.Hands --------------------------------------------------------

    def arrived(self, contact: Contact) -> None:
        self._record("contact", contact)

    def left(self, contact: Contact) -> None:
        self._record("removed", contact)

    def _record(self, what: str, contact: Contact) -> None:
        facts = {
            "bay": contact.sighting.bay,
            "camera": contact.camera,
            "contact": contact.sighting.token,
        }
        with transaction(self.conn):
            custody.append(self.conn, Recorded(what, facts=facts), self.clock.now())

    def identify(self, contact: Contact) -> None:
        camera = next(
            c
            for c in self.scenario.cameras
            if c.id == self._docked[contact.sighting.bay].camera
        )
        ident = CameraId(f"{camera.model}:{camera.serial}")
        event = Identified(ident, reports_charge=False)
        self.station.post(contact.sighting.bay, contact.docking, event)

    def offload(self, contact: Contact) -> None:
        bay, camera = contact.sighting.bay, contact.camera
        if camera is None:
            raise OtherwiseThanTold("an offload of nobody")
        step = self._docked[bay]
        source = self.root / "cameras" / step.camera
        bag = bag_path(contact.docking, camera, self.clock.now().utc)
        job = Job(contact.docking, camera, bay, source, bag, {"bay": bay})
        offloader = InlineOffloader(
            self.conn,
            self.sealer(),
            lambda path: self._tree(path, step, contact),
            lambda seconds: self.clock.advance(timedelta(seconds=seconds)),
            Terms(0),
        )
        offloader.start(job, lambda event: self._post(bay, contact.docking, event))

    def clear(self, contact: Contact) -> None:
        """No story tells of an erase."""

    def cancel(self, contact: Contact) -> None:
        """Nothing runs between two steps."""

    def show(self, bay: BayName, colour: Colour) -> None:
        self.say(f"  bay {bay}: {colour}")

    # ---- what happens ---------------------------------------------------------

    def _dock(self, step: Dock) -> None:
        bay = BayName(step.bay)
        self._docked[bay] = step
        self._contacts += 1
        self.say(f"Camera {step.camera} is put into bay {bay}.")
        self.station.saw(Sighting(bay, f"contact {self._contacts}", step.camera))
        try:
            self.station.pump()
        except AgentDied:
            self._die()

    def _die(self) -> None:
        """Kill the agent; the next one finds the vault, and what is docked."""
        self.say("The agent dies, and is started again.")
        self.conn.close()
        self.conn = connect(self.root / "store.db")
        self.clock.advance(timedelta(seconds=5))
        recover(self.conn, self.sealer())
        self._start()
        for bay, step in sorted(self._docked.items()):
            self._dock(Dock(camera=step.camera, bay=bay))

    def _undock(self, step: Undock) -> None:
        bay = BayName(step.bay)
        token = self.station.bays[bay].token
        self.say(f"Bay {bay} is emptied.")
        self._docked.pop(bay, None)
        if token is not None:
            self.station.lost(bay, token)
        self.station.pump()

    def _set_link(self, *, up: bool) -> None:
        self.link.up = up
        self.say("The link is up." if up else "The link is down.")

    def _set_room(self, step: SetRoom) -> None:
        self.disk.capacity = step.bytes
        self.say(f"The vault may take {step.bytes} bytes.")
        free = self.disk.free(self.vault)
        for bay in self.station.bays.values():
            waits = bay.state is BayState.WAITING
            if waits and free >= self._needed.get(bay.name, 0):
                self.station.retry(bay.name)
        self.station.pump()

    def _sync(self) -> None:
        lane, network = Lane(self.link), Network(lambda: Routes(()))
        worker = Worker(self.vault, {CLOUD: lane}, self.clock, network)
        told = worker.run_once(self.conn)
        self.say(f"Sent: {told.confirmed} confirmed, {told.waiting} waiting.")

    def _expect(self, step: Expect) -> None:
        if step.bay is not None:
            bay = self.station.bays[BayName(step.bay)]
            _same(f"bay {step.bay}", str(bay.state), step.state)
            _same(f"the light of bay {step.bay}", str(bay.colour), step.colour)
        waiting, confirmed = (
            backlog.waiting(self.conn),
            backlog.confirmed(self.conn),
        )
        _same("files verified", files.taken_in(self.conn).files, step.verified)
        _same("objects waiting", waiting.count, step.waiting)
        _same("objects confirmed", confirmed, step.confirmed)
        owed = tuple(line.camera for line in views.owed(self.conn))
        _same("cameras owed", owed, step.owed)

    # ---- parts ------------------------------------------------------------------

    def _start(self) -> None:
        bays = [BayName(str(n)) for n in range(1, self.scenario.bays + 1)]
        self.station = Station(bays, self, self.clock)

    def sealer(self) -> Sealer:
        """Return what seals the dockings of this story."""
        key = SigningKey.from_seed(SEED)
        return Sealer(self.disk, self.vault, key, self.clock, "story", (CLOUD,))

    def _card(self, camera: Camera) -> Card:
        begin = camera.begin or self.scenario.begin - SHIFT
        who = camera.model, camera.serial, camera.officer
        return Card(*who, camera.recordings, begin)

    def _tree(self, path: Path, step: Dock, contact: Contact) -> SimulatedSource:
        bay, token = contact.sighting.bay, contact.sighting.token
        dies_after = _share(step.agent_dies_after, size(path))

        def beat(given: int) -> None:
            if dies_after is not None and given >= dies_after:
                raise AgentDied

        return SimulatedSource(
            path,
            Faults(gone_after=_share(step.leaves_after, size(path))),
            beat=beat,
            left=lambda: self._left(bay, token),
        )

    def _left(self, bay: BayName, token: str) -> None:
        self._docked.pop(bay, None)
        self.station.lost(bay, token)

    def _post(self, bay: BayName, docking: DockingId, event: Event) -> None:
        if isinstance(event, OutOfRoom):
            self._needed[bay] = event.needed
        self.station.post(bay, docking, event)


def _share(of: float | None, whole: int) -> int | None:
    return None if of is None else math.floor(of * whole)


def _same(what: str, found: object, told: object) -> None:
    """Compare with what the story tells; None is nothing told."""
    if told is not None and found != told:
        raise OtherwiseThanTold(f"{what}: {found}, where the story says {told}")
