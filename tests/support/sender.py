"""A worker in a process of its own, to be killed.

    python sender.py FOLDER ENDPOINT PREFIX MINUTES

Sends what is due in FOLDER/store.db from FOLDER/vault until nothing waits. Its
clock is so many minutes fast: that is how a lease runs out in a test. A line is
printed when it begins.
"""

import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from dock_agent.clock import Instant, SystemClock
from dock_agent.store.db import connect
from dock_agent.sync.lane import Lane
from dock_agent.sync.worker import Worker
from support.place_s3 import Reach
from support.queues import CLOUD


class FastClock(SystemClock):
    """Meets `clock.Clock`; ahead of the machine's by `ahead`."""

    def __init__(self, ahead: timedelta) -> None:
        super().__init__()
        self._ahead = ahead

    def now(self) -> Instant:
        true = super().now()
        return Instant(
            true.utc + self._ahead, true.monotonic_ns, true.boot, true.trusted
        )


def main(arguments: Sequence[str]) -> int:
    """Send; return 0 once everything is confirmed."""
    folder, endpoint, prefix = Path(arguments[0]), arguments[1], arguments[2]
    clock = FastClock(timedelta(minutes=int(arguments[3])))
    with (
        closing(Reach(endpoint, folder, prefix, clock=clock).s3()) as store,
        closing(connect(folder / "store.db")) as conn,
    ):
        sys.stdout.write("sending\n")
        sys.stdout.flush()
        lanes = {CLOUD: Lane(store)}
        told = Worker(folder / "vault", lanes, clock).run_once(conn)
    return told.waiting + told.refused


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
