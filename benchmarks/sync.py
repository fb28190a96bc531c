"""How fast evidence reaches an S3 store, proved, against tools that only send it.

    python benchmarks/sync.py [--rounds N] [--size MIB] [--count N] [--large MIB]
                              [--store seaweed|sink] [--in DIRECTORY]

Ours is `dock-agent sync` as a process of its own, from its start to the last
confirmation: a station that has met the store before sends the whole bag, and has every
object proved, by the store's own SHA-256 or by reading every byte back, which moves
each byte twice. Peers send the evidence files alone, with their own defaults, one or
four files at a time; `curl` proves nothing and signs no payload. Each run has a fresh
SeaweedFS on loopback, and the files are in the page cache. "store" is what the store
itself spends, its start included: on few cores it is what bounds all of them. Only
ratios within one run carry over to another machine.

With `--store sink` they send to one that throws everything away, unread: what bounds
them then is their own doing. It proves nothing, and cannot be read back.
"""

import argparse
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from operator import attrgetter
from pathlib import Path
from statistics import median

from benchmarks._spent import Cost, spent
from benchmarks._station import (
    BUCKET,
    GB,
    KEY_ID,
    MIB,
    SECRET,
    Station,
    Terms,
    sink,
    station,
    store,
)

OURS, CURL = "ours", "curl -T"
READ_BACK = "ours, read back"
KEYS = {
    "AWS_ACCESS_KEY_ID": KEY_ID,
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_CONFIG_FILE": "/dev/null",
    "RCLONE_CONFIG": "/dev/null",
    "RCLONE_S3_PROVIDER": "SeaweedFS",
    "RCLONE_S3_ENV_AUTH": "true",
    "RCLONE_S3_NO_CHECK_BUCKET": "true",
}
RCLONE = Path(sys.executable).with_name("rclone")
BOTO3 = Path(__file__).with_name("_boto3_copy.py")
AT_A_TIME = (1, 4)
STORES = {"seaweed": store, "sink": sink}


@dataclass(frozen=True, slots=True)
class Run:
    """One sending: from where, to where, how many files at a time."""

    station: Station
    endpoint: str
    most: int


def ours(run: Run, proof: str) -> Cost:
    """Send and prove."""
    terms = Terms(proof, run.most)
    with run.station.queue(run.endpoint, terms) as queue:
        return spent(queue.command, until=queue.is_confirmed)


def curl(run: Run) -> Cost:
    """Send each file in one PUT, and believe the status."""
    files = ",".join(map(str, run.station.files))
    at_once = ["--parallel", "--parallel-max", str(run.most)] if run.most > 1 else []
    return spent(
        [
            *["curl", "--silent", "--show-error", "--fail", *at_once],
            *["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", f"{KEY_ID}:{SECRET}"],
            *["--upload-file", f"{{{files}}}", f"{run.endpoint}/{BUCKET}/"],
        ]
    )


def rclone(run: Run) -> Cost:
    """Send with rclone, which hashes each file (MD5) and sends it in parts."""
    folder = str(run.station.files[0].parent)
    to = {"RCLONE_S3_ENDPOINT": run.endpoint, "RCLONE_TRANSFERS": str(run.most)}
    command = [str(RCLONE), "copy", folder, f":s3:{BUCKET}"]
    return spent(command, {**KEYS, **to})


def boto3(run: Run) -> Cost:
    """Send with the transfer manager that `aws s3 cp` has, too."""
    files = map(str, run.station.files)
    to = [run.endpoint, BUCKET, "", str(run.most)]
    return spent([sys.executable, str(BOTO3), *to, *files], KEYS)


TOOLS: Mapping[str, Callable[[Run], Cost]] = {
    OURS: lambda run: ours(run, "echoed"),
    READ_BACK: lambda run: ours(run, "read-back"),
    CURL: curl,
    "rclone copy": rclone,
    "boto3": boto3,
}
MISSING = {
    CURL: lambda: shutil.which("curl") is None,
    "rclone copy": lambda: not RCLONE.exists(),
    "boto3": lambda: find_spec("boto3") is None,
}


@dataclass(frozen=True, slots=True)
class Told:
    """What the command line asks for."""

    root: Path
    tools: tuple[str, ...]
    rounds: int
    count: int
    size: int  # bytes
    store: str = "seaweed"


@dataclass(frozen=True, slots=True)
class Measured:
    """The costs of one tool, one for each round."""

    costs: list[Cost] = field(default_factory=list)
    stores: list[float] = field(default_factory=list)  # seconds of the store's own

    @property
    def wall(self) -> float:
        """Seconds, the median."""
        return median(cost.wall for cost in self.costs)

    @property
    def spread(self) -> float:
        """Seconds between the fastest round and the slowest."""
        walls = [cost.wall for cost in self.costs]
        return max(walls) - min(walls)

    @property
    def cpu(self) -> float:
        """Seconds of processors, the median."""
        return median(cost.cpu for cost in self.costs)

    @property
    def store(self) -> float:
        """Seconds of processors that the store spent, the median."""
        return median(self.stores)

    @property
    def peak(self) -> int:
        """Bytes resident, the most of all rounds."""
        return max(cost.peak for cost in self.costs)


