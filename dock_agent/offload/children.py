"""Begin the children that touch cameras, and let them end.

They are forked by a nursery (`nursery.py`), which has loaded all that they need: a
child is there in milliseconds, and shares what it does not write to.
"""

import logging
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from dock_agent.offload.messages import EraseOrder, Order

log = logging.getLogger(__name__)

GRACE = 2.0  # seconds for a killed child to go; then it is left to the kernel
BIRTH = 30.0  # seconds from the request to a child, its nursery's start included
# Modules are found where the agent finds them, whatever its command did to its path.
BEGIN = """\
import sys
sys.path[:] = sys.argv[2:]
from dock_agent.offload.nursery import main
main(int(sys.argv[1]))
"""


class NurseryGone(Exception):
    """The nursery is not there to give a child; another one can be begun."""


@dataclass(frozen=True, slots=True)
class Child:
    """A process that waits for its order. `pidfd` is not used again by the kernel."""

    pid: int
    pidfd: int
    connection: Connection

    def ended(self, within: float) -> bool:
        """Whether it is no more, after `within` seconds at most."""
        poller = select.poll()
        poller.register(self.pidfd, select.POLLIN)
        return bool(poller.poll(within * 1000))

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)


class Nursery:
    """The agent's side of a nursery. Any thread may ask it for a child."""

    def __init__(self) -> None:
        """Begin one. It takes requests at once, and answers when it has loaded all.

        Raises `OSError`.
        """
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fd = theirs.fileno()
        command = (sys.executable, "-sP", "-c", BEGIN, str(fd), *sys.path)
        try:
            self._process = subprocess.Popen(  # noqa: S603  our own words
                command, stdin=subprocess.DEVNULL, pass_fds=[fd]
            )
        except OSError:
            self._socket.close()
            raise
        finally:
            theirs.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def child(self) -> Child:
        """Return a new child. Raises `NurseryGone`."""
        ours, theirs = Pipe()
        try:
            # One message, so that threads need not wait for one another; what the
            # answer comes through is the child's own.
            with closing(theirs):
                socket.send_fds(self._socket, [b"."], [theirs.fileno()])
            return _greeted(ours)
        except OSError as error:
            ours.close()
            raise NurseryGone(f"no child: {error}") from error

    def close(self) -> None:
        """Have it end, and with it whatever children it still has."""
        self._socket.close()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Children:
    """Gives a child for each order. A nursery that ended is followed by another."""

    def __init__(self) -> None:
        self._nursery: Nursery | None = None

    def nursery(self) -> Nursery | None:
        """Return a nursery that lives; None where none can be begun just now.

        For one thread only, the one that begins dockings.
        """
        if self._nursery is not None and self._nursery.has_ended():
            log.warning("nursery ended pid=%d: another one is begun", self._nursery.pid)
            self.close()
        if self._nursery is None:
            try:
                self._nursery = Nursery()
            except OSError as error:
                log.warning("no nursery: %s", error)
        return self._nursery

    def close(self) -> None:
        """End them all; a later call of `nursery` begins anew."""
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None


@contextmanager
def at_work(order: Order | EraseOrder, nursery: Nursery | None) -> Iterator[Connection]:
    """Have a child do something; yield the way to it, and let it end afterwards.

    Where the nursery ended just now, or there is none, the child gets one of its
    own. Raises `NurseryGone` or `OSError` where that gives none, either.
    """
    with ExitStack() as stack:
        child = _from(nursery)
        if child is None:
            child = stack.enter_context(closing(Nursery())).child()
        stack.callback(os.close, child.pidfd)
        stack.callback(end, child)
        with closing(child.connection) as connection:
            # One that is no more is told of when its answer is waited for.
            with suppress(OSError):
                connection.send(order)
            yield connection


def _from(nursery: Nursery | None) -> Child | None:
    try:
        return None if nursery is None else nursery.child()
    except NurseryGone as error:
        log.warning("the nursery gave no child: it gets one of its own: %s", error)
        return None


def end(child: Child) -> None:
    """Let a child end; one that does not is killed, or left to the kernel."""
    if child.ended(GRACE):
        return
    child.kill()
    if not child.ended(GRACE):
        log.warning("child left behind pid=%d: the kernel will not let go", child.pid)


def _greeted(ours: Connection) -> Child:
    """Return the child at the other end, once it has said who it is."""
    if not ours.poll(BIRTH):
        raise TimeoutError(f"it gave none within {BIRTH:.0f} s")
    with socket.socket(fileno=os.dup(ours.fileno())) as sock:
        told, fds, _, _ = socket.recv_fds(sock, 16, 1)
    if not fds:
        raise ConnectionResetError("it ended")
    return Child(int(told), fds[0], ours)
