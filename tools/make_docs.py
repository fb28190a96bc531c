"""Write the pages of docs/ that are made from the code; a test compares them.

`python tools/make_docs.py` writes them; `PAGES` maps each to its maker.
"""

import typing
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import click
import msgspec

from dock_agent import cli, config
from dock_agent.bays import machine as bay
from dock_agent.bays.rules import rules
from dock_agent.cameras.profile import Profile, Volume
from dock_agent.errors import every_error
from dock_agent.machine import as_mermaid
from dock_agent.offload import docking, file
from dock_agent.recording import (
    BayName,
    DockingState,
    FileState,
    LinkState,
    TransferState,
)
from dock_agent.sync import link, transfer

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- made: {} -->", "<!-- end -->"


CONFIGURATION = """\
# Configuration

One TOML file, found by `--config`, else `$DOCK_CONFIG`, else
`/etc/dock-agent/dock-agent.toml`. Relative paths start at the file. Unknown keys are
refused. Made from the types in `dock_agent/config.py`; do not edit by hand.
"""


def states() -> str:
    """Draw every table of moves."""
    drawings = {
        "Bay": bay.as_mermaid(),
        "Docking": as_mermaid(docking.MOVES, DockingState.OPENED),
        "File": as_mermaid(file.MOVES, FileState.LISTED),
        "Transfer": as_mermaid(transfer.MOVES, TransferState.QUEUED),
        "Link": as_mermaid(link.MOVES, LinkState.UNKNOWN),
    }
    parts = ["# States\n\nDrawn from the tables in the code; do not edit by hand.\n"]
    for title, drawing in drawings.items():
        parts.append(f"\n## {title}\n\n```mermaid\n{drawing}\n```\n")
    return "".join(parts)


def configuration() -> str:
    """List every key of the configuration with its type and default."""
    parts = [CONFIGURATION]
    tables: dict[str, type[msgspec.Struct]] = {
        "station": config.Station,
        "vault": config.Vault,
        "store": config.Store,
        "[bays]": config.Bay,
        "[destinations]": config.Destination,
        "release": config.Release,
        "retention": config.Retention,
        "[categories]": config.Category,
        "cameras": config.Cameras,
        "offload": config.Offload,
        "web": config.Web,
        "keys": config.Keys,
        "encryption": config.Encryption,
        "timestamp": config.Timestamp,
    }
    for name, table in tables.items():
        title = " ".join((table.__doc__ or "").split())
        parts.append(f"\n## `[{name}]`\n\n{title}\n\n")
        parts.append(keys(table))
    return "".join(parts)


def keys(table: type[msgspec.Struct]) -> str:
    """List the keys of one table."""
    return "| key | default | what |\n|---|---|---|\n" + "".join(_rows(table))


def _rows(table: type[msgspec.Struct]) -> Iterator[str]:
    hints = typing.get_type_hints(table, include_extras=True)
    for field in msgspec.structs.fields(table):
        meta = next(iter(typing.get_args(hints[field.name])[1:]), None)
        what = meta.description if isinstance(meta, msgspec.Meta) else ""
        default = "required" if field.required else _shown(field.default)
        yield f"| `{field.name}` | {default} | {what} |\n"


def _shown(default: object) -> str:
    return "none" if default is None else f"`{msgspec.json.encode(default).decode()}`"


def exit_codes() -> str:
    """List what each exit code means."""
    rows = {0: "done"}
    for error in every_error():
        first = (error.__doc__ or "").strip().splitlines()[0].rstrip(".")
        rows.setdefault(error.exit_code, first)
    lines = [f"| {code} | {what} |" for code, what in sorted(rows.items())]
    return "| exit | means |\n|---|---|\n" + "\n".join(lines) + "\n"


def command_help() -> str:
    """Return what `dock-agent --help` prints."""
    context = click.Context(cli.main, info_name="dock-agent", terminal_width=78)
    return f"```\n{cli.main.get_help(context)}\n```\n"


def udev_rules() -> str:
    """Return the rules of a station with three bays on one hub."""
    return rules({f"pci-0000:00:14.0-usb-0:1.{n}": BayName(str(n)) for n in (1, 2, 3)})


PAGES: dict[str, Callable[[], str]] = {
    "docs/states.md": states,
    "docs/configuration.md": configuration,
    "udev/70-dock-agent.rules": udev_rules,
}
BLOCKS: dict[str, dict[str, Callable[[], str]]] = {
    "README.md": {"help": command_help},
    "docs/commands.md": {"help": command_help, "exit codes": exit_codes},
    "docs/cameras.md": {
        "profile": partial(keys, Profile),
        "volume": partial(keys, Volume),
    },
}


def with_blocks(text: str, makers: dict[str, Callable[[], str]]) -> str:
    """Return `text` with what stands between each pair of marks made anew."""
    for name, make in makers.items():
        begin = BEGIN.format(name)
        head, _, rest = text.partition(begin)
        _, _, tail = rest.partition(END)
        text = f"{head}{begin}\n{make()}{END}{tail}"
    return text


def write() -> None:
    """Write every made page and block."""
    for name, make in PAGES.items():
        (ROOT / name).write_text(make(), encoding="utf-8")
    for name, makers in BLOCKS.items():
        page = ROOT / name
        page.write_text(with_blocks(page.read_text("utf-8"), makers), "utf-8")


if __name__ == "__main__":
    write()
