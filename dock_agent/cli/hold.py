"""hold: what is kept by order."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import click

from dock_agent.cli.common import TEXT, print_json, with_config, with_json
from dock_agent.config import Config
from dock_agent.recording import DockingId

Command = Callable[..., Any]


@click.group("hold")
def hold_() -> None:
    """Keep dockings: nothing of them is erased or expires."""


def _ordered(command: Command) -> Command:
    """Add what an order says: which docking, who, and why."""
    for option in (
        with_config,
        click.option("--why", type=TEXT, required=True, help="For the custody log."),
        click.option("--by", type=TEXT, required=True, help="Who orders it."),
        click.argument("docking", type=TEXT),
    ):
        command = option(command)
    return command


@hold_.command("add")
@_ordered
def add(config: Config, docking: str, by: str, why: str) -> None:
    """Keep DOCKING from now on."""
    from dock_agent.clock import SystemClock
    from dock_agent.store import erasures, holds
    from dock_agent.store.db import connect, transaction

    order = holds.Hold(DockingId(docking), by, why)
    with closing(connect(config.store_path)) as conn:
        with transaction(conn):
            holds.place(conn, order, SystemClock().now())
            gone = erasures.may_be_gone(conn, order.docking)
        _tell_vault(config, conn)
    click.echo(f"Docking {docking} is kept.")
    if gone:
        click.echo(f"{gone} of its files may be gone from its camera already.")


@hold_.command("remove")
@_ordered
def remove(config: Config, docking: str, by: str, why: str) -> None:
    """End the order that keeps DOCKING."""
    from dock_agent.clock import SystemClock
    from dock_agent.store import holds
    from dock_agent.store.db import connect, transaction

    order = holds.Hold(DockingId(docking), by, why)
    with closing(connect(config.store_path)) as conn:
        with transaction(conn):
            holds.lift(conn, order, SystemClock().now())
        _tell_vault(config, conn)
    click.echo(f"Docking {docking} is not kept by order.")


def _tell_vault(config: Config, conn: sqlite3.Connection) -> None:
    """Have the vault remember an order that a restored database would not know."""
    from dock_agent.vault import reached
    from dock_agent.vault.real import RealDisk

    reached.note(RealDisk(), config.vault_path, conn)


@hold_.command("accept")
@with_config
@click.option("--by", type=TEXT, required=True, help="Who says so.")
@click.option("--why", type=TEXT, required=True, help="For the custody log.")
def accept(config: Config, by: str, why: str) -> None:
    """Say that a restored database knows every order again."""
    from dock_agent.clock import SystemClock
    from dock_agent.store.db import connect
    from dock_agent.vault import reached
    from dock_agent.vault.real import RealDisk

    with closing(connect(config.store_path)) as conn:
        order, now = (by, why), SystemClock().now()
        reached.accept(RealDisk(), config.vault_path, conn, order, now)
    click.echo("The database is taken as it is: cameras may be erased again.")


@hold_.command("list")
@with_config
@with_json
def list_(config: Config, *, as_json: bool) -> None:
    """List the dockings that are kept, by whom and why."""
    from dock_agent.store import holds
    from dock_agent.store.db import reading

    with reading(config.store_path) as conn:
        found = holds.every(conn)
    if as_json:
        print_json(found)
        return
    if not found:
        click.echo("Nothing is kept by order.")
    for hold in found:
        click.echo(f"{hold.docking}  {hold.by}: {hold.why}")
