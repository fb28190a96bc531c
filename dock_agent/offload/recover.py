"""Bring the vault and the database together again, after anything, at every start."""

import sqlite3

from dock_agent.offload.settle import Recovered, StillWritten, settle
from dock_agent.store import dockings
from dock_agent.vault.bag import Sealer


def recover(conn: sqlite3.Connection, sealer: Sealer) -> Recovered:
    """Settle every docking that is not sealed; safe to repeat.

    One whose offload still lives is left for its camera's next docking. Raises
    what the store raises, `NoRoom` or `VaultUnusable`.
    """
    found = Recovered()
    for docking in dockings.unfinished(conn):
        try:
            settle(conn, sealer, docking.id, found)
        except StillWritten:
            found.busy += 1
    return found
