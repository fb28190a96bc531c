"""bays: which USB port is which bay, and what udev has to know of it."""

import click

from dock_agent.cli.common import TEXT, with_config
from dock_agent.config import Config


@click.group("bays")
def bays_() -> None:
    """Learn which USB port is which bay, and write the rules for udev."""


@bays_.command("learn")
@click.argument("names", nargs=-1, required=True, type=TEXT)
def learn(names: tuple[str, ...]) -> None:
    """Have a camera plugged into each of the bays NAMES; print their tables.

    What is printed belongs into the configuration file. Nothing is read from the
    camera, and one camera will do: plug it into one bay after the other.
    """
    from dock_agent.bays.detect import Plugs
    from dock_agent.bays.learn import as_toml
    from dock_agent.bays.learn import learn as learnt
    from dock_agent.recording import BayName

    def say(text: str) -> None:
        click.echo(text, err=True)

    wanted = [BayName(name) for name in dict.fromkeys(names)]
    click.echo(as_toml(learnt(wanted, Plugs(), say)), nl=False)


@bays_.command("udev")
@with_config
def udev(config: Config) -> None:
    """Print the rules for udev that go with the bays of the configuration.

    They belong to /etc/udev/rules.d/70-dock-agent.rules, for root to write.
    """
    from dock_agent.bays.rules import rules

    erases = config.release.erase != "never"
    click.echo(rules(config.ports(), erases=erases), nl=False)
