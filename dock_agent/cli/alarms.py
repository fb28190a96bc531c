"""alarms: where the custody log is not what it was."""

from contextlib import closing

import click

from dock_agent.cli.common import TEXT, print_json, with_config, with_json
from dock_agent.config import Config


@click.group("alarms")
def alarms_() -> None:
    """Show where the custody log is not what it was, and say who has seen it."""


@alarms_.command("list")
@with_config
@with_json
def list_(config: Config, *, as_json: bool) -> None:
    """List every alarm: its place is its ID."""
    from dock_agent.store import alarms
    from dock_agent.store.db import reading

    with reading(config.store_path) as conn:
        found = alarms.every(conn)
    if as_json:
        print_json(found)
        return
    for one in found:
        seen = f" (acknowledged by {one.by}: {one.why})" if one.by else ""
        click.echo(f"{one}{seen}")
    if not found:
        click.echo("The custody log is what it was, as far as anybody has looked.")


@alarms_.command("acknowledge")
@click.argument("place", metavar="ID", type=TEXT)
@click.option("--by", required=True, type=TEXT, help="Who has seen it.")
@click.option("--why", required=True, type=TEXT, help="What it was.")
@with_config
def acknowledge(config: Config, place: str, by: str, why: str) -> None:
    """Say that the alarm of ID was seen; it stays on record.

    Who and why go into the custody log. Nothing is mended by it.
    """
    from dock_agent.clock import SystemClock
    from dock_agent.store import alarms
    from dock_agent.store.db import connect, transaction

    seen = alarms.Alarm(place, "", by, why)
    with closing(connect(config.store_path)) as conn, transaction(conn):
        told = alarms.acknowledge(conn, seen, SystemClock().now())
    click.echo(f"{told}: acknowledged by {by}.")
