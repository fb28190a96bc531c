"""retention: what of the vault goes after its time, and who approved that."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from dock_agent.cli.common import TEXT, print_json, with_config, with_json
from dock_agent.config import Config
from dock_agent.recording import Digest

if TYPE_CHECKING:  # --help loads none of it
    from dock_agent.recording import Proof
    from dock_agent.retaining import Plan
    from dock_agent.store.transfers import Transfer


@click.group("retention")
def retention_() -> None:
    """Show, approve and carry out what goes from the vault after its time."""


@retention_.command("plan")
@with_config
@with_json
def plan(config: Config, *, as_json: bool) -> None:
    """Show what would go and why the rest stays; touch nothing."""
    from dock_agent import retaining
    from dock_agent.clock import SystemClock
    from dock_agent.store.db import reading
    from dock_agent.vault.real import RealDisk

    with reading(config.store_path) as conn:
        shown = retaining.plan(conn, config, RealDisk(), SystemClock().now())
    if as_json:
        print_json(shown)
        return
    for line in _said(shown):
        click.echo(line)


def _said(shown: "Plan") -> Iterator[str]:
    if shown.against is not None:
        yield f"Nothing goes now: {shown.against}"
    yield f"{shown.files} copies would go, {shown.bytes} bytes:"
    for going in shown.goes:
        yield f"  {going.docking}  {going.file}  {going.size} bytes"
    for staying in shown.stays:
        yield f"{staying.files} stay, {staying.bytes} bytes: {staying.why}"
    if not shown.asks:
        yield "Nothing waits for approval."
        return
    yield "Not in force until two people approve it:"
    for asked in shown.asks:
        yield f"  {asked}"
    yield f"dock-agent retention approve {shown.digest} --actor NAME"


@retention_.command("approve")
@with_config
@click.option("--actor", type=TEXT, required=True, help="Who approves it.")
@click.argument("digest", type=TEXT)
def approve(config: Config, digest: str, actor: str) -> None:
    """Approve the plan of this DIGEST: two people, by two users of the machine."""
    from dock_agent import retaining
    from dock_agent.clock import SystemClock
    from dock_agent.store.approvals import Approval
    from dock_agent.store.db import connect
    from dock_agent.vault.real import RealDisk

    word = Approval(Digest(digest), retaining.who(), actor)
    with closing(connect(config.store_path)) as conn:
        now = SystemClock().now()
        holds = retaining.approve(conn, config, RealDisk(), word, now)
    click.echo(
        "It is in force; for cameras once the agent is started again."
        if holds
        else f"{actor} approved it. A second person must, as another user."
    )


@retention_.command("expire")
@with_config
@with_json
def expire(config: Config, *, as_json: bool) -> None:
    """Remove the copies whose time is over, once every destination proved them."""
    from dock_agent.clock import SystemClock
    from dock_agent.expiring import Expiry
    from dock_agent.store.db import connect, require_whole
    from dock_agent.vault.real import RealDisk

    disk = RealDisk(within=config.vault_path)
    with closing(connect(config.store_path)) as conn, _asking(config, conn) as ask:
        require_whole(conn)
        done = Expiry(conn, config, disk, SystemClock(), ask).run()
    if as_json:
        print_json(done)
        return
    click.echo(f"{done.files} copies are gone from the vault, {done.bytes} bytes.")
    for why, count in done.stays.items():
        click.echo(f"{count} stay: {why}")


@contextmanager
def _asking(
    config: Config, conn: sqlite3.Connection
) -> Iterator[Callable[["Transfer"], "Proof"]]:
    """Yield what asks the destinations; each is opened here and closed again."""
    from dock_agent.clock import SystemClock
    from dock_agent.sync.asking import Asking
    from dock_agent.sync.open import open_lanes

    stop = threading.Event()

    def wait(seconds: float) -> None:
        stop.wait(seconds)

    lanes = open_lanes(config, SystemClock(), {}, wait)
    try:
        yield Asking(conn, config.vault_path, lanes).proof
    finally:
        for lane in lanes.values():
            lane.destination.close()
