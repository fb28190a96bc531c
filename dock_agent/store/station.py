"""What the station knows of itself."""

import sqlite3

from dock_agent.store.db import writer


def vault_id(conn: sqlite3.Connection) -> str | None:
    """Return the id of the vault that this database belongs to, once it is known."""
    row = conn.execute("SELECT value FROM station WHERE key = 'vault'").fetchone()
    return None if row is None else str(row["value"])


@writer
def set_vault_id(conn: sqlite3.Connection, ident: str) -> None:
    """Bind the database to a vault; the same one may be said again."""
    conn.execute(
        "INSERT INTO station (key, value) VALUES ('vault', ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (ident,),
    )
