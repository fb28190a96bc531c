"""What the station knows of itself."""

import sqlite3

from dock_agent.custody.signing import PublicKey
from dock_agent.store.db import writer

VAULT, SIGNS_WITH, KEY = "vault", "signs with", "key "


def vault_id(conn: sqlite3.Connection) -> str | None:
    """Return the id of the vault that this database belongs to, once it is known."""
    return _get(conn, VAULT)


@writer
def set_vault_id(conn: sqlite3.Connection, ident: str) -> None:
    """Bind the database to a vault; the same one may be said again."""
    _set(conn, VAULT, ident)


def signs_with(conn: sqlite3.Connection) -> str | None:
    """Return the id of the key that dockings are signed with, once there is one."""
    return _get(conn, SIGNS_WITH)


@writer
def sign_with(conn: sqlite3.Connection, key: PublicKey) -> None:
    """Remember a key, and that dockings are signed with it from now on."""
    _set(conn, KEY + key.id, key.pem().decode("ascii"))
    _set(conn, SIGNS_WITH, key.id)


def keys(conn: sqlite3.Connection) -> dict[str, PublicKey]:
    """Return every key that dockings were ever signed with, by its id."""
    rows = conn.execute(
        "SELECT value FROM station WHERE substr(key, 1, ?) = ?", (len(KEY), KEY)
    )
    found = [PublicKey.from_pem(row["value"].encode("ascii")) for row in rows]
    return {key.id: key for key in found}


def _get(conn: sqlite3.Connection, key: str) -> str | None:
    row = conn.execute("SELECT value FROM station WHERE key = ?", (key,)).fetchone()
    return None if row is None else str(row["value"])


def _set(conn: sqlite3.Connection, key: str, value: str) -> None:
    conn.execute(
        "INSERT INTO station (key, value) VALUES (?, ?)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )
