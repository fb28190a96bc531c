"""status: what the station is doing, from the agent's last snapshot."""

from datetime import UTC, datetime

import click

from dock_agent.cli.common import print_json, size, with_config, with_json
from dock_agent.config import Config
from dock_agent.watch.status import BayStatus, Status


@click.command("status")
@with_config
@with_json
def status_(config: Config, *, as_json: bool) -> None:
    """Tell how the bays, the queue and the links are right now."""
    from dock_agent.watch.compose import current

    status = current(config, datetime.now(UTC))
    if as_json:
        print_json(status)
        return
    _show(status)


def _show(status: Status) -> None:
    click.secho(status.verdict.text, bold=True)
    if not status.live:
        click.echo(f"The agent is not running; this was so at {status.at}.")
    for bay in status.bays:
        click.echo(_line(bay))
    queue = status.queue
    age = "" if queue.oldest_age_s is None else f", oldest {queue.oldest_age_s:.0f} s"
    click.echo(f"To send: {queue.waiting} objects, {size(queue.bytes)}{age}.")
    if queue.refused:
        click.echo(f"Refused, a person must look: {queue.refused}.")
    for link in status.links:
        why = f" ({link.failure})" if link.failure and link.state != "online" else ""
        click.echo(f"Link {link.name}: {link.state}{why}.")
    click.echo(f"Room in the vault: {size(status.vault.free_bytes)}.")
    for owed in status.owed:
        click.echo(
            f"{owed.camera} must be docked again: {owed.done} of {owed.total} are safe."
        )


def _line(bay: BayStatus) -> str:
    who = f" {bay.camera}" if bay.camera else ""
    how = f" {bay.done} of {bay.total}" if bay.total else ""
    why = f" {bay.code}: {bay.reason}" if bay.code else ""
    return f"Bay {bay.name}: {bay.state}{who}{how}{why}"
