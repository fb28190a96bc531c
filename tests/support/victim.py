"""An agent that is to be killed: offloads one directory, given by its arguments."""

import sys
from pathlib import Path

from dock_agent.offload.clerk import Terms
from dock_agent.offload.parent import Limits, ProcessOffloader
from dock_agent.offload.recover import recover
from dock_agent.vault.lock import held


def say(word: str) -> None:
    """Tell the test how far this process is."""
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    """Recover, offload, say "done"; the arguments are the root and the card."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from support.bench import Bench  # noqa: PLC0415  the path is set just above
    from support.process import Ending  # noqa: PLC0415

    bench = Bench(Path(sys.argv[1]))
    with held(bench.vault):
        recover(bench.conn, bench.sealer)
        offloader = ProcessOffloader(bench.connect, bench.sealer, Limits(30, Terms(0)))
        ending = Ending()
        say("ready")
        offloader.start(bench.job(Path(sys.argv[2])), ending)
        event = ending.wait()
        offloader.close()
    say(type(event).__name__)


if __name__ == "__main__":
    main()