Table = Mapping[tuple[str, int], Measured]


def measure(told: Told, sealed: Station) -> Table:
    """Let every tool send in turn, each to a fresh store."""
    names = [(name, most) for most in AT_A_TIME for name in told.tools]
    table = {name: Measured() for name in names}
    for path in sealed.files:  # into the page cache, for all of them
        with path.open("rb", buffering=0) as file:
            while file.read(MIB):
                pass
    for number in range(told.rounds):
        for name, most in names:
            before = _children()
            with STORES[told.store](told.root) as endpoint:
                cost = TOOLS[name](Run(sealed, endpoint, most))
            table[name, most].costs.append(cost)
            table[name, most].stores.append(_children() - before - cost.cpu)
            line = f"round {number + 1}: {name}, {most} at a time: {cost.wall:.2f} s"
            print(line, file=sys.stderr, flush=True)
    return table


def _children() -> float:
    """Return the seconds of processors of all that was started here and ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def show(table: Table, size: int) -> None:
    """Print medians, and each as a ratio to curl and to ours."""
    print(
        f"{'':30}{'seconds':>24}{'CPU s/GB':>14}{'peak':>6}{'time':>10}{'CPU':>15}\n"
        f"{'':30}{'wall':>7}{'spread':>8}{'MB/s':>7}{'its':>8}{'store':>7}"
        f"{'MiB':>6}{'/curl':>8}{'/ours':>7}{'/curl':>8}{'/ours':>7}"
    )
    for (name, most), found in table.items():
        print(
            f"{f'{name}, {most} at a time':30}{found.wall:7.2f}{found.spread:8.2f}"
            f"{size / found.wall / 1e6:7.0f}"
            f"{found.cpu / size * GB:8.2f}{found.store / size * GB:7.2f}"
            f"{found.peak // MIB:6}{_ratios(table, name, most)}"
        )


def _ratios(table: Table, name: str, most: int) -> str:
    found, text = table[name, most], ""
    bases = [table.get((other, most)) for other in (CURL, OURS)]
    for value in (attrgetter("wall"), attrgetter("cpu")):
        for base in bases:
            text += f"{value(found) / value(base):7.2f}" if base else f"{'-':>7}"
        text += " "
    return " " + text


def show_large(told: Told, root: Path, size: int) -> None:
    """Send one large file, and print what is resident at the peak (RSS)."""
    root.mkdir()
    if shutil.disk_usage(root).free < 2.2 * size:  # the card or the store, the vault
        print(f"no room here for a file of {size // MIB} MiB, left out")
        return
    sealed = station(root, 1, size)
    for name in [name for name in (OURS, READ_BACK) if name in told.tools]:
        with STORES[told.store](root) as endpoint:
            peak = TOOLS[name](Run(sealed, endpoint, 1)).peak
        print(f"{name}, one file of {size // MIB} MiB: {peak / 1e6:.0f} MB resident")


def main() -> None:
    """Read the arguments and compare."""
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--size", type=int, default=256, help="MiB of each file")
    words.add_argument("--count", type=int, default=8, help="files")
    words.add_argument("--large", type=int, default=4096, help="MiB; 0: none")
    words.add_argument("--in", dest="where", type=Path, default=None)
    words.add_argument("--only", action="append", choices=list(TOOLS))
    words.add_argument("--store", choices=list(STORES), default="seaweed")
    given = words.parse_args()
    tools = _there(given.only or list(TOOLS), given.store)
    with tempfile.TemporaryDirectory(dir=given.where) as folder:
        root, each = Path(folder), given.size * MIB
        told = Told(root, tools, given.rounds, given.count, each, given.store)
        if told.rounds:
            sealed = station(told.root, told.count, told.size)
            print(f"{told.count} files of {given.size} MiB, {told.rounds} rounds")
            show(measure(told, sealed), sealed.size)
            shutil.rmtree(told.root / "vault")
        if given.large:
            show_large(told, told.root / "large", given.large * MIB)


def _there(chosen: list[str], where: str) -> tuple[str, ...]:
    """Return the tools that can be run, and say which are left out."""
    missing = [name for name in chosen if MISSING.get(name, bool)()]
    for name in missing:
        print(f"{name}: not installed, left out")
    if where == "sink":
        print("The sink keeps and checks nothing; what it says is proved is not.")
        missing.append(READ_BACK)
    return tuple(name for name in chosen if name not in missing)


if __name__ == "__main__":
    main()
