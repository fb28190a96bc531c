"""demo: the whole station without root, and without a camera."""

from pathlib import Path

import click


@click.command("demo")
@click.option("--once", is_flag=True, help="End when every file is confirmed.")
@click.option("--scenario", metavar="NAME", help="Play one of the scenarios instead.")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), help="Keep everything here."
)
@click.option("--listen", default="127.0.0.1:8480", show_default=True, help="The page.")
@click.option("--verbose", is_flag=True, help="Show the log.")
def demo_(
    *, once: bool, scenario: str | None, folder: Path | None, listen: str, verbose: bool
) -> None:
    """Show the whole station, with simulated cameras."""
    from dock_agent import log
    from dock_agent.demo import Wish, play, tell

    log.set_up(verbose=verbose, quiet=not verbose)
    wish = Wish(folder, once, listen)
    try:
        if scenario is None:
            play(wish, click.echo)
        else:
            tell(wish, scenario, click.echo)
    except KeyboardInterrupt:
        click.echo("Stopped.")
