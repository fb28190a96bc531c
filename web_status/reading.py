"""Read the store for one request: a connection of its own, for reading only."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from dock_agent.config import Config
from dock_agent.store.db import connect_readonly, translated


@contextmanager
def reading(config: Config) -> Iterator[sqlite3.Connection]:
    """Open the store, and close it again. Raises `StoreError` and its kinds."""
    path = config.store_path
    with closing(connect_readonly(path)) as conn, translated(path):
        yield conn
