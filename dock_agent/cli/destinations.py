"""destinations: can they be reached, what do they check, and may they be sent to?"""

from contextlib import closing
from typing import TYPE_CHECKING

import click
import msgspec

from dock_agent.cli.common import (
    TEXT,
    print_json,
    still_lines,
    with_config,
    with_json,
)
from dock_agent.config import Config
from dock_agent.errors import Barred, Refused, StillConfigured, SyncError, Unreachable
from dock_agent.watch.spoken import left_out

if TYPE_CHECKING:
    from dock_agent.store.destinations import DestinationRow


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """What a test of one destination found."""

    name: str
    ok: bool
    detail: str
    exit_code: int


@click.group("destinations")
def destinations_() -> None:
    """Try destinations, list them, hold them back, give up one that is gone."""


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
    """Say how each destination is reached, and how much waits for it."""
    from dock_agent.store import backlog, destinations
    from dock_agent.store.db import reading

    with reading(config.store_path) as conn:
        rows, waiting = destinations.every(conn), backlog.by_destination(conn)
    counts = [waiting.get(row.name, 0) for row in rows]
    if as_json:
        facts = map(msgspec.to_builtins, rows)
        pairs = zip(facts, counts, strict=True)
        print_json([fact | {"waiting": count} for fact, count in pairs])
        return
    if not rows:
        click.echo("No destination is known yet: evidence stays in the vault.")
    for row, count in zip(rows, counts, strict=True):
        click.echo(f"{row.name}: {row.kind}, {_state(row, count)}")


def _state(row: "DestinationRow", waiting: int) -> str:
    if not row.configured:
        told = " ".join(left_out(row.name, waiting))
        return f"not configured any more. {told}".rstrip()
    state = "held back" if row.paused else str(row.link)
    why = f" ({row.failure})" if row.failure else ""
    return f"{state}{why}; files that wait for it: {waiting}."


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


@destinations_.command("withdraw")
@click.argument("name", type=TEXT)
@click.option("--by", required=True, type=TEXT, help="Who orders it.")
@click.option("--why", required=True, type=TEXT, help="The reason.")
@click.option(
    "--although-nowhere-else",
    "although",
    is_flag=True,
    help="Also what is confirmed at no other destination.",
)
@with_config
def withdraw(config: Config, *, name: str, by: str, why: str, although: bool) -> None:
    """Give up what waits for NAME, which is not configured any more.

    Who and why go into the custody log. The vault keeps the files, and what was
    confirmed at NAME stays so in the record.
    """
    from dock_agent.clock import SystemClock
    from dock_agent.recording import DestinationName
    from dock_agent.store import configured
    from dock_agent.store.db import connect, transaction

    if name in _names(config):
        raise StillConfigured(f"{name} is in the configuration")
    order = configured.Withdrawal(DestinationName(name), by, why, although)
    count, clock = 0, SystemClock()
    with closing(connect(config.store_path)) as conn:
        while True:
            with transaction(conn):
                more = configured.withdraw(conn, order, clock.now())
            if not more:
                break
            count += more
    if not count:
        click.echo(f"Nothing waits for {name}.")
        return
    click.echo(f"Files given up for {name}: {count}. The vault keeps them.")


@destinations_.command("same-place")
@click.argument("name", type=TEXT)
@click.option("--by", required=True, type=TEXT, help="Who says so.")
@click.option("--why", required=True, type=TEXT, help="How that is known.")
@with_config
def same_place(config: Config, *, name: str, by: str, why: str) -> None:
    """Say that NAME, reached in another way now, is the place it was.

    Only where it has no marker that tells. Who and why go into the custody log.
    """
    from dock_agent.clock import SystemClock
    from dock_agent.recording import DestinationName
    from dock_agent.store import destinations
    from dock_agent.store.db import connect, transaction
    from dock_agent.sync.place import place_of

    known = DestinationName(name)
    place = place_of(config, config.destination(known))()
    if place is None:
        raise Barred(
            f"where {name} is cannot be told: its connection file is not sound"
        )
    order = destinations.SamePlace(known, place, by, why)
    with closing(connect(config.store_path)) as conn, transaction(conn):
        destinations.same_place(conn, order, SystemClock().now())
    click.echo(f"{name} is taken for the place it was. It is at {place} now.")


def _hold(config: Config, name: str, *, paused: bool) -> None:
    from dock_agent.clock import SystemClock
    from dock_agent.recording import DestinationName
    from dock_agent.store import destinations
    from dock_agent.store.db import connect, transaction

    known = DestinationName(name)
    with closing(connect(config.store_path)) as conn:
        with transaction(conn):
            destinations.pause(conn, known, SystemClock().now(), paused=paused)
            if not paused:
                destinations.wake(conn, known)
        lines = [] if paused else still_lines(conn, known)
    told = "is held back" if paused else "is not held back any more"
    click.echo(f"{name} {told}.")
    for line in lines:
        click.echo(line, err=True)


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
