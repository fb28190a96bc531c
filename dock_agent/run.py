"""Run a station: open everything, recover, and let the loop decide.

The composition root.
"""

import logging
import os
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import msgspec

from dock_agent import retaining, scrubbing
from dock_agent.agent import Agent, Tools
from dock_agent.bays.charge import PowerSupplies
from dock_agent.bays.detector import Detector, Presence, Seen, Sighting
from dock_agent.bays.mount import BayMounter
from dock_agent.bays.presence import reconcile
from dock_agent.cameras import profile, volumes
from dock_agent.clock import Clock, SystemClock
from dock_agent.config import Config
from dock_agent.custody.chain import Event
from dock_agent.deriving import Ground, beside
from dock_agent.offload.children import Children
from dock_agent.offload.clerk import PATIENCE, Terms
from dock_agent.offload.erase.parent import EraseTerms, ProcessEraser
from dock_agent.offload.parent import Limits, ProcessOffloader
from dock_agent.opened import Opened, opened
from dock_agent.recording import BayName, Colour
from dock_agent.station import Station, Still
from dock_agent.store import custody
from dock_agent.store.db import transaction
from dock_agent.vault import journal
from dock_agent.watch import status
from dock_agent.watch.compose import Watcher, not_live

log = logging.getLogger(__name__)

SNAPSHOT_EVERY, CHARGE_EVERY, RECONCILE_EVERY = 1.0, 10.0, 30.0  # seconds
LOG_EVERY, SIGN_EVERY = 5.0, 300.0  # seconds: to the vault; a checkpoint of what is new


def run(config: Config, stop: threading.Event, ready: Callable[[], None]) -> None:
    """Run until `stop` is set. `ready` is called once cameras are looked for."""
    clock = SystemClock()
    farewell(config)  # until the first look nothing is known, and nothing is green
    with opened(config, clock) as held, closing(Children()) as children:
        detectors = _detectors(config)
        agent = _agent(held, children, partial(_still, detectors))
        # What forks the dockings' children has loaded all before the first camera.
        children.nursery()
        try:
            for detector in detectors:
                detector.start(partial(_seen, agent.station, agent.profiles))
            ready()
            ground = Ground.of(config, agent.profiles)
            scrub = scrubbing.Ground.of(config, agent.station)
            with (
                beside(held.connect, clock, ground),
                scrubbing.beside(held.connect, clock, scrub),
            ):
                _loop(_Turn(held, agent, detectors, clock), stop)
        finally:
            farewell(config)
            for detector in detectors:
                detector.stop()
            agent.close()


def farewell(config: Config) -> None:
    """Say that nothing is watched: no page shows green from now on."""
    last = status.read(config.snapshot_path)
    if last is not None:
        over = not_live(msgspec.structs.replace(last, rev=last.rev + 1))
        status.write(config.snapshot_path, over)


def _still(detectors: list[Detector], bay: BayName, token: str) -> bool:
    return any(
        (sighting.bay, sighting.token) == (bay, token)
        for detector in detectors
        for sighting in detector.present().sightings
    )


def _record(held: Opened, clock: Clock, event: Event) -> None:
    with transaction(held.conn):
        custody.append(held.conn, event, clock.now())


def _agent(held: Opened, children: Children, still: Still) -> Agent:
    config, clock = held.config, held.sealer.clock
    offload = config.offload
    known = config.vault.reserve_bytes, offload.pace, PATIENCE, offload.rest_s
    limits = Limits(offload.silence_s, Terms(*known, held.recipients))
    tools = Tools(
        mounter=BayMounter(),
        charger=PowerSupplies(),
        profiles=profile.chosen(config.profiles_path),
        offloader=ProcessOffloader(held.connect, held.sealer, limits, children),
        clock=clock,
        vault=config.vault_path,
        record=partial(_record, held, clock),
        eraser=ProcessEraser(held.connect, held.sealer, _erase_terms(held), children),
    )
    return Agent(tools, config.bay_names(), still)


def _erase_terms(held: Opened) -> EraseTerms:
    """Return them; what erases more than before waits for two people."""
    config, at = held.config, held.sealer.clock.now()
    now = retaining.enforce(held.conn, config, at)
    for told in retaining.waits(config, now):
        log.warning("not in force until two people approve it: %s", told)
    return EraseTerms(
        now.erase,
        cached_vault=config.vault.cached == "accept",
        silence=config.offload.silence_s,
    )


