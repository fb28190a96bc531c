"""SIGKILL the agent at any moment of an erase; nothing may go without its proof.

`KILLS` says how many times.
"""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from dock_agent.offload.recover import recover
from dock_agent.store import custody, dockings
from dock_agent.vault.verify import verify_bag
from dock_agent.vault.verify_rows import verify_rows
from support.bench import KEY, Bench
from support.cards import card, digests
from support.erasing import require_intents

KILLS = int(os.environ.get("KILLS", "6"))
SIZES = {f"VIDEO/{n:04d}.MP4": 300 for n in range(500)}
VICTIM = Path(__file__).parent.parent / "support/eraser.py"


def run(root: Path, source: Path, kill: Callable[[], None] | None) -> str:
    """Clear the card; kill the agent and its child together once `kill` returns."""
    command = [sys.executable, str(VICTIM), str(root), str(source)]
    victim = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert victim.stdout is not None
    assert victim.stdout.readline() == "ready\n"
    if kill is not None:
        kill()
        os.killpg(victim.pid, signal.SIGKILL)
    said = victim.stdout.read()
    victim.stdout.close()
    victim.wait()
    return said


def after(seconds: float) -> Callable[[], None]:
    def wait() -> None:
        threading.Event().wait(seconds)

    return wait


def once_some_are_gone(folder: Path, count: int) -> Callable[[], None]:
    def wait() -> None:
        until = time.monotonic() + 20
        while len(list(folder.iterdir())) > len(SIZES) - count:
            assert time.monotonic() < until, "nothing was erased"

    return wait


def test_no_file_goes_without_intent_and_proof_however_often_the_agent_is_killed(
    tmp_path: Path,
) -> None:
    source = tmp_path / "card"
    chance = random.Random(20261127)
    midway = 0

    for number in range(KILLS):
        card(source, {f"{number}/{name}": size for name, size in SIZES.items()})
        before = digests(source)
        soon = after(chance.uniform(0.0, 0.6))
        some = once_some_are_gone(source / f"{number}/VIDEO", chance.randrange(1, 250))
        run(tmp_path, source, some if number % 2 else soon)
        bench = Bench(tmp_path)
        left = digests(source)
        assert left.items() <= before.items()
        require_intents(bench, {p: d for p, d in before.items() if p not in left})
        midway += 0 < len(left) < len(before)
        bench.close()
    assert run(tmp_path, source, None) in {
        "Cleared(reason=None)\n",
        "Cleared(reason='there is nothing to erase')\n",
    }

    bench = Bench(tmp_path)
    recover(bench.conn, bench.sealer)
    assert digests(source) == {}
    assert custody.check(bench.conn).seq > 0
    assert dockings.unfinished(bench.conn) == []
    for docking in dockings.sealed(bench.conn):
        bag = bench.vault / docking.bag
        assert docking.complete is True
        assert verify_bag(bench.disk, bag, docking.id, KEY.public).failed == []
        assert verify_rows(bench.conn, bench.disk, bench.vault, docking).failed == []
    bench.close()
    assert midway > 0, "no kill fell into the midst of an erase"
