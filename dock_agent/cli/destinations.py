"""destinations: can they be reached, and what do they check?"""

import click
import msgspec

from dock_agent.cli.common import print_json, with_config, with_json
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
    """Try the destinations of the configuration."""


@destinations_.command("test")
@with_config
@with_json
def test(config: Config, *, as_json: bool) -> None:
    """Reach each destination, write a probe, and say what it checks itself."""
    found = [_tested(config, name) for name in _names(config)]
    if as_json:
        print_json(found)
    else:
        for one in found:
            click.echo(f"{one.name}: {'ok' if one.ok else 'FAILS'}: {one.detail}")
    worst = max((one.exit_code for one in found), default=0)
    if worst == Refused.exit_code:
        raise Refused("a destination refuses")
    if worst:
        raise Unreachable("a destination cannot be reached")


def _names(config: Config) -> list[str]:
    return [destination.name for destination in config.destinations]


def _tested(config: Config, name: str) -> Tested:
    from dock_agent.clock import SystemClock
    from dock_agent.recording import DestinationName
    from dock_agent.sync.open import open_destination

    table = config.destination(DestinationName(name))
    try:
        detail = open_destination(config, table, SystemClock()).check()
    except SyncError as error:
        return Tested(name=name, ok=False, detail=str(error), exit_code=error.exit_code)
    return Tested(name=name, ok=True, detail=detail, exit_code=0)
