"""keys: what the station signs with."""

from contextlib import closing

import click

from dock_agent.cli.common import print_json, with_config, with_json
from dock_agent.config import Config


@click.group("keys")
def keys_() -> None:
    """Show the station's signing key, or begin a new one."""


@keys_.command("show")
@with_config
@with_json
def show(config: Config, *, as_json: bool) -> None:
    """Print the public key that signatures are checked with."""
    from dock_agent.custody.signing import load

    key = load(config.signing_path).public
    pem = key.pem().decode()
    if as_json:
        print_json({"key": key.id, "fingerprint": key.fingerprint, "pem": pem})
        return
    click.echo(f"Key {key.id}:\n{pem}", nl=False)
    click.echo(f"Fingerprint, to compare with an export's: {key.fingerprint}")


@keys_.command("new")
@click.confirmation_option(prompt="Sign with another key from now on?")
@with_config
def new(config: Config) -> None:
    """Sign with another key from now on; the custody log tells of it."""
    from dock_agent.clock import SystemClock
    from dock_agent.keys import begin_new
    from dock_agent.store.db import connect
    from dock_agent.vault import lock

    with (
        lock.held(config.vault_path),
        closing(connect(config.store_path)) as conn,
    ):
        key = begin_new(config, conn, SystemClock())
    click.echo(f"The station signs with key {key.id}.")
