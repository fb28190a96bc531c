"""The cloud in memory, as it is and inside each wrapper."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from dock_agent.recording import DestinationName
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.cloud import SimulatedCloud
from dock_agent.sync.brake import Brake
from dock_agent.sync.destination import Destination
from dock_agent.sync.meter import Meter
from dock_agent.sync.wrappers import (
    Around,
    Guarded,
    Limited,
    Logged,
    Metered,
    Retried,
    wrapped,
)
from support.places import Place, Recipe

NAME = DestinationName("cloud")
RATE = 50 << 20  # bytes a second, of virtual time

Wrap = Callable[[SimulatedCloud, ManualClock], Destination]


def waiting(clock: ManualClock) -> Callable[[float], None]:
    """Return what waits in virtual time."""
    return lambda seconds: clock.advance(timedelta(seconds=seconds))


def around(clock: ManualClock, rate: int = RATE) -> Around:
    """Return everything that a worker puts around a destination."""
    wait = waiting(clock)
    return Around(NAME, clock, wait, Brake(clock, wait, rate), Meter(clock))


WRAPS: dict[str, Wrap] = {
    "logged": lambda cloud, clock: Logged(cloud, NAME, clock),
    "metered": lambda cloud, clock: Metered(cloud, Meter(clock)),
    "limited": lambda cloud, clock: Limited(cloud, around(clock).brake),
    "guarded": Guarded,
    "retried": lambda cloud, clock: Retried(cloud, clock, waiting(clock)),
    "wrapped": lambda cloud, clock: wrapped(cloud, around(clock)),
}


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Yield a cloud that reads everything back."""
    del folder  # it is in memory
    yield made(SimulatedCloud(ManualClock()), lambda cloud, _: cloud)


@contextmanager
def echoing(folder: Path) -> Iterator[Place]:
    """Yield a cloud that was found to compute digests itself."""
    del folder
    cloud = SimulatedCloud(ManualClock(), echoes=True)
    cloud.check()
    yield made(cloud, lambda cloud, _: cloud)


def made(cloud: SimulatedCloud, wrap: Wrap) -> Place:
    """Return a place of a cloud, and of what is put around it."""
    clock = cloud.clock
    assert isinstance(clock, ManualClock)
    return Place(
        destination=wrap(cloud, clock),
        found=cloud.objects.get,
        put=cloud.objects.__setitem__,
        keys=lambda: [*cloud.objects],
        again=lambda: wrap(cloud, clock),
        resumes=True,
    )


def _inside(wrap: Wrap) -> Recipe:
    @contextmanager
    def recipe(folder: Path) -> Iterator[Place]:
        del folder
        yield made(SimulatedCloud(ManualClock()), wrap)

    return Recipe(recipe)


VARIANTS = {
    "simulated-echoing": Recipe(echoing),
    **{f"simulated-{name}": _inside(wrap) for name, wrap in WRAPS.items()},
}
