"""sync: the vault to its destinations."""

from contextlib import closing

import click

from dock_agent.cli.common import print_json, progress, with_config, with_json
from dock_agent.config import Config
from dock_agent.errors import Refused, SyncError


@click.command("sync")
@click.option("--once", is_flag=True, help="Send what is due, then end.")
@click.option("--verbose", is_flag=True, help="Log more.")
@with_config
@with_json
def sync_(config: Config, *, once: bool, verbose: bool, as_json: bool) -> None:
    """Send what is in the vault to its destinations."""
    from dock_agent import log
    from dock_agent.cli.run import until_told
    from dock_agent.clock import SystemClock
    from dock_agent.store import transfers
    from dock_agent.store.db import connect
    from dock_agent.sync.open import open_all
    from dock_agent.sync.worker import Worker

    log.set_up(verbose=verbose)
    clock = SystemClock()
    worker = Worker(config.vault_path, open_all(config, clock), clock)
    if not once:
        worker.run(lambda: connect(config.store_path), until_told())
        return
    with closing(connect(config.store_path)) as conn:
        due = transfers.waiting(conn).count
        with progress("Sending") as show:
            told = worker.run_once(conn, lambda done: show(done, due))
    if as_json:
        print_json(told)
    else:
        click.echo(
            f"{told.confirmed} confirmed, {told.waiting} waiting,"
            f" {told.refused} refused."
        )
    if told.refused:
        raise Refused(f"{told.refused} objects were refused")
    if told.waiting:
        raise SyncError(f"{told.waiting} objects wait")
