"""verify and recordings: what the station holds, and whether it is whole."""

from typing import TYPE_CHECKING

import click

from dock_agent.cli.common import TEXT, print_json, progress, with_config, with_json
from dock_agent.config import Config
from dock_agent.durations import size_words
from dock_agent.errors import CustodyError, FixityError

if TYPE_CHECKING:
    from dock_agent.store.views import FileLine

MOST = 1_000_000  # recordings in one answer


@click.command("verify")
@click.argument("ids", type=TEXT, nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Check every docking.")
@with_config
@with_json
def verify_(
    config: Config, ids: tuple[str, ...], *, everything: bool, as_json: bool
) -> None:
    """Read dockings again from the disk, and compare."""
    from dock_agent.verifying import verify

    if not ids and not everything:
        raise click.UsageError("say which dockings, or --all")
    with progress("Reading") as show:
        told = verify(config, ids, show)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{told.ok} of {told.checked} files are what they were.")
        for failure in told.failed:
            click.echo(f"  {failure.id}: {failure.reason}")
        click.echo(f"Custody log: {told.custody}.")
    if told.failed:
        raise FixityError(f"{len(told.failed)} checks failed")
    if told.custody != "ok":
        raise CustodyError(told.custody)


@click.command("recordings")
@click.option("--camera", type=TEXT, help="Only of this camera: MODEL:SERIAL.")
@click.option("--text", type=TEXT, help="Only with this in the name or the officer's.")
@click.option(
    "--limit",
    type=click.IntRange(1, MOST),
    default=1000,
    show_default=True,
    help="At most so many.",
)
@with_config
@with_json
def recordings_(
    config: Config, camera: str | None, text: str | None, limit: int, *, as_json: bool
) -> None:
    """List recordings, their files, and where each is."""
    from dock_agent.store import views
    from dock_agent.store.db import reading, require_whole

    with reading(config.store_path) as conn:
        require_whole(conn)
        search = views.Search(camera=camera, text=text, limit=limit)
        found = views.recordings(conn, search)
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("No recordings.")
    for recording in found:
        click.echo(f"{recording.start}  {recording.camera}  {recording.name}")
        for file in recording.files:
            size = size_words(file.size)
            click.echo(f"    {file.name}  {size}  {file.state}  {_places(file)}")


def _places(file: "FileLine") -> str:
    """Say where it is; what a destination said that is left out vouches for nothing."""
    now = [f"{name}: {state}" for name, state in file.destinations.items()]
    then = [
        f"{name}, not configured any more: {state} then"
        for name, state in file.formerly.items()
    ]
    return "; ".join(now + then)
