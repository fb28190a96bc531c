"""The process that the dockings' children are forked from: one thread, no lock.

It holds what each child would import, and nothing else: it is a program of its own,
which never had the agent's database, vault or locks. It reads no camera, so nothing
can keep it; it ends when the agent's end of its socket is closed, however that
comes about. A child is killed with it.
"""

import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from dock_agent.offload import process
from dock_agent.offload.erase import process as erase
from dock_agent.offload.messages import EraseOrder, Order
from dock_agent.signals import dies_with, leave_no_dump

MAINS: Mapping[type, Callable[[Connection, Any], None]] = {
    Order: process.main,
    EraseOrder: erase.main,
}


def main(fd: int) -> None:
    """Fork a child for each socket that comes through `fd`, until that is closed.

    What a child says first is its number, with a pidfd (pidfd_open(2)) of itself;
    then it waits for its order. Returns in the nursery, and never in a child.
    """
    leave_no_dump()  # of footage, or of a key to it
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the agent's to answer
    # What is here now is shared for good: no collection writes to these pages.
    gc.collect()
    gc.freeze()
    child = _Nursery(socket.socket(fileno=fd)).serve()
    if child is not None:
        _live(child)
        sys.stderr.flush()
        # To take an interpreter apart is to copy every page that was shared.
        os._exit(0)


class _Nursery:
    """Forks, and takes away what is left of its children."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._living: dict[int, int] = {}  # process ids by their pidfd
        self._poller = select.poll()
        self._poller.register(requests, select.POLLIN)

    def serve(self) -> socket.socket | None:
        """Return what to speak through in each child; in the nursery, at the end."""
        while True:
            for ready, _ in self._poller.poll():
                if ready in self._living:
                    self._bury(ready)
                    continue
                told, fds, _, _ = socket.recv_fds(self._requests, 1, 1)
                if not told:
                    return None
                with socket.socket(fileno=fds[0]) as theirs:
                    if self._fork():
                        return self._in_child(theirs)

    def _fork(self) -> bool:
        """Return whether this is the child. Without room there is none."""
        nursery = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            return False  # its socket is closed, and so the agent is told
        if pid == 0:
            dies_with(nursery)()
            return True
        pidfd = os.pidfd_open(pid)
        self._living[pidfd] = pid
        self._poller.register(pidfd, select.POLLIN)
        return False

    def _in_child(self, theirs: socket.socket) -> socket.socket:
        self._requests.close()
        for pidfd in self._living:
            os.close(pidfd)
        return theirs.dup()

    def _bury(self, pidfd: int) -> None:
        self._poller.unregister(pidfd)
        os.waitpid(self._living.pop(pidfd), 0)
        os.close(pidfd)


def _live(sock: socket.socket) -> None:
    """Say who we are, and do as ordered; without an order there is nothing to do."""
    with suppress(EOFError, OSError):
        pidfd = os.pidfd_open(os.getpid())
        socket.send_fds(sock, [str(os.getpid()).encode()], [pidfd])
        os.close(pidfd)
        with Connection(sock.detach()) as connection:
            order = connection.recv()
            MAINS[type(order)](connection, order)
