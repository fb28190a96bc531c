"""Export evidence from a station, and check an export: what the commands call."""

from contextlib import closing
from pathlib import Path

from dock_agent.clock import SystemClock
from dock_agent.config import Config
from dock_agent.custody.signing import PublicKey
from dock_agent.errors import ConfigError
from dock_agent.export.check import Checked, Show, check
from dock_agent.export.package import Exported, Order, Station, export
from dock_agent.keys import signing_key
from dock_agent.store.db import connect, require_whole
from dock_agent.vault.real import RealDisk


def export_from(config: Config, order: Order, show: Show) -> Exported:
    """Export what an order names; raises as `export.package.export`."""
    with closing(connect(config.store_path)) as conn:
        require_whole(conn)
        key = signing_key(config, conn)
        name, vault = config.station.id, config.vault_path
        return export(conn, Station(name, vault, key, SystemClock()), order, show)


def verify_export(directory: Path, key: Path | None, show: Show) -> Checked:
    """Check an export against a key file, PEM; against its own key if there is none.

    Raises `ConfigError` where directory or key cannot be read.
    """
    try:
        known = None if key is None else PublicKey.from_pem(key.read_bytes())
        return check(RealDisk(), directory.resolve(strict=True), known, show)
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}") from error
