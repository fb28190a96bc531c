"""Make destinations, their lanes and the worker from the configuration."""

import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from dock_agent.clock import Clock
from dock_agent.config import Config
from dock_agent.config_tables import Destination as Table
from dock_agent.errors import ConfigError
from dock_agent.recording import DestinationName, Proof
from dock_agent.store import destinations
from dock_agent.sync.brake import Brake, Wait
from dock_agent.sync.carry import Stopping
from dock_agent.sync.credentials import CredentialsFile
from dock_agent.sync.destination import NOTHING_KNOWN, Capabilities, Destination
from dock_agent.sync.lane import Lane
from dock_agent.sync.meter import Meter
from dock_agent.sync.place import place_of
from dock_agent.sync.policy import Policy
from dock_agent.sync.s3.answers import recognised
from dock_agent.sync.s3.client import Client, Place
from dock_agent.sync.s3.destination import S3
from dock_agent.sync.s3.lock import Lock
from dock_agent.sync.stamping import stamping
from dock_agent.sync.transport.client import Transport
from dock_agent.sync.tryout import known as capabilities
from dock_agent.sync.worker import Network, Worker
from dock_agent.sync.wrappers import Around, wrapped

Known = Mapping[DestinationName, Capabilities]


def open_destination(
    whole: Config, table: Table, clock: Clock, known: Capabilities = NOTHING_KNOWN
) -> Destination:
    """Return the destination; nothing is sent or looked for yet.

    `known` is what was learnt of the place before. Raises `ConfigError`.
    """
    match table.kind:
        case "directory":
            from dock_agent.sync.directory.destination import open_directory

            return open_directory(whole, table, clock)
        case "tus":
            from dock_agent.sync.tus.destination import open_tus

            return open_tus(whole, table, clock)
        case "axis":
            from dock_agent.sync.axis.destination import open_axis

            return open_axis(whole, table, clock, known)
        case "s3":
            return _open_s3(whole, table, clock, known)


def _open_s3(whole: Config, table: Table, clock: Clock, known: Capabilities) -> S3:
    if not (table.endpoint and table.bucket and table.credentials_file):
        raise ConfigError(f"destination {table.name} is not whole")
    ca_file = None if table.ca_file is None else whole.resolve(table.ca_file)
    client = Client(
        Transport(ca_file, check=recognised),
        Place(table.endpoint, table.bucket, table.region),
        CredentialsFile(whole.resolve(table.credentials_file)),
        clock,
    )
    lock = Lock(table.retention_days, table.legal_hold)
    return S3(client, table.prefix, known, lock=lock)


def least_of(table: Table) -> Proof:
    """Return the least proof that confirms an object at a destination."""
    if (table.kind, table.cached) == ("directory", "accept"):
        return Proof.CACHED
    return Proof(table.proof)


@dataclass(frozen=True, slots=True)
class Opening:
    """What all lanes have in common. `wait` waits seconds, or ends the sending."""

    config: Config
    clock: Clock
    wait: Wait

    def lane(self, table: Table, known: Capabilities) -> Lane:
        """Return a destination of the configuration, ready to be driven."""
        return self.around(
            open_destination(self.config, table, self.clock, known), table
        )

    def around(self, inner: Destination, table: Table) -> Lane:
        """Return a destination with everything around it, and its terms."""
        name = DestinationName(table.name)
        brake, meter = Brake(self.clock, self.wait, table.rate), Meter(self.clock)
        around = Around(name, self.clock, self.wait, brake, meter)
        return Lane(
            wrapped(inner, around),
            Policy.of(table, ZoneInfo(self.config.station.timezone)),
            place_of(self.config, table),
            least_of(table),
            table.connections,
            brake.limit,
            meter.goodput,
        )


def open_lanes(
    config: Config, clock: Clock, known: Known, wait: Wait
) -> dict[DestinationName, Lane]:
    """Return a lane for every destination of the configuration, by name."""
    opening = Opening(config, clock, wait)
    return {
        name: opening.lane(table, known.get(name, NOTHING_KNOWN))
        for table in config.destinations
        for name in [DestinationName(table.name)]
    }


def worker(
    config: Config, clock: Clock, conn: sqlite3.Connection, stop: threading.Event
) -> Worker:
    """Return what sends for this station, until `stop` is set.

    Every destination is known to the store from now on, and what was sealed before
    it was known is queued. Raises `ConfigError`, and what the store raises.
    """

    def wait(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopping("the worker was stopped")

    places = {d.name: place_of(config, d)() for d in config.destinations}
    known = {
        row.name: capabilities(row)
        for row in destinations.every(conn)
        # Of another server, or of one that cannot be told, nothing is known.
        if row.place is not None and row.place == places.get(row.name)
    }
    network = Network(costly=config.sync.metered_interfaces)
    lanes = open_lanes(config, clock, known, wait)
    beside = config.fetched_path, stamping(config, clock)
    made = Worker(config.vault_path, lanes, clock, network, stop, *beside)
    made.begin(conn, {DestinationName(d.name): d.kind for d in config.destinations})
    return made
