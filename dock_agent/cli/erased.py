"""why-erased: on what evidence a camera's own copy went."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from dock_agent.cli.common import print_json, with_config, with_json
from dock_agent.config import Config


@click.command("why-erased")
@click.argument("file", type=click.IntRange(1))
@with_config
@with_json
def why_erased_(config: Config, file: int, *, as_json: bool) -> None:
    """Say from the custody log why FILE may be gone from its camera.

    FILE is the id that `recordings --json` gives it.
    """
    from dock_agent.errors import NoSuchFile
    from dock_agent.recording import FileId
    from dock_agent.store import custody, erasures, files
    from dock_agent.store.db import reading, require_whole

    ident = FileId(file)
    with reading(config.store_path) as conn:
        require_whole(conn)
        custody.check(conn)
        if files.find(conn, ident) is None:
            raise NoSuchFile(f"no file has the id {file}")
        told = [json.loads(line) for line in erasures.of_file(conn, ident)]
    if as_json:
        print_json(told)
        return
    if not told:
        click.echo("This station has not erased it from its camera.")
    for line in told:
        for sentence in _said(line):
            click.echo(sentence)


def _said(line: Mapping[str, Any]) -> Iterator[str]:
    facts = line["facts"]
    yield f"{line['at']}  {line['kind']}, line {line['seq']} of the custody log"
    yield f"    {facts['file']}, {facts['size']} bytes, docking {line['docking']}"
    yield f"    SHA-256 {facts['sha256']}"
    if line["kind"] != "erase intended":
        return
    copy = facts["copy"]
    yield f"    by {line['actor']}; read again: {facts['read_again']}"
    yield f"    copy: docking {copy['docking']}, {copy['file']}, read {copy['method']}"
    for place, proof in sorted(facts["proofs"].items()):
        yield f"    {place}: confirmed, {proof}"
