"""run: cameras to the vault, until it is told to stop."""

import click

from dock_agent.cli.common import with_config
from dock_agent.config import Config


@click.command("run")
@with_config
@click.option("--verbose", is_flag=True, help="Log more.")
def run_(config: Config, *, verbose: bool) -> None:
    """Watch the bays and offload every camera that is docked."""
    from dock_agent import log
    from dock_agent.run import run
    from dock_agent.signals import until_told

    log.set_up(verbose=verbose)
    run(config, until_told(), lambda: click.echo("Watching the bays.", err=True))
