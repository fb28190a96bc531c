"""bays: which USB port is which bay, what udev has to know, an image of a card."""

import click

from dock_agent.cli.common import (
    TEXT,
    print_json,
    progress,
    with_config,
    with_json,
)
from dock_agent.config import Config


@click.group("bays")
def bays_() -> None:
    """Learn which port is which bay, write rules for udev, image a card."""


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


@bays_.command("image")
@click.argument("bay", type=TEXT)
@click.option("--by", type=TEXT, required=True, help="Who orders it.")
@click.option("--why", type=TEXT, required=True, help="For the custody log.")
@with_config
@with_json
def image(config: Config, bay: str, by: str, why: str, *, as_json: bool) -> None:
    """Keep an image of the whole card in BAY, for one that cannot be read as files.

    It goes into the vault's quarantine: it is never sent, and never removed. Nothing
    is written to the card. Run it as the vault's owner, while the agent runs or not.
    """
    from dock_agent.bays.detect import cards
    from dock_agent.imaging import Order, image_bay
    from dock_agent.recording import BayName

    name = BayName(bay)
    with progress("reading") as show:
        here = cards(name, config.ports())
        found = image_bay(config, Order(name, by, why), here, show)
    if as_json:
        print_json(found)
        return
    for one in found:
        click.echo(f"{one.image}: {one.size} bytes, SHA-256 {one.sha256}")
        if one.unread:
            click.echo(f"{one.unread_bytes} of them could not be read, and are zero.")
