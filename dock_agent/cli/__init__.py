"""The command line: a command parses, calls one function, and prints.

Commands are imported when they are used, so that `--help` is quick and a
docking's child never loads what it does not need.
"""

import importlib
import logging
import os
import sys
from typing import Any

import click

from dock_agent import __version__
from dock_agent.errors import DockError

COMMANDS = {
    "alarms": "alarms",
    "bays": "bays",
    "category": "category",
    "check-config": "config",
    "demo": "demo",
    "destinations": "destinations",
    "doctor": "doctor",
    "encryption": "encryption",
    "export": "export",
    "hold": "hold",
    "import": "offload",
    "keys": "keys",
    "rebuild": "rebuild",
    "recordings": "evidence",
    "retention": "retention",
    "run": "run",
    "scrub": "scrub",
    "status": "status",
    "sync": "sync",
    "transfers": "transfers",
    "verify": "evidence",
    "verify-export": "export",
    "why-erased": "erased",
}  # the module of dock_agent.cli that holds each


class Commands(click.Group):
    """Find a command in its module, and answer errors as the user reads them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"dock_agent.cli.{COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, f"{cmd_name.replace('-', '_')}_")
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DockError as error:
            _say(error)
            ctx.exit(error.exit_code)
        except (click.exceptions.Exit, click.ClickException, click.Abort):
            raise
        except BrokenPipeError:
            # The reader of our output went away (`| head`): nothing to say to it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
        except Exception as error:
            logging.getLogger(__name__).debug("unexpected", exc_info=error)
            what = f"{type(error).__name__}: {error}"
            click.echo(f"dock-agent: unexpected: {what}", err=True)
            click.echo("Run it again with DOCK_DEBUG=1 and report it.", err=True)
            if os.environ.get("DOCK_DEBUG"):
                raise
            ctx.exit(1)


def _say(error: DockError) -> None:
    promise = (type(error).__doc__ or "").strip()
    click.echo(f"dock-agent: {str(error) or promise}", err=True)
    if str(error):
        click.echo(f"  {promise}", err=True)
    if error.hint:
        click.echo(f"  {error.hint}", err=True)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dock-agent")
def main() -> None:
    """Offload body-worn cameras, prove every copy, and send it on."""
