"""scrub: read the vault again from its disk, and put right what can be."""

import click

from dock_agent.cli.common import print_json, progress, with_config, with_json
from dock_agent.config import Config
from dock_agent.errors import FixityError


@click.command("scrub")
@click.option("--once", is_flag=True, help="Read what is due by now (the default).")
@click.option("--all", "everything", is_flag=True, help="Read every file now.")
@with_config
@with_json
def scrub_(config: Config, *, once: bool, everything: bool, as_json: bool) -> None:
    """Read the vault again from its disk; heal what is damaged."""
    from dock_agent.clock import SystemClock
    from dock_agent.scrubbing import scrub

    if once and everything:
        raise click.UsageError("say --once or --all")
    with progress("Reading") as show:
        told = scrub(config, SystemClock(), show, everything=everything)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{told.checked} files were read, {told.healed} healed.")
        for failure in told.damaged:
            click.echo(f"  {failure.id}: {failure.reason}")
    if told.damaged:
        raise FixityError(f"{len(told.damaged)} files of the vault are damaged")
