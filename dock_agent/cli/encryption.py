"""encryption: to whom the station encrypts, and the order that ends it."""

from contextlib import closing
from pathlib import Path

import click

from dock_agent.cli.common import print_json, with_config, with_json
from dock_agent.config import Config


@click.group("encryption")
def encryption_() -> None:
    """Show to whom everything is encrypted, or end it by a signed order."""


@encryption_.command("show")
@with_config
@with_json
def show(config: Config, *, as_json: bool) -> None:
    """Print since when it is on, and whose keys open what is encrypted."""
    from dock_agent.store import encryption
    from dock_agent.store.db import reading

    with reading(config.store_path) as conn:
        known = encryption.get(conn)
    ids = () if known is None else known.ids()
    if as_json:
        print_json({"on": known is not None, "recipients": ids})
        return
    click.echo("Encryption is on." if known else "Encryption is off.")
    for ident in ids:
        click.echo(f"  key {ident}")


@encryption_.command("order")
@with_config
def order(config: Config) -> None:
    """Print what a recipient has to sign to end it."""
    from dock_agent.encryption import to_sign
    from dock_agent.store.db import reading

    with reading(config.store_path) as conn:
        click.echo(to_sign(config, conn), nl=False)


@encryption_.command("off")
@click.option(
    "--order",
    "file",
    type=click.Path(path_type=Path),
    required=True,
    help="The order, signed by a recipient.",
)
@with_config
def off(config: Config, file: Path) -> None:
    """Stop encrypting, by an order that a recipient signed."""
    from dock_agent.clock import SystemClock
    from dock_agent.encryption import end
    from dock_agent.store.db import connect
    from dock_agent.vault import lock

    with (
        lock.held(config.vault_path),
        closing(connect(config.store_path)) as conn,
    ):
        by = end(config, conn, file, SystemClock())
    click.echo(f"Encryption is off, by order of key {by}.")
    if config.encryption is not None:
        click.echo("Take [encryption] out of the configuration, or it begins again.")
