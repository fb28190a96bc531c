"""destinations: can they be reached, what do they check, and may they be sent to?"""

from contextlib import closing

import click
import msgspec

from dock_agent.cli.common import TEXT, print_json, with_config, with_json
from dock_agent.config import Config
from dock_agent.errors import Refused, SyncError, Unreachable


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """What a test of one destination found."""

    name: str
    ok: bool
    detail: str
    exit_code: int


@click.group("destinations")
def destinations_() -> None:
    """Try the destinations of the configuration, and hold them back."""


@destinations_.command("test")
@with_config
@with_json
def test(config: Config, *, as_json: bool) -> None:
    """Reach each destination, write a probe, and say what it checks itself."""
    found = [_tested(config, name) for name in _names(config)]
    if as_json:
        print_json(found)
    elif not found:
        click.echo("No destination is set up: evidence stays in the vault.")
    else:
        for one in found:
            click.echo(f"{one.name}: {'ok' if one.ok else 'FAILS'}: {one.detail}")
    worst = max((one.exit_code for one in found), default=0)
    if worst == Refused.exit_code:
        raise Refused("a destination refuses")
    if worst:
        raise Unreachable("a destination cannot be reached")


@destinations_.command("list")
@with_config
@with_json
def list_(config: Config, *, as_json: bool) -> None:
    """Say how each destination is reached, and since when."""
    from dock_agent.store import destinations
    from dock_agent.store.db import reading

    with reading(config.store_path) as conn:
        rows = destinations.every(conn)
    if as_json:
        print_json(rows)
        return
    for row in rows:
        state = "held back" if row.paused else str(row.link)
        why = f": {row.failure}" if row.failure else ""
        click.echo(f"{row.name}: {row.kind}, {state}{why}")


@destinations_.command("pause")
@click.argument("name", type=TEXT)
@with_config
def pause(config: Config, *, name: str) -> None:
    """Send nothing more to NAME until it is resumed."""
    _hold(config, name, paused=True)


@destinations_.command("resume")
@click.argument("name", type=TEXT)
@with_config
def resume(config: Config, *, name: str) -> None:
    """Let NAME be sent to again, at once."""
    _hold(config, name, paused=False)


def _hold(config: Config, name: str, *, paused: bool) -> None:
    from dock_agent.clock import SystemClock
    from dock_agent.recording import DestinationName
    from dock_agent.store import destinations
    from dock_agent.store.db import connect, transaction

    known = DestinationName(name)
    with closing(connect(config.store_path)) as conn, transaction(conn):
        destinations.pause(conn, known, SystemClock().now(), paused=paused)
        if not paused:
            destinations.wake(conn, known)
    click.echo(f"{name} is held back." if paused else f"{name} may be sent to.")


def _names(config: Config) -> list[str]:
    return [destination.name for destination in config.destinations]


def _tested(config: Config, name: str) -> Tested:
    from dock_agent.clock import SystemClock
    from dock_agent.recording import DestinationName
    from dock_agent.sync.open import open_destination

    table = config.destination(DestinationName(name))
    try:
        with closing(open_destination(config, table, SystemClock())) as destination:
            detail = destination.check()
    except SyncError as error:
        return Tested(name=name, ok=False, detail=str(error), exit_code=error.exit_code)
    return Tested(name=name, ok=True, detail=detail, exit_code=0)
