"""The books of one docking, kept again and again by processes that are killed.

    python bookkeeper.py DIRECTORY

Every statement that SQLite begins is counted; before the n-th the process is
killed, as by SIGKILL. There is one process, and one directory, for each n, until
one process lives to the end. Prints how each ended.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

from dock_agent.recording import DockingState
from dock_agent.store import files
from dock_agent.store.db import transaction
from support.books import Books

MOST = 400  # statements


def keep(root: Path, left: int) -> None:
    """Open a docking, take two files, lose one, stop, send."""
    books = Books(root)

    def tick(statement: str) -> None:
        nonlocal left
        del statement
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    books.conn.set_trace_callback(tick)
    docking = books.open()
    first, second, third = books.inventory(docking, ["a", "b", "c"])
    books.move(docking, DockingState.COPYING)
    for file in (first, second):
        books.prove(file)
        books.name(file)
    with transaction(books.conn):
        files.missed(books.conn, third, "changed meanwhile", books.at)
    books.move(docking, DockingState.INTERRUPTED, reason="pulled")
    books.confirm(books.claimed())


def main(root: Path) -> None:
    """Let one process after the other live a statement longer."""
    Books(root).close()
    for statement in range(MOST):
        folder = root / str(statement)
        folder.mkdir()
        shutil.copy(root / "store.db", folder)
        child = os.fork()
        if child == 0:
            keep(folder, statement)
            os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{ended}\n")
        if ended == 0:
            return


if __name__ == "__main__":
    main(Path(sys.argv[1]))
