"""A process that sends one object to a tus server, to be killed in mid-request.

    python tus_sender.py FOLDER SIZE SITE STOP

SITE is a `Site` as JSON. What is remembered goes to FOLDER/progress.json. After STOP
bytes it says "there" and stays; it is up to the test to end it.
"""

import json
import sys
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path

from dock_agent.sync.destination import Progress
from dock_agent.sync.tus.client import Addressing, Site
from support.place_tus import tus
from support.sending import item


def site_of(text: str) -> Site:
    """Read a site as `asdict` and JSON wrote it."""
    fields = json.loads(text)
    return Site(**{**fields, "addressing": Addressing(fields["addressing"])})


def remembered(folder: Path) -> Progress:
    """Return what the killed process remembered last."""
    return Progress(**json.loads((folder / "progress.json").read_text("utf-8")))


def main(arguments: Sequence[str]) -> None:
    """Send until so many bytes have moved, and stay there."""
    folder, size, site, stop = arguments
    moved = 0

    def remember(done: Progress) -> None:
        kept = Path(folder, "progress.json")
        kept.with_suffix(".part").write_text(json.dumps(asdict(done)), "utf-8")
        kept.with_suffix(".part").replace(kept)

    def tell(count: int) -> None:
        nonlocal moved
        moved += count
        if moved >= int(stop):
            sys.stdout.write("there\n")
            sys.stdout.flush()
            threading.Event().wait()

    sent = replace(item(Path(folder), int(size)), moved=tell)
    with closing(tus(site_of(site))) as station:
        station.send(sent, Progress(), remember)


if __name__ == "__main__":
    main(sys.argv[1:])
