"""rebuild: make the database anew from the vault."""

from pathlib import Path

import click

from dock_agent.cli.common import print_json, progress, with_config, with_json
from dock_agent.config import Config
from dock_agent.errors import FixityError


@click.command("rebuild")
@click.option(
    "--trust",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A public key of the station's, PEM, besides the one it has.",
)
@with_config
@with_json
def rebuild_(config: Config, trust: tuple[Path, ...], *, as_json: bool) -> None:
    """Make a lost database anew: the whole vault is read again."""
    from dock_agent.rebuilding import rebuild

    with progress("Reading") as show:
        told = rebuild(config, trust, show)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{told.dockings} dockings are as they were sealed or left,")
        click.echo(f"  {told.files} files were read again and match.")
        click.echo(f"{told.lines} lines of the custody log are back.")
        for failure in told.failed:
            click.echo(f"  {failure}")
    if told.failed:
        raise FixityError(f"{len(told.failed)} things are not what they were")
