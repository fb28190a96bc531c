"""demo: the whole station without root, and without a camera."""

from pathlib import Path

import click

from dock_agent.cli.common import TEXT


@click.command("demo")
@click.option("--once", is_flag=True, help="End when every file is confirmed.")
@click.option(
    "--scenario", type=TEXT, metavar="NAME", help="Play one of the scenarios instead."
)
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), help="Keep everything here."
)
@click.option(
    "--listen",
    type=TEXT,
    default="127.0.0.1:8480",
    show_default=True,
    help="The page.",
)
@click.option("--verbose", is_flag=True, help="Show the log.")
def demo_(
    *, once: bool, scenario: str | None, folder: Path | None, listen: str, verbose: bool
) -> None:
    """Show the whole station, with simulated cameras."""
    from dock_agent import log
    from dock_agent.demo import Wish, play, tell
    from dock_agent.signals import interrupt_on_any_end

    log.set_up(verbose=verbose, quiet=not verbose)
    interrupt_on_any_end()
    wish = Wish(folder, once, listen)
    try:
        if scenario is None:
            play(wish, click.echo)
        else:
            tell(wish, scenario, click.echo)
    except KeyboardInterrupt:
        click.echo("Stopped.")
