"""The page's snapshot: once a second, and at once where somebody waits for it."""

from pathlib import Path

from dock_agent.recording import Colour
from dock_agent.watch import status
from dock_agent.watch.status import Status
from support.cards import card
from support.process import wait_until
from support.programs import site

EVERY = 1.0  # seconds between two snapshots where no light changes


class Looks:
    """Every snapshot that was seen, in order."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.seen: list[Status] = []

    def show(self, colour: Colour) -> bool:
        """Look again; whether the first bay's light is of this colour."""
        found = status.read(self._path)
        if found is not None and (not self.seen or found.at != self.seen[-1].at):
            self.seen.append(found)
        return bool(self.seen) and self.seen[-1].bays[0].colour is colour

    def until(self, colour: Colour) -> float:
        """Return how long after the one before it a snapshot showed a colour."""
        wait_until(lambda: self.show(colour))
        before, shown = self.seen[-2:]
        return (shown.monotonic_ns - before.monotonic_ns) / 1e9


def test_a_light_that_changes_is_in_the_snapshot_before_the_next_second(
    tmp_path: Path,
) -> None:
    here, looks = site(tmp_path), Looks(tmp_path / "status.json")
    camera = card(tmp_path / "aside/KT-Z3:1", {"VIDEO/1.MP4": 1 << 18})
    bay = here.root / "bays/1/KT-Z3:1"
    with here.running():
        wait_until(lambda: looks.show(Colour.OFF) and len(looks.seen) > 1)

        camera.rename(bay)
        docked, safe = looks.until(Colour.AMBER), looks.until(Colour.GREEN)
        bay.rename(camera)
        free = looks.until(Colour.OFF)

    assert max(docked, safe, free) < EVERY
