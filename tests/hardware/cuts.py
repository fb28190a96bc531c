"""A station that is recorded while it works, and every cut that it may have had."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hardware.cards import Files, Shape, card
from hardware.crash import FLUSH, Crash, crash_image, read_log
from hardware.errors import BenchError
from hardware.guest import Guest
from hardware.judge import Order
from hardware.ports import Camera
from hardware.program import ROOT
from hardware.witness import Seen, Witness, custody

QUIET = 300.0  # seconds without a word from the station: it has come to a halt
ON_THE_CARD = Shape("ext4")  # what this machine's kernel can read, too


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is left of a run: the disk at its beginning, its writes, what was said."""

    before: Path
    log: Path
    cards: Mapping[str, Path]  # by camera
    seen: tuple[Seen, ...]


@dataclass(slots=True)
class Figures:
    """Sums over the cuts of one run."""

    cuts: int = 0
    unflushed: int = 0
    lost: int = 0
    torn: int = 0
    files: int = 0  # that were called verified before the cut
    objects: int = 0  # that were called confirmed before the cut
    wrong: list[str] = field(default_factory=list)

    def add(self, crash: Crash, before: list[Seen]) -> None:
        self.cuts += 1
        self.unflushed += crash.unflushed
        self.lost += crash.lost
        self.torn += crash.torn
        self.files += len(custody(before, "verified"))
        self.objects += len(custody(before, "confirmed"))

    def __str__(self) -> str:
        return (
            f"{self.cuts} cuts: {self.unflushed} writes not flushed, of them"
            f" {self.lost} lost and {self.torn} torn; before them {self.files} files"
            f" called verified and {self.objects} objects confirmed;"
            f" {len(self.wrong)} things wrong"
        )


def record(guest: Guest, folder: Path, loads: Mapping[str, Files]) -> Recorded:
    """Dock cameras, one for each port, until all are sealed and sent; then cut."""
    cards = {port: _camera(folder, port, files) for port, files in loads.items()}
    witness = Witness(guest)
    for port, camera in cards.items():
        guest.ports.plug(port, camera)
    witness.until(lambda seen: _all_done(seen, len(loads)), QUIET)
    guest.cut()
    docked = custody(witness.seen, "docked")
    serials = {line["facts"]["identity"]["serial"]: line for line in docked}
    return Recorded(
        guest.folder / "data.before",
        guest.folder / "data.log",
        {serials[c.serial]["facts"]["camera"]: c.card for c in cards.values()},
        tuple(witness.seen),
    )


def _camera(folder: Path, port: str, files: Files) -> Camera:
    image = card(folder / f"{port}.img", files, ON_THE_CARD)
    return Camera(image, f"CAM{port}", "KINGTOP", "KT-Z3")


def _all_done(seen: list[Seen], cameras: int) -> bool:
    unsent = [s.said["unsent"] for s in seen if "unsent" in s.said]
    return len(custody(seen, "sealed")) == cameras and unsent[-1:] == [0]


class Court:
    """The judge's process, and what it is asked."""

    def __init__(self, process: "subprocess.Popen[bytes]", folder: Path) -> None:
        self._process, self._disk = process, folder / "cut.raw"

    def replay(self, run: Recorded, seeds: range) -> Figures:
        """Cut a recorded run once for each seed, and have each disk judged."""
        figures, writes = Figures(), read_log(run.log)
        flushes = [n for n, write in enumerate(writes) if write.flags & FLUSH]
        for seed in seeds:
            # As often at any write as right before a flush, when most is at stake.
            moments = flushes if seed % 2 else range(len(writes))
            upto = random.Random(seed).choice(moments)
            crash = crash_image(run.before, run.log, self._disk, upto=upto, seed=seed)
            before = [seen for seen in run.seen if seen.at <= upto]
            figures.add(crash, before)
            wrong = self.judge(self._disk, run.cards, before)
            figures.wrong += [f"after {upto} writes, seed {seed}: {w}" for w in wrong]
            self._disk.unlink()
        return figures

    def judge(
        self, disk: Path, cards: Mapping[str, Path], before: list[Seen]
    ) -> list[str]:
        """Return what is wrong with a disk. It is changed by that."""
        lines = [seen.said for seen in before if "seq" in seen.said]
        greens = [s.said["camera"] for s in before if s.said.get("colour") == "green"]
        order = Order(
            str(disk),
            {camera: str(card) for camera, card in cards.items()},
            {line["seq"]: line["sha256"] for line in lines},
            tuple(greens),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        self._process.stdin.flush()
        return list(json.loads(self._process.stdout.readline()))


@contextmanager
def court(folder: Path) -> Iterator[Court]:
    """Start the judge; it ends, and its mounts go, with the block.

    Raises `BenchError` where nothing can be mounted.
    """
    if os.geteuid():
        raise BenchError("only root can mount the disks of a station that was cut off")
    ways = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    alone = ("unshare", "--mount", "--propagation", "private", sys.executable)
    process = subprocess.Popen(
        [*alone, "-m", "hardware.judge", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": ways},
    )
    with process:  # at the end it has no more orders
        yield Court(process, folder)
