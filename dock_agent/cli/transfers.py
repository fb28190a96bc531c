"""transfers: what waits, and what a person says about it."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from dock_agent.cli.common import (
    TEXT,
    print_json,
    still_lines,
    with_config,
    with_json,
)
from dock_agent.config import Config
from dock_agent.durations import moment_words, size_words
from dock_agent.errors import NotAllowed
from dock_agent.recording import DestinationName, TransferId, TransferState

if TYPE_CHECKING:
    from dock_agent.store.backlog import Line

MOST = 200  # lines
AT_ONCE = 5000  # objects in one transaction: nobody waits long for the database
LEFT = tuple(
    state
    for state in TransferState
    if state not in {TransferState.CONFIRMED, TransferState.WITHDRAWN}
)


@click.group("transfers")
def transfers_() -> None:
    """List what is not confirmed yet; try it again, hold it back, let it go."""


@transfers_.command("list")
@click.option("--state", type=click.Choice([str(s) for s in TransferState]))
@click.option("--destination", type=TEXT, help="Only of this destination.")
@click.option("--limit", type=click.IntRange(1), default=MOST, show_default=True)
@with_config
@with_json
def list_(
    config: Config,
    *,
    state: str | None,
    destination: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List objects with their id, state and size, and why they wait."""
    from dock_agent.store import backlog, destinations
    from dock_agent.store.db import reading

    states = LEFT if state is None else (TransferState(state),)
    name = None if destination is None else DestinationName(destination)
    with reading(config.store_path) as conn:
        if name is not None:
            destinations.get(conn, name)  # or nobody ever knew it
        found = backlog.listed(conn, states, limit, name)
    if as_json:
        print_json(found.lines)
        return
    for one in found.lines:
        click.echo(_line(one, config.zone))
    if not found.lines:
        click.echo("Nothing waits." if state is None else f"Nothing is {state}.")
    if found.more:
        click.echo(f"… and {found.more} more: --limit shows more.")


def _line(one: "Line", zone: ZoneInfo) -> str:
    size = size_words(one.size)
    line = f"{one.id:>8}  {one.state:<9} {one.destination}  {size}  {one.key}"
    again = f"again at {moment_words(one.due, zone)}" if one.due else ""
    why = "; ".join(part for part in (one.failure, again) if part)
    return f"{line}\n{'':>10}{why}" if why else line


@dataclass(frozen=True, slots=True)
class Order:
    """What a person may say: the store's name of it, and how it is answered.

    `done` goes before a count; `only` says of which objects it can be said.
    """

    does: str
    done: str
    only: str


ORDERS = {
    "retry": (
        "Try objects again that wait or were refused, now.",
        Order(
            "ask_again",
            "to be tried again now",
            "what waits or was refused can be tried again",
        ),
    ),
    "pause": (
        "Hold objects back that wait.",
        Order(
            "hold_back",
            "held back",
            "what waits, and is not being sent just now, can be held back",
        ),
    ),
    "resume": (
        "Let objects go that were held back.",
        Order("let_go", "let go", "what is held back can be let go"),
    ),
}


def _told(name: str, about: str, order: Order) -> None:
    """Add a command that says one thing about some objects."""

    @transfers_.command(name, help=about)
    @click.argument("ids", type=int, nargs=-1)
    @click.option("--destination", type=TEXT, help="All of this destination.")
    @click.option("--all", "every", is_flag=True, help="All of every destination.")
    @with_config
    def command(
        config: Config, *, ids: tuple[int, ...], destination: str | None, every: bool
    ) -> None:
        _say(config, order, (ids, destination), every=every)


for _name, (_about, _order) in ORDERS.items():
    _told(_name, _about, _order)


def _say(
    config: Config,
    order: Order,
    which: tuple[tuple[int, ...], str | None],
    *,
    every: bool,
) -> None:
    from dock_agent.clock import SystemClock
    from dock_agent.store import destinations, orders
    from dock_agent.store.db import connect, transaction

    ids, name = which
    if [bool(ids), name is not None, every].count(True) != 1:
        raise click.UsageError("say which: ids, or --destination NAME, or --all")
    known = None if name is None else DestinationName(name)
    say: Callable[..., int] = getattr(orders, order.does)
    count, clock = 0, SystemClock()
    with closing(connect(config.store_path)) as conn:
        if known is not None:
            destinations.get(conn, known)  # or nobody ever knew it
        meant = list(map(TransferId, ids)) or orders.unconfirmed(conn, known)
        for first in range(0, len(meant), AT_ONCE):
            some = orders.Which(ids=meant[first : first + AT_ONCE])
            with transaction(conn):
                count += say(conn, some, clock.now())
        lines = still_lines(conn, known)
    click.echo(f"Objects {order.done}: {count}.")
    for line in lines:
        click.echo(line, err=True)
    left = len(set(ids)) - count if ids else 0
    if left:
        told = f"ids left as they are: {left}; only {order.only}"
        if not count:
            raise NotAllowed(told)
        click.echo(told, err=True)
