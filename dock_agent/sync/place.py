"""Where a destination is, as one string: another place, another string."""

from dock_agent.config import Config
from dock_agent.config_tables import Destination


def place_of(config: Config, table: Destination) -> str:
    """Return what the store remembers, so that a name cannot change its place."""
    match table.kind:
        case "s3":
            return f"{table.endpoint}/{table.bucket}/{table.prefix}"
        case "tus":
            ways = (table.endpoint, table.addressing, table.read_endpoint)
            return f"{ways} {table.prefix}"
        case "axis":
            return str(config.resolve(table.connection_file or ""))
        case "directory":
            return str(config.resolve(table.path or ""))
