"""What the commands share: the configuration option, and how they print."""

import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import Any, TypeVar

import click
import msgspec

from dock_agent.config import Config, load, locate
from dock_agent.recording import DestinationName

Command = TypeVar("Command", bound=Callable[..., Any])


class ConfigFile(click.ParamType["Config"]):
    """Reads the configuration while the command line is parsed."""

    name = "path"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Config:
        del param, ctx
        return value if isinstance(value, Config) else load(Path(value))


class Text(click.ParamType["str"]):
    """Takes what can be kept as text: a shell passes on any bytes."""

    name = "text"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        text = str(value)
        if not text.isprintable():
            self.fail(f"{text!a} is not text.", param, ctx)
        return text


TEXT = Text()


def with_config(command: Command) -> Command:
    """Add `--config PATH`; the command gets the configuration as `config`."""
    return click.option(
        "--config",
        type=ConfigFile(),
        default=lambda: str(locate(None)),
        help="Configuration file (default: $DOCK_CONFIG, else /etc/dock-agent/).",
    )(command)


def with_json(command: Command) -> Command:
    """Add `--json`; the command gets it as `as_json`."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print JSON for a script."
    )(command)


def print_json(thing: Any) -> None:
    """Print any of our own types as one JSON document."""
    click.echo(msgspec.json.format(msgspec.json.encode(thing), indent=2))


@contextmanager
def progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Draw a bar where a person waits; the block calls it with done and total."""
    bar = click.progressbar(length=1, label=label, file=sys.stderr)
    with bar:

        def show(done: int, total: int) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos)

        yield show


def still_lines(
    conn: sqlite3.Connection, name: DestinationName | None = None
) -> list[str]:
    """Return a line for each destination that something waits for in vain: why.

    It is left out of the configuration, or held back. With a name, only for that one.
    """
    from dock_agent.store import backlog, destinations
    from dock_agent.watch.spoken import left_out

    waiting = backlog.by_destination(conn)
    return [
        f"{row.name}: "
        + (
            f"held back; `dock-agent destinations resume {quote(row.name)}` lets it go."
            if row.configured
            else " ".join(
                ("not configured any more.", *left_out(row.name, waiting[row.name]))
            )
        )
        for row in destinations.every(conn)
        if row.name in waiting and name in {None, row.name}
        if row.paused or not row.configured
    ]
