"""import: offload a folder or a card as if it had been docked."""

from pathlib import Path
from typing import Any

import click

from dock_agent.cli.common import TEXT, print_json, progress, with_config, with_json
from dock_agent.config import Config
from dock_agent.durations import size_words


@click.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--camera", type=TEXT, required=True, help="Which camera it is: MODEL:SERIAL."
)
@click.option("--bay", type=TEXT, default="import", help="The bay to record it under.")
@with_config
@with_json
def import_(
    config: Config, path: Path, camera: str, bay: str, *, as_json: bool
) -> None:
    """Offload the folder or card at PATH as if it had been docked."""
    from dock_agent.importing import Wish, import_tree

    with progress("Copying") as show:
        told = import_tree(config, Wish(path, camera, bay), show)
    if as_json:
        print_json(told.summary)
    else:
        _say(told.summary)
    if told.error is not None:
        raise told.error


def _say(summary: Any) -> None:
    click.echo(f"Docking {summary.docking}: {summary.bag}")
    click.echo(f"{summary.verified} of {summary.files} files verified,")
    click.echo(f"  {size_words(summary.bytes)}, {summary.skipped} skipped.")
    whole = "Sealed." if summary.complete else "Sealed, but not complete."
    click.echo(whole if summary.sealed else "Not sealed.")
