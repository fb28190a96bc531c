"""An agent that is to be killed: docks one directory, and clears it."""

import sys
from pathlib import Path

from dock_agent.bays.machine import Cleared, Event
from dock_agent.cameras.profile import Profile
from dock_agent.offload.erase.books import EraseJob
from dock_agent.offload.erase.parent import EraseTerms, ProcessEraser
from dock_agent.offload.recover import recover
from dock_agent.offload.root import Root
from dock_agent.recording import Policy
from dock_agent.vault.lock import held

ERASABLE = Profile(name="KT-Z3", may_erase=True)
TERMS = EraseTerms(Policy.AFTER_VERIFIED, cached_vault=False, silence=30)


def say(word: str) -> None:
    """Tell the test how far this process is."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    """Recover, dock, say "ready", clear, say how it ended."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from support.bench import CAMERA, Bench  # noqa: PLC0415  the path is set just above
    from support.process import wait_until  # noqa: PLC0415

    bench, source = Bench(Path(sys.argv[1])), Path(sys.argv[2])
    ended: list[Event] = []

    def hear(event: Event) -> None:
        if isinstance(event, Cleared):
            ended.append(event)

    with held(bench.vault):
        recover(bench.conn, bench.sealer)
        docking = bench.dock(source)
        eraser = ProcessEraser(bench.connect, bench.sealer, TERMS)
        job = EraseJob(docking.id, CAMERA, source, Root.of(source.stat()))
        say("ready")
        eraser.start(job, ERASABLE, hear)
        wait_until(lambda: bool(ended))
        eraser.close()
    say(str(ended[0]))


if __name__ == "__main__":
    main()
