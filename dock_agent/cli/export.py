"""export and verify-export: evidence for somebody else, and whether it is whole."""

import os
import pwd
from pathlib import Path

import click

from dock_agent.cli.common import TEXT, print_json, progress, with_config, with_json
from dock_agent.config import Config
from dock_agent.durations import size_words
from dock_agent.errors import CustodyError, FixityError


@click.command("export")
@click.argument("ids", type=TEXT, nargs=-1, required=True, metavar="ID...")
@click.option(
    "--to",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="A directory that is not there yet.",
)
@click.option("--actor", type=TEXT, help="Who exports, for the custody log.")
@click.option("--ascmhl", is_flag=True, help="With an ASC MHL of the files.")
@with_config
@with_json
def export_(  # noqa: PLR0913  an option each
    config: Config,
    ids: tuple[str, ...],
    to: Path,
    actor: str | None,
    *,
    ascmhl: bool,
    as_json: bool,
) -> None:
    """Copy evidence into a folder that anybody can check.

    ID is that of a recording, of a file or of a docking, as `recordings --json`
    prints them.
    """
    from dock_agent.export.package import Order
    from dock_agent.exporting import export_from

    order = Order(ids, Path(os.path.abspath(to)), actor or user(), ascmhl)  # noqa: PTH100  resolve() follows links
    with progress("Exporting") as show:
        told = export_from(config, order, show)
    if as_json:
        print_json(told)
        return
    click.echo(f"{told.files} files, {size_words(told.bytes)}, in {told.directory}")
    if told.left_out:
        click.echo(f"  {told.left_out} entries were never safe: the log says why.")
    click.echo("Its reader opens verify.html there, or does what VERIFY.txt says,")
    click.echo("  and compares this fingerprint, which you tell by another way:")
    click.echo(f"  {told.key}")


@click.command("verify-export")
@click.argument("directory", type=click.Path(path_type=Path), metavar="DIR")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    help="The station's public key, PEM, as its agency gave it to you.",
)
@with_json
def verify_export_(directory: Path, key: Path | None, *, as_json: bool) -> None:
    """Check an export: its files, its custody log, its signatures."""
    from dock_agent.exporting import verify_export

    with progress("Reading") as show:
        told = verify_export(directory, key, show)
    if as_json:
        print_json(told)
    else:
        click.echo(f"{told.ok} of {told.files} files are what was signed.")
        for failure in told.failed:
            click.echo(f"  {failure.id}: {failure.reason}")
        click.echo(f"Signatures and custody log: {told.custody}.")
        click.echo(f"Key {told.key or 'unknown'}")
        if not told.key_known:
            click.echo("  is the export's own. Only if it is the agency's, too, does")
            click.echo("  this prove anything: compare it, or give theirs with --key.")
    if told.custody != "ok":
        raise CustodyError(told.custody)
    if told.failed:
        raise FixityError(f"{len(told.failed)} things are not what was signed")


def user() -> str:
    """Return who runs this: the one before sudo, if there was one."""
    uid = os.getuid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = f"uid {uid}"
    return os.environ.get("SUDO_USER") or name
