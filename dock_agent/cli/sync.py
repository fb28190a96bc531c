"""sync: the vault to its destinations."""

import sqlite3
from contextlib import closing

import click

from dock_agent.cli.common import (
    print_json,
    progress,
    still_lines,
    with_config,
    with_json,
)
from dock_agent.config import Config
from dock_agent.errors import HeldBack, LeftOut, Refused, SyncError


@click.command("sync")
@click.option("--once", is_flag=True, help="Send what is due, then end.")
@click.option("--verbose", is_flag=True, help="Log more.")
@with_config
@with_json
def sync_(config: Config, *, once: bool, verbose: bool, as_json: bool) -> None:
    """Send what is in the vault to its destinations."""
    from dock_agent import log
    from dock_agent.clock import SystemClock
    from dock_agent.signals import until_told
    from dock_agent.store import backlog
    from dock_agent.store.db import connect
    from dock_agent.sync.open import worker

    log.set_up(verbose=verbose)
    with closing(connect(config.store_path)) as conn:
        sending = worker(config, SystemClock(), conn, until_told())
        if not once:
            sending.run(lambda: connect(config.store_path))
            return
        due = backlog.waiting(conn).count
        with progress("Sending") as show:
            told = sending.run_once(conn, lambda done: show(done, due))
        resting = _resting(conn)
        stranded, moving = backlog.waiting(conn).stranded, backlog.moving(conn)
    if as_json:
        print_json(told)
    else:
        click.echo(
            f"{told.confirmed} confirmed, {told.waiting} waiting,"
            f" {told.refused} refused."
        )
    for line in resting:
        click.echo(line, err=True)
    if told.refused:
        raise Refused(f"objects that were refused: {told.refused}")
    if stranded:
        raise LeftOut(f"objects that wait for what is left out: {stranded}")
    if told.waiting:
        why = SyncError if moving else HeldBack
        raise why(f"objects that wait: {told.waiting}")


def _resting(conn: sqlite3.Connection) -> list[str]:
    """Return a line for each destination that takes nothing now: why."""
    from dock_agent.store import destinations

    return [
        *(
            f"{row.name}: {row.failure}"
            for row in destinations.every(conn)
            if row.failure and not row.paused
        ),
        *still_lines(conn),
    ]
