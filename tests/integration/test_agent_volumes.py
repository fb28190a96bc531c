"""The agent, and a camera with several volumes: what is read, and what is on record."""

from dataclasses import dataclass, field
from pathlib import Path

from dock_agent.agent import Agent, Tools
from dock_agent.bays.detector import Presence, Sighting
from dock_agent.bays.mount import FolderMounter
from dock_agent.cameras import volumes
from dock_agent.cameras.profile import Profile, Volume
from dock_agent.custody.chain import Event
from dock_agent.offload.clerk import Job, Post
from dock_agent.recording import BayName, BayState, DockingId
from dock_agent.simulated.clock import ManualClock
from dock_agent.station import gone
from support.process import wait_until

ONE = BayName("1")
NAMED = Volume(number=2, holds="DCIM")
PROFILES = (Profile(name="TWO", usb=("46f4:0001",), volumes=(NAMED,)),)


@dataclass
class Idle:
    """Meets `offload.parent.Offloader`, and offloads nothing."""

    begun: list[Job] = field(default_factory=list)

    def start(self, job: Job, post: Post) -> None:
        del post
        self.begun.append(job)

    def cancel(self, docking: DockingId) -> None:
        del docking

    def close(self) -> None:
        """Nothing is left open."""


class Mute:
    """Meets `bays.charge.Charger`."""

    def percent(self, sighting: Sighting) -> int | None:
        del sighting
        return None


class Bench:
    """An agent with one bay."""

    def __init__(self, tmp_path: Path) -> None:
        (tmp_path / "vault").mkdir()
        self.card = tmp_path / "card"
        self.card.mkdir()
        self.offloader, self.recorded = Idle(), list[Event]()
        tools = Tools(
            mounter=FolderMounter(),
            charger=Mute(),
            profiles=PROFILES,
            offloader=self.offloader,
            clock=ManualClock(),
            vault=tmp_path / "vault",
            record=self.recorded.append,
        )
        self.agent = Agent(tools, (ONE,), gone)

    def sighting(self, number: str) -> Sighting:
        facts = {"vendor_id": "46f4", "product_id": "0001", "serial": "A17"}
        facts["partition"] = number
        return Sighting(ONE, f"7:sda{number}", str(self.card), facts)

    def settle(self, *sightings: Sighting) -> None:
        """Let the agent see all that is in the bays, until it has decided."""
        chosen = volumes.choose(Presence(sightings), PROFILES)
        self.agent.passed_over(chosen.aside)
        for sighting in chosen.present.sightings:
            self.agent.station.saw(sighting)
        wait_until(self._decided)

    def _decided(self) -> bool:
        self.agent.station.pump()
        state = self.agent.station.bays[ONE].state
        return state is BayState.FAULT or bool(self.offloader.begun)

    def kinds(self) -> list[str]:
        return [event.kind for event in self.recorded]


def test_the_named_volume_is_offloaded_and_the_other_is_on_record_once(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    (bench.card / "DCIM").mkdir()
    footage, other = bench.sighting("2"), bench.sighting("1")

    for _ in range(2):
        bench.settle(other, footage)

    (job,) = bench.offloader.begun
    assert job.camera == "TWO:A17"
    assert bench.kinds() == ["volume passed over", "contact"]
    assert bench.recorded[0].facts["contact"] == other.token


def test_a_named_volume_without_what_must_be_on_it_is_for_a_person(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)

    bench.settle(bench.sighting("2"))

    bay = bench.agent.station.bays[ONE]
    assert (bay.state, bay.code) == (BayState.FAULT, "D-18")
    assert "there is no DCIM on it" in (bay.reason or "")
    assert bench.offloader.begun == []


def test_where_no_volume_is_the_named_one_the_bay_says_so_and_nothing_is_read(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    (bench.card / "DCIM").mkdir()

    bench.settle(bench.sighting("1"))

    bay = bench.agent.station.bays[ONE]
    assert (bay.state, bay.code) == (BayState.FAULT, "D-18")
    assert "no volume in this bay is the one" in (bay.reason or "")
    assert bench.offloader.begun == []
