"""doctor: is this machine fit to be a station?"""

import click

from dock_agent.cli.common import print_json, with_config, with_json
from dock_agent.config import Config
from dock_agent.errors import NeedsALook


@click.command("doctor")
@with_config
@with_json
def doctor_(config: Config, *, as_json: bool) -> None:
    """Look whether this machine is fit to be a station."""
    from dock_agent.examine import examine

    found = examine(config)
    if as_json:
        print_json(found)
    else:
        for one in found:
            mark = "ok  " if one.ok else "LOOK"
            click.echo(f"{mark} {one.what}: {one.detail}")
    if not all(one.ok for one in found):
        raise NeedsALook
