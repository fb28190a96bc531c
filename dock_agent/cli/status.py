"""status: what the station is doing, from the agent's last snapshot."""

from collections.abc import Iterator
from datetime import datetime

import click

from dock_agent.away import away
from dock_agent.cli.common import print_json, with_config, with_json
from dock_agent.config import Config
from dock_agent.durations import age_words, size_words
from dock_agent.watch.spoken import Spoken, spoken
from dock_agent.watch.status import BayStatus, Queue, Status


@click.command("status")
@with_config
@with_json
def status_(config: Config, *, as_json: bool) -> None:
    """Tell how the bays, the queue and the links are right now."""
    from dock_agent.clock import SystemClock
    from dock_agent.watch.compose import current

    at = SystemClock().now()
    status = current(config, at)
    if as_json:
        print_json(status)
        return
    _show(status, config, at.utc)


def _show(status: Status, config: Config, now: datetime) -> None:
    click.secho(status.verdict.text, bold=True)
    if not status.live:
        click.echo(_not_live(status))
    for line in _wrong(status):
        click.echo(line)
    for bay in status.bays:
        click.echo(_line(bay))
    click.echo(_queue(status.queue))
    if status.queue.refused:
        click.echo(f"Refused, a person must look: {status.queue.refused} of these.")
    for link in status.links:
        click.echo(_link(spoken(link, now, config.zone)))
    click.echo(f"Room in the vault: {size_words(status.vault.free_bytes)}.")
    for owed in away(status.owed, status.bays):
        click.echo(
            f"{owed.camera} must be docked again: {owed.done} of {owed.total} are safe."
        )


def _wrong(status: Status) -> Iterator[str]:
    """Yield what is wrong with the log and with copies."""
    for alarm in status.alarms:
        yield f"The custody log is not what it was. {alarm}."
    for alarm in status.acknowledged:
        yield f"The custody log is not what it was, acknowledged. {alarm}."
    for alert in status.alerts:
        yield f"A copy is not what it should be. {alert}"


def _not_live(status: Status) -> str:
    if not status.at:
        return "The agent is not running, and left no word: the bays are not known."
    return f"The agent is not running; the bays were so at {status.at}."


def _link(said: Spoken) -> str:
    again = f" It is tried again at {said.next_try}." if said.next_try else ""
    told = f" {said.told}" if said.told else ""
    todo = f" {said.todo}" if said.todo else ""
    return f"Link {said.link.name}: {said.state}.{told}{again}{todo}"


def _queue(queue: Queue) -> str:
    age = (
        ""
        if queue.oldest_age_s is None
        else f", oldest {age_words(queue.oldest_age_s)}"
    )
    return (
        f"Not yet confirmed: {queue.waiting} objects, {size_words(queue.bytes)}{age}."
    )


def _line(bay: BayStatus) -> str:
    who = f" {bay.camera}" if bay.camera else ""
    how = f" {bay.done} of {max(bay.done, bay.total)}" if bay.total else ""
    why = f" {bay.code}: {bay.reason}" if bay.code else ""
    return f"Bay {bay.name}: {bay.state}{who}{how}{why}"
