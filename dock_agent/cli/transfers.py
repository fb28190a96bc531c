"""transfers: what waits, and what a person says about it."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import click

from dock_agent.cli.common import TEXT, print_json, with_config, with_json
from dock_agent.config import Config
from dock_agent.errors import NotAllowed
from dock_agent.recording import DestinationName, TransferId, TransferState

MOST = 200  # lines
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
@click.option("--limit", type=click.IntRange(1), default=MOST, show_default=True)
@with_config
@with_json
def list_(config: Config, *, state: str | None, limit: int, as_json: bool) -> None:
    """List objects with their id, state and size."""
    from dock_agent.durations import size_words
    from dock_agent.store import orders
    from dock_agent.store.db import reading

    states = LEFT if state is None else (TransferState(state),)
    with reading(config.store_path) as conn:
        found = orders.listed(conn, states, limit)
    if as_json:
        print_json(found)
        return
    for one in found:
        size = size_words(one.size)
        click.echo(f"{one.id:>8}  {one.state:<9} {one.destination}  {size}  {one.key}")
    if len(found) == limit:
        click.echo(f"… perhaps more: these are the first {limit}.")


def _told(name: str, about: str, does: str) -> None:
    """Add a command that says one thing about some objects."""

    @transfers_.command(name, help=about)
    @click.argument("ids", type=int, nargs=-1)
    @click.option("--destination", type=TEXT, help="All of this destination.")
    @click.option("--all", "every", is_flag=True, help="All of every destination.")
    @with_config
    def command(
        config: Config, *, ids: tuple[int, ...], destination: str | None, every: bool
    ) -> None:
        _say(config, does, (ids, destination), every=every)


_told("retry", "Try objects again that wait or were refused, now.", "ask_again")
_told("pause", "Hold objects back that wait.", "hold_back")
_told("resume", "Let objects go that were held back.", "let_go")


def _say(
    config: Config,
    does: str,
    which: tuple[tuple[int, ...], str | None],
    *,
    every: bool,
) -> None:
    from dock_agent.clock import SystemClock
    from dock_agent.store import destinations, orders
    from dock_agent.store.db import connect, transaction

    ids, name = which
    if not (ids or name or every):
        raise NotAllowed("say which: ids, --destination NAME, or --all")
    known = None if name is None else DestinationName(name)
    meant = orders.Which(known, tuple(map(TransferId, ids)))
    order: Callable[..., Any] = getattr(orders, does)
    with closing(connect(config.store_path)) as conn, transaction(conn):
        if known is not None:
            destinations.get(conn, known)  # or nobody ever knew it
        count = order(conn, meant, SystemClock().now())
    click.echo(f"Objects: {count}.")
