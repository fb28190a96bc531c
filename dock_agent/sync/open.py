"""Make a destination from its table in the configuration."""

from dock_agent import config
from dock_agent.clock import Clock
from dock_agent.errors import ConfigError
from dock_agent.recording import DestinationName
from dock_agent.sync.credentials import CredentialsFile
from dock_agent.sync.destination import Destination
from dock_agent.sync.directory import Directory
from dock_agent.sync.s3 import S3
from dock_agent.sync.s3_client import Client, Place
from dock_agent.sync.transport import Transport
from dock_agent.vault.real import RealDisk


def open_destination(
    whole: config.Config, table: config.Destination, clock: Clock
) -> Destination:
    """Return the destination; nothing is sent or looked for yet."""
    if table.kind == "directory" and table.path is not None:
        return Directory(whole.resolve(table.path), RealDisk())
    if table.endpoint and table.bucket and table.credentials_file:
        ca_file = None if table.ca_file is None else whole.resolve(table.ca_file)
        client = Client(
            Transport(ca_file),
            Place(table.endpoint, table.bucket, table.region),
            CredentialsFile(whole.resolve(table.credentials_file)),
            clock,
        )
        return S3(client, table.prefix)
    raise ConfigError(f"destination {table.name} is not whole")


def open_all(whole: config.Config, clock: Clock) -> dict[DestinationName, Destination]:
    """Return every destination of the configuration by name."""
    return {
        DestinationName(table.name): open_destination(whole, table, clock)
        for table in whole.destinations
    }
