"""A sender in a process of its own, to be killed.

    python s3_sender.py FOLDER ENDPOINT PREFIX SIZE KEY_ID

Sends one object, and keeps its progress in FOLDER/progress.json, as the worker's
store would. A line is printed with each step: how many bytes the store acknowledged,
and how many were sent so far. The last line is the proof.
"""

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import msgspec

from dock_agent.sync.destination import Progress
from support.place_s3 import Reach
from support.sending import Hearing, item

FILE = "progress.json"


def main(arguments: Sequence[str]) -> int:
    """Send; return 0 once it is confirmed."""
    folder, endpoint, prefix = Path(arguments[0]), arguments[1], arguments[2]
    hearing = Hearing()
    sent = hearing.of(item(folder, int(arguments[3])))

    def remember(progress: Progress) -> None:
        new = folder / f"{FILE}.new"
        new.write_bytes(msgspec.json.encode(progress))
        new.replace(folder / FILE)
        say(f"{progress.sent} {hearing.total} {progress.upload}")

    reach = Reach(endpoint, folder, prefix, key_id=arguments[4])
    with closing(reach.s3()) as station:
        done = station.send(sent, known(folder), remember)
        told = station.confirm(sent, done, sent=True)
    say("nothing" if told is None else told.proof.value)
    return 0 if told is not None else 1


def known(folder: Path) -> Progress:
    """Return what a sender before us remembered."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Progress)
    except FileNotFoundError:
        return Progress()


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
