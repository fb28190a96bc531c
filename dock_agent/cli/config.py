"""check-config: what the configuration says, in words."""

import click

from dock_agent.cli.common import print_json, with_config, with_json
from dock_agent.config import Bay, Config, Destination


@click.command("check-config")
@with_config
@with_json
def check_config_(config: Config, *, as_json: bool) -> None:
    """Read the configuration strictly and explain what it means."""
    if as_json:
        print_json(config)
        return
    click.echo(f"Station {config.station.id}, time zone {config.station.timezone}.")
    click.echo(f"Evidence is kept in {config.vault_path};")
    click.echo(f"  {config.vault.reserve_bytes} bytes of it stay free.")
    click.echo(f"The database is {config.store_path}.")
    for bay in config.bays:
        click.echo(f"Bay {bay.name}: {_place(config, bay)}.")
    for destination in config.destinations:
        click.echo(f"Destination {destination.name}: {_target(config, destination)}.")
    if not config.destinations:
        click.echo("No destination: evidence stays in the vault.")
    click.echo(f"Cameras are erased: {_erase(config)}.")
    click.echo(f"The status page listens on {config.web.listen}.")


def _erase(config: Config) -> str:
    if config.release.erase == "never":
        return "never"
    wish = config.release.erase.replace("_", " ")
    return f"{wish}, of models whose profile says `may_erase`"


def _place(config: Config, bay: Bay) -> str:
    if bay.folder is not None:
        return f"a directory that appears in {config.resolve(bay.folder)}"
    return f"what is plugged into {bay.port}"


def _target(config: Config, destination: Destination) -> str:
    if destination.path is not None:
        return f"the directory {config.resolve(destination.path)}"
    where = f"{destination.bucket}/{destination.prefix}"
    return f"{destination.kind} {where} at {destination.endpoint}"
