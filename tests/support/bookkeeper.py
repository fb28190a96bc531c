"""The books of one docking, kept by a process that is killed at a statement.

Every statement that SQLite begins is counted; before the one with the number
that `main` is given, the process is killed, as by SIGKILL.
"""

import os
import signal
from pathlib import Path

from dock_agent.recording import DockingState
from dock_agent.store import files
from dock_agent.store.db import transaction
from support.books import Books, ident


def main(root: Path, left: int) -> None:
    """Open a docking, take two files, lose one, seal, send."""
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
    books.move(ident(1), DockingState.INTERRUPTED, reason="pulled")
    books.confirm(books.claimed())