def _detectors(config: Config) -> list[Detector]:
    """Return what the bays need: folders, USB ports, or both."""
    folders = {
        BayName(bay.name): config.resolve(bay.folder)
        for bay in config.bays
        if bay.folder is not None
    }
    ports = config.ports()
    found: list[Detector] = []
    if folders:
        from dock_agent.bays.folders import FolderDetector  # noqa: PLC0415  if needed

        found.append(FolderDetector(folders))
    if ports:
        from dock_agent.bays.detect import UdevDetector  # noqa: PLC0415  needs libudev

        found.append(UdevDetector(ports))
    return found


def _seen(to: Station, profiles: tuple[profile.Profile, ...], seen: Seen) -> None:
    """Tell the station; of a volume that may be passed over the next look decides."""
    if not isinstance(seen, Sighting):
        to.lost(seen.bay, seen.token)
    elif volumes.UNCHOSEN in seen.facts or volumes.may_be_read(seen, profiles):
        to.saw(seen)


@dataclass(slots=True)
class _Turn:
    """What the loop does besides handling events, and when it did it last."""

    held: Opened
    agent: Agent
    detectors: list[Detector]
    clock: Clock
    watcher: Watcher = field(init=False)
    last: dict[str, float] = field(default_factory=dict)
    rev: int = 0
    shown: bytes = b""
    lights: tuple[Colour, ...] = ()

    def __post_init__(self) -> None:
        self.watcher = Watcher(self.held.config)
        # The revision goes on where an earlier run stopped: a page that is open
        # must not take the new agent's first word for something it knows.
        before = status.read(self.held.config.snapshot_path)
        self.rev = before.rev if before is not None else 0

    def due(self, what: str, every: float) -> bool:
        now = self.clock.now().monotonic_ns / 1e9
        if now - self.last.get(what, -every) < every:
            return False
        self.last[what] = now
        return True

    def snapshot_due(self) -> bool:
        """Whether it is time; at once where a light changed: somebody waits for it."""
        on_time = self.due("snapshot", SNAPSHOT_EVERY)
        return on_time or self.lights != self._lights()

    def _lights(self) -> tuple[Colour, ...]:
        return tuple(bay.colour for bay in self.agent.station.bays.values())

    def snapshot(self) -> None:
        self.lights = self._lights()
        look = self.watcher.look(
            self.held.conn, self.agent.station.bays, self.clock.now()
        )
        timeless = msgspec.structs.replace(look, at="", monotonic_ns=0, rev=0)
        same = msgspec.json.encode(timeless)
        if same != self.shown:
            self.rev, self.shown = self.rev + 1, same
        fresh = msgspec.structs.replace(look, rev=self.rev)
        status.write(self.held.config.snapshot_path, fresh)

    def reconcile(self) -> None:
        found = [detector.present() for detector in self.detectors]
        present = Presence(
            tuple(sighting for one in found for sighting in one.sightings),
            frozenset(bay for one in found for bay in one.unknown),
        )
        chosen = volumes.choose(present, self.agent.profiles)
        self.agent.passed_over(chosen.aside)
        for seen in reconcile(self.agent.station.believed(), chosen.present):
            log.info("an event was made up for bay=%s", seen.bay)
            _seen(self.agent.station, self.agent.profiles, seen)

    def tend_log(self) -> None:
        """Sign what is new in the custody log, and keep the log in the vault, too."""
        sign = self.due("sign", SIGN_EVERY)
        journal.tend(self.held.conn, self.held.sealer, sign=sign)

    def free(self) -> int:
        """Return how many bytes the vault has free; 0 while it is not there."""
        try:
            facts = os.statvfs(self.held.config.vault_path)
        except OSError:
            return 0
        return facts.f_bavail * facts.f_frsize


def _loop(turn: _Turn, stop: threading.Event) -> None:
    while not stop.is_set():
        turn.agent.station.pump(wait=0.2)
        if turn.due("charge", CHARGE_EVERY):
            turn.agent.read_batteries()
            turn.agent.retry_waiting(turn.free())
            turn.agent.clear_confirmed()
            turn.agent.station.tidy()
        if turn.due("reconcile", RECONCILE_EVERY):
            turn.reconcile()
        if turn.snapshot_due():
            turn.snapshot()
        if turn.due("log", LOG_EVERY):
            turn.tend_log()
    turn.agent.close()
    turn.agent.station.pump()
