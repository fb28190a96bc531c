"""What encryption adds: the same card offloaded in the clear and encrypted, in turn.

    python -m benchmarks.encryption [MIB] [TURNS]

Whole imports, as `dock-agent import` does them: copy, read-back and second pass. The
figure is CPU seconds more for each GiB of footage; only the difference carries over.
"""

import hashlib
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._spent import Cost, spent
from dock_agent import dock_decrypt

MIB = 1 << 20
AGENT = str(Path(sys.executable).with_name("dock-agent"))
CONFIG = """
[station]
id = "benchmark"
[vault]
path = "vault"
reserve_bytes = 0
cached = "accept"
[store]
path = "store.db"
[offload]
rest_s = 0
"""
ENCRYPTED = '[encryption]\nrecipients = ["agency.pub", "escrow.pub"]\n'


def card(root: Path, size: int) -> Path:
    """Make three large files and two hundred small ones."""
    made = root / "card"
    made.mkdir()
    for number in range(3):
        with (made / f"F{number}.MP4").open("wb") as file:
            for _ in range(size // 3 // MIB):
                file.write(os.urandom(MIB))
    for number in range(200):
        (made / f"S{number}.JPG").write_bytes(os.urandom(20_000))
    return made


def turn(root: Path, source: Path, more: str) -> Cost:
    """Import the card into a fresh station."""
    with tempfile.TemporaryDirectory(dir=root) as folder:
        here = Path(folder)
        (here / "dock.toml").write_text(CONFIG + more)
        for name in ("agency", "escrow"):
            (here / f"{name}.pub").write_bytes(dock_decrypt.make("default")[1])
        told = ["--config", str(here / "dock.toml"), "--camera", "GENERIC:1"]
        return spent([AGENT, "import", *told, str(source)])


def one_pass() -> float:
    """Return what SHA-256 costs here and now, in CPU seconds for each GiB."""
    block, begun = os.urandom(64 * MIB), time.process_time()
    hashlib.sha256(block)
    return (time.process_time() - begun) * (1 << 30) / len(block)


def main(size: int, turns: int) -> None:
    """Print both, and the difference."""
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        root = Path(folder)
        source = card(root, size * MIB)
        whole = sum(path.stat().st_size for path in source.iterdir()) / (1 << 30)
        found: dict[str, list[Cost]] = {"": [], ENCRYPTED: []}
        passes = []
        for _ in range(turns):
            passes.append(one_pass())
            for more, costs in found.items():
                costs.append(turn(root, source, more))
    cpu = {more: [one.cpu / whole for one in costs] for more, costs in found.items()}
    for more, costs in found.items():
        wall = statistics.median(one.wall for one in costs)
        peak = max(one.peak for one in costs) / MIB
        print(
            f"{'encrypted' if more else 'in the clear'}: {wall:.1f} s,"
            f" {statistics.median(cpu[more]):.2f} CPU-s/GiB, peak {peak:.0f} MiB"
        )
    pairs = zip(cpu[""], cpu[ENCRYPTED], strict=True)
    more_cpu = sorted(later - first for first, later in pairs)
    print(
        f"encryption adds {statistics.median(more_cpu):.2f} CPU-s/GiB (aim 1.3);"
        f" least {more_cpu[0]:.2f}, most {more_cpu[-1]:.2f};"
        f" one SHA-256 pass costs {statistics.median(passes):.2f}"
    )


if __name__ == "__main__":
    sizes = [int(word) for word in sys.argv[1:]]
    main(*(sizes + [1024, 5][len(sizes) :]))
