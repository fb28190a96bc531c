"""category: which recordings are kept how long."""

from contextlib import closing

import click

from dock_agent.cli.common import TEXT, print_json, with_config, with_json
from dock_agent.config import Config
from dock_agent.errors import ConfigError
from dock_agent.recording import RecordingId


@click.group("category")
def category_() -> None:
    """Say which recordings are kept how long; the others are kept."""


@category_.command("set")
@with_config
@click.option("--by", type=TEXT, required=True, help="Who classifies it.")
@click.argument("recording", type=TEXT)
@click.argument("name", type=TEXT)
def set_(config: Config, recording: str, name: str, by: str) -> None:
    """Put RECORDING into the category NAME."""
    from dock_agent.clock import SystemClock
    from dock_agent.store import categories
    from dock_agent.store.db import connect, transaction
    from dock_agent.vault.retention import UNCLASSIFIED

    known = [UNCLASSIFIED, *(category.name for category in config.categories)]
    if name not in known:
        raise ConfigError(f"no category is called {name}; there are {', '.join(known)}")
    with closing(connect(config.store_path)) as conn, transaction(conn):
        now = SystemClock().now()
        categories.put(conn, RecordingId(recording), name, by, now)
    click.echo(f"Recording {recording} is in category {name}.")


@category_.command("list")
@with_config
@with_json
def list_(config: Config, *, as_json: bool) -> None:
    """List the recordings that are in a category, by whom and since when."""
    from dock_agent.store import categories
    from dock_agent.store.db import reading

    with reading(config.store_path) as conn:
        found = categories.every(conn)
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("Nothing is classified: everything is kept.")
    for one in found:
        click.echo(f"{one.recording}  {one.name}: {one.by}, {one.at}")
