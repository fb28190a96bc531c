"""What bad links cost in bytes, counted on the way by a proxy.

    python benchmarks/sync_cuts.py [--size MIB] [--seeds N] [--in DIRECTORY]

`dock-agent sync` sends one large file through a proxy to a SeaweedFS on loopback, and
the bag around it: over a link that stays, over one that is
cut once at a random byte, and over one that is cut every 30 MB on average, as radio
waves fade (exponential). Every byte of every request counts, and no byte of any answer.
"""

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from benchmarks._spent import spent
from benchmarks._station import (
    CALM,
    MIB,
    Fault,
    Plan,
    Station,
    Terms,
    fault_proxy,
    station,
    store,
)

MEAN = 30_000_000  # bytes that pass until a link is cut


@dataclass(frozen=True, slots=True)
class Passed:
    """Bytes of requests that passed, over so many connections; seconds it took."""

    count: int
    connections: int
    wall: float


def through(sealed: Station, plan: Plan) -> Passed:
    """Send all of it over such a link, to a fresh store."""
    with store(sealed.root) as endpoint:
        port = int(endpoint.rpartition(":")[2])
        with fault_proxy(port) as proxy, sealed.queue(proxy.url, Terms()) as queue:
            came, links = proxy.came, len(proxy.clients)  # while they met
            proxy.plan = lambda number: plan(number - links)
            cost = spent(queue.command, until=queue.is_confirmed)
            return Passed(proxy.came - came, len(proxy.clients) - links, cost.wall)


def once(seed: int, size: int) -> Plan:
    """Cut the first connection at some byte, and no other."""
    cut = Fault(most=Random(seed).randrange(size))
    return lambda number: CALM if number else cut


def fading(seed: int) -> Plan:
    """Cut every connection after some bytes."""
    chance = Random(seed)
    return lambda _: Fault(most=int(chance.expovariate(1 / MEAN)))


def show(name: str, passed: Passed, size: int, calm: Passed) -> None:
    """Print a line of the table."""
    again = (passed.count - calm.count) / MIB
    print(
        f"{name:28}{passed.count / 1e6:9.1f}{passed.count / size:8.3f}{again:12.2f}"
        f"{passed.connections:8}{passed.wall:8.1f}",
        flush=True,
    )


def compare(sealed: Station, seeds: int) -> None:
    """Print what passed over each kind of link, for each seed."""
    size = sealed.size
    print(f"{'':28}{'MB':>9}{'/object':>8}{'MiB again':>12}{'links':>8}{'wall s':>8}")
    calm = through(sealed, lambda _: CALM)
    show("it stays", calm, size, calm)
    links: dict[str, Callable[[int], Plan]] = {
        "cut once": lambda seed: once(seed, size),
        "cut every 30 MB": fading,
    }
    for name, link in links.items():
        found = [through(sealed, link(seed)) for seed in range(seeds)]
        for seed, passed in enumerate(found):
            show(f"{name}, seed {seed}", passed, size, calm)
        mean = sum(passed.count for passed in found) / size / seeds
        print(f"{name + ', the mean':28}{'':9}{mean:8.3f}")


def main() -> None:
    """Read the arguments and compare."""
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    words.add_argument("--size", type=int, default=256, help="MiB of the file")
    words.add_argument("--seeds", type=int, default=5)
    words.add_argument("--in", dest="where", type=Path, default=None)
    given = words.parse_args()
    with tempfile.TemporaryDirectory(dir=given.where) as folder:
        compare(station(Path(folder), 1, given.size * MIB), given.seeds)


if __name__ == "__main__":
    main()
