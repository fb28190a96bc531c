"""Do a docking in the caller's thread: for `import`, and for scenarios."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dock_agent.errors import DockError
from dock_agent.offload.bench import Bench, Tree
from dock_agent.offload.child import Offload
from dock_agent.offload.clerk import Clerk, Job, Post, Terms
from dock_agent.offload.messages import Heard, Said, Stop, ended
from dock_agent.recording import DockingId
from dock_agent.vault.bag import Sealer


@dataclass(frozen=True, slots=True)
class Direct:
    """The way to a clerk in the same thread. Meets `child.Channel`."""

    clerk: Clerk

    def ask(self, said: Said) -> Heard:
        return self.clerk.answer(said) or Stop("no answer")

    def tell(self, said: Said) -> None:
        self.clerk.answer(said)


@dataclass(frozen=True, slots=True)
class InlineOffloader:
    """Meets `parent.Offloader`: `start` returns when the docking is over."""

    conn: sqlite3.Connection
    sealer: Sealer
    open_tree: Callable[[Path], Tree]
    wait: Callable[[float], None]
    terms: Terms
    lanes: int = 1

    def start(self, job: Job, post: Post) -> None:
        clerk = Clerk(self.conn, self.sealer, job, post)
        order = clerk.open(self.terms)
        try:
            with closing(self.open_tree(job.source)) as tree:
                disk, by = self.sealer.disk, Direct(clerk)
                Offload(Bench(tree, disk, by, self.wait, self.lanes), order).run()
        except DockError as error:
            clerk.end(ended(error))

    def cancel(self, docking: DockingId) -> None:
        del docking  # nothing runs between two calls

    def close(self) -> None:
        """Nothing is left open."""
