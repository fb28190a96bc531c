"""SIGKILL the agent at any moment; nothing may be lost, doubled or half there.

`KILLS` says how many times; each is followed by a recovery and, at the end, by
one undisturbed docking.
"""

import os
import random
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

from dock_agent.offload.recover import recover
from dock_agent.recording import DockingState, FileState
from dock_agent.store import custody, dockings, files
from dock_agent.vault.verify import verify_bag
from dock_agent.vault.verify_rows import verify_rows
from support.bench import KEY, Bench
from support.cards import card, digests

KILLS = int(os.environ.get("KILLS", "12"))
SIZES = (
    {f"VIDEO/{n:04d}.MP4": 17 << 20 for n in range(3)}
    | {f"VIDEO/{n:04d}.NMEA": 4000 for n in range(60)}
    | {f"PHOTO/{n:04d}.JPG": 180_000 for n in range(40)}
)
VICTIM = Path(__file__).parent.parent / "support/victim.py"


def run(root: Path, source: Path, kill_after: float | None) -> str:
    command = [sys.executable, str(VICTIM), str(root), str(source)]
    victim = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert victim.stdout is not None
    assert victim.stdout.readline() == "ready\n"
    if kill_after is not None:
        threading.Event().wait(kill_after)
        victim.kill()
    said = victim.stdout.read()
    victim.stdout.close()
    victim.wait()
    return said


def check_invariants(bench: Bench) -> None:
    """Every verified row has its bytes; every name in a bag has its proof."""
    for docking in dockings.sealed(bench.conn) + dockings.unfinished(bench.conn):
        rows = {
            f.stored: f.sha256
            for f in files.of_docking(bench.conn, docking.id)
            if f.state in {FileState.VERIFIED, FileState.PROVEN}
        }
        verified = {
            f.stored: f.sha256
            for f in files.of_docking(bench.conn, docking.id)
            if f.state is FileState.VERIFIED
        }
        there = {
            os.fsdecode(name): digest
            for name, digest in digests(bench.vault / docking.bag / "data").items()
            if not name.startswith(b"=") and b".part-" not in name
        }
        assert verified.items() <= there.items()
        assert there.items() <= rows.items()


def test_an_agent_killed_at_random_loses_and_doubles_nothing(tmp_path: Path) -> None:
    source = card(tmp_path / "card", SIZES)
    chance = random.Random(20261124)
    midway = 0

    for _ in range(KILLS):
        run(tmp_path, source, chance.uniform(0.0, 1.2))
        bench = Bench(tmp_path)
        check_invariants(bench)
        midway += any(
            d.state is not DockingState.INTERRUPTED
            for d in dockings.unfinished(bench.conn)
        )
        bench.close()
    assert run(tmp_path, source, None) == "Sealed\n"

    bench = Bench(tmp_path)
    recover(bench.conn, bench.sealer)
    check_invariants(bench)
    everything = Counter(
        name
        for docking in dockings.sealed(bench.conn)
        for name in digests(bench.vault / docking.bag / "data")
        if not name.startswith(b"=")
    )
    assert midway > 0
    assert everything == Counter(dict.fromkeys(digests(source), 1))
    assert dockings.unfinished(bench.conn) == []
    assert custody.check(bench.conn).seq > 0
    for docking in dockings.sealed(bench.conn):
        bag = bench.vault / docking.bag
        assert verify_bag(bench.disk, bag, docking.id, KEY.public).failed == []
        assert verify_rows(bench.conn, bench.disk, bench.vault, docking).failed == []
    bench.close()
