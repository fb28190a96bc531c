"""Clear cameras side by side: one thread and one child process for each.

As an offload: the thread answers the child, and gives up one that says nothing. A
camera that cannot be cleared holds nobody up; the reason is on record.
"""

import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Protocol

from dock_agent.bays.machine import Cleared
from dock_agent.cameras.profile import Profile
from dock_agent.errors import DockError
from dock_agent.offload.children import GRACE, Children, Nursery, at_work
from dock_agent.offload.clerk import Post
from dock_agent.offload.erase.books import (
    EraseBooks,
    EraseJob,
    break_off,
    over,
    unsafe,
)
from dock_agent.offload.erase.door import door_of
from dock_agent.offload.messages import Ended, ended
from dock_agent.offload.parent import Wish, converse
from dock_agent.offload.release import Rule
from dock_agent.recording import DockingId, Policy
from dock_agent.store import erasures
from dock_agent.store.db import translated
from dock_agent.vault.bag import Sealer

log = logging.getLogger(__name__)


class Eraser(Protocol):
    """Clears cameras. None of these blocks for longer than a moment."""

    def policy(self, profile: Profile) -> Policy:
        """Return when cameras of this model are cleared; most never are."""
        ...

    def ripe(self, docking: DockingId) -> bool:
        """Whether all of a docking is confirmed, and no erase of it was tried."""
        ...

    def start(self, job: EraseJob, profile: Profile, post: Post) -> None:
        """Begin; in the end `Cleared` is posted, or `Failed`: something is not safe."""
        ...

    def cancel(self, docking: DockingId) -> None:
        """Give an erase up. One that is not running is left alone."""
        ...

    def close(self) -> None:
        """Give everything up and wait until the books are closed."""
        ...


class NoEraser:
    """Clears nothing. Meets `Eraser`."""

    def policy(self, profile: Profile) -> Policy:
        del profile
        return Policy.NEVER

    def ripe(self, docking: DockingId) -> bool:
        del docking
        return False

    def start(self, job: EraseJob, profile: Profile, post: Post) -> None:
        del job, profile
        post(Cleared("this station never erases a camera"))

    def cancel(self, docking: DockingId) -> None:
        del docking

    def close(self) -> None:
        """Nothing runs."""


@dataclass(frozen=True, slots=True)
class EraseTerms:
    """What the configuration says. `silence` is in seconds."""

    policy: Policy
    cached_vault: bool
    silence: float


class ProcessEraser:
    """Meets `Eraser` with a process for each erase."""

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        sealer: Sealer,
        terms: EraseTerms,
        children: Children | None = None,
    ) -> None:
        """`children` are whoever's gave them; without them it has its own."""
        self._connect, self._sealer, self._terms = connect, sealer, terms
        self._children, self._own = children or Children(), children is None
        self._running: dict[DockingId, tuple[threading.Thread, Wish]] = {}

    def policy(self, profile: Profile) -> Policy:
        return self._terms.policy if profile.may_erase else Policy.NEVER

    def ripe(self, docking: DockingId) -> bool:
        with translated("the database"), closing(self._connect()) as conn:
            return erasures.ripe(conn, docking, self._sealer.destinations)

    def start(self, job: EraseJob, profile: Profile, post: Post) -> None:
        wish, rule = Wish(), self._rule(profile)
        thread = threading.Thread(
            target=self._run,
            args=(job, rule, post, (wish, self._children.nursery())),
            name=f"erase-{job.docking}",
            daemon=True,
        )
        self._running = {d: r for d, r in self._running.items() if r[0].is_alive()}
        self._running[job.docking] = thread, wish
        thread.start()

    def cancel(self, docking: DockingId) -> None:
        if docking in self._running:
            self._running[docking][1].given_up.set()

    def close(self) -> None:
        for _, wish in self._running.values():
            wish.reason = "the agent was stopped"
            wish.given_up.set()
        for thread, _ in self._running.values():
            thread.join(2 * GRACE)
        if self._own:
            self._children.close()

    def _rule(self, profile: Profile) -> Rule:
        return Rule(
            policy=self._terms.policy,
            may_erase=profile.may_erase,
            cached_vault=self._terms.cached_vault,
            destinations=frozenset(self._sealer.destinations),
        )

    def _run(
        self, job: EraseJob, rule: Rule, post: Post, by: tuple[Wish, Nursery | None]
    ) -> None:
        wish, nursery = by
        try:
            with translated("the database"), closing(self._connect()) as conn:
                books = EraseBooks(conn, self._sealer, job, rule, post)
                order = books.open()
                try:
                    with at_work(order, nursery) as pipe:
                        converse(books, pipe, wish, self._terms.silence)
                finally:
                    if door := door_of(order.source, order.root):
                        door.close()  # of a child that was killed
        except DockError as error:
            self._over((job, rule), post, ended(error))
        except Exception as error:
            # The last resort of this thread: a bay must never wait for nobody.
            log.exception("erase failed docking=%s", job.docking)
            told = Ended("Unforeseen", f"{type(error).__name__}: {error}")
            self._over((job, rule), post, told)

    def _over(self, what: tuple[EraseJob, Rule], post: Post, why: Ended) -> None:
        """Free the bay, and keep the reason on record if that goes.

        Where it does not, an intent that stands is settled by the next docking.
        """
        log.warning("camera not cleared docking=%s %s", what[0].docking, why.detail)
        post(over(unsafe(why), why.detail))
        try:
            with translated("the database"), closing(self._connect()) as conn:
                break_off(conn, self._sealer, what, why)
        except DockError as error:
            log.warning("not on record docking=%s %s", what[0].docking, error)
