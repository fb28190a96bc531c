"""Run dockings side by side: one thread and one child process for each.

The thread answers the child from a database connection of its own. A child
that says nothing for too long is given up: killed, and where the kernel keeps
it (a read from a hung camera cannot be interrupted), left behind.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Protocol

from dock_agent.errors import DockError
from dock_agent.offload.children import GRACE, Children, Nursery, at_work
from dock_agent.offload.clerk import Clerk, Job, Post, Terms, stop
from dock_agent.offload.ending import ending
from dock_agent.offload.messages import Ended, Heard, Said, ended
from dock_agent.recording import DockingId
from dock_agent.store.db import translated
from dock_agent.vault.bag import Sealer

log = logging.getLogger(__name__)

AGAIN = (1.0, 5.0, 30.0, 120.0)  # seconds between tries to record how a docking ended
STEP = 0.1  # seconds between two looks at whether the camera is still wanted


class Offloader(Protocol):
    """Does dockings. None of these blocks for longer than a moment."""

    def start(self, job: Job, post: Post) -> None:
        """Begin; what comes of it is posted."""
        ...

    def cancel(self, docking: DockingId) -> None:
        """Give a docking up. One that is not running is left alone."""
        ...

    def close(self) -> None:
        """Give everything up and wait until the books are closed."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a docking.

    `silence` is in seconds until a camera is given up.
    """

    silence: float
    terms: Terms


class Books(Protocol):
    """What answers a child. `over` is whether there is nothing more to answer."""

    @property
    def over(self) -> bool: ...

    def answer(self, said: Said) -> Heard | None: ...

    def end(self, why: Ended) -> None: ...


@dataclass(slots=True)
class Wish:
    """Whether a docking is still wanted; `reason` says why not."""

    given_up: threading.Event = field(default_factory=threading.Event)
    reason: str = "it was taken out"


class ProcessOffloader:
    """Meets `Offloader` with a process for each docking."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        sealer: Sealer,
        limits: Limits,
        children: Children | None = None,
    ) -> None:
        """`children` are whoever's gave them; without them it has its own."""
        self._connect, self._sealer, self._limits = connect, sealer, limits
        self._children, self._own = children or Children(), children is None
        self._running: dict[DockingId, tuple[threading.Thread, Wish]] = {}
        self._closing = threading.Event()

    def start(self, job: Job, post: Post) -> None:
        self._forget_ended()
        wish = Wish()
        thread = threading.Thread(
            target=self._run,
            args=(job, post, wish, self._children.nursery()),
            name=f"docking-{job.docking}",
            daemon=True,
        )
        self._running[job.docking] = thread, wish
        thread.start()

    def cancel(self, docking: DockingId) -> None:
        if docking in self._running:
            self._running[docking][1].given_up.set()

    def close(self) -> None:
        self._closing.set()
        for _, wish in self._running.values():
            wish.reason = "the agent was stopped"
            wish.given_up.set()
        for thread, _ in self._running.values():
            thread.join(2 * GRACE)
        if self._own:
            self._children.close()

    def _forget_ended(self) -> None:
        self._running = {
            docking: (thread, wish)
            for docking, (thread, wish) in self._running.items()
            if thread.is_alive()
        }

    def _run(self, job: Job, post: Post, wish: Wish, nursery: Nursery | None) -> None:
        try:
            with translated("the database"), closing(self._connect()) as conn:
                clerk = Clerk(conn, self._sealer, job, post)
                order = clerk.open(self._limits.terms)
                with at_work(order, nursery) as pipe:
                    converse(clerk, pipe, wish, self._limits.silence)
        except DockError as error:
            log.warning("docking failed docking=%s %s", job.docking, error)
            self._over(job, post, wish, ended(error))
        except Exception as error:
            # The last resort of this thread: a bay must never wait for nobody.
            log.exception("docking failed docking=%s", job.docking)
            told = Ended("Unforeseen", f"{type(error).__name__}: {error}")
            self._over(job, post, wish, told)

    def _over(self, job: Job, post: Post, wish: Wish, why: Ended) -> None:
        """Say that a docking ended, and keep it on record as soon as that goes."""
        gone = wish.given_up.is_set()
        told = Ended("CameraGone", wish.reason) if gone else why
        end = ending(told, self._sealer.free())
        post(end.event)
        for pause in AGAIN:
            try:
                with translated("the database"), closing(self._connect()) as conn:
                    stop(conn, self._sealer, job.docking, end.move, told.detail)
            except DockError as error:
                log.warning("end not on record docking=%s %s", job.docking, error)
                self._closing.wait(pause)
            else:
                return


def converse(books: Books, pipe: Connection, wish: Wish, silence: float) -> None:
    """Answer until the work is over, the camera gone, or all is silent."""
    silent = 0.0
    while not books.over:
        if wish.given_up.is_set():
            books.end(Ended("CameraGone", wish.reason))
            return
        if not pipe.poll(STEP):
            silent += STEP
            if silent >= silence:
                told = f"it gave nothing for {silence:.0f} s"
                books.end(Ended("CameraError", told))
            continue
        silent = 0.0
        try:
            answer = books.answer(pipe.recv())
            if answer is not None:
                pipe.send(answer)
        except (EOFError, OSError):
            books.end(Ended("Unforeseen", "its offload ended without a word"))
