"""Which USB port is which bay: a camera is plugged into each, and that is noted. Pure.

A port is known by the way to it (ID_PATH), through every hub on that way.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dock_agent.recording import BayName


@dataclass(frozen=True, slots=True)
class Plug:
    """Something was plugged into a USB port; `words` is what it calls itself."""

    port: str
    words: str


def learn(
    names: Sequence[BayName], plugs: Iterable[Plug], say: Callable[[str], None]
) -> dict[str, BayName]:
    """Return the bay of each port, in the order in which they are asked for.

    A port that has a bay already is told of, and the same bay asked for again.
    """
    found: dict[str, BayName] = {}
    coming = iter(plugs)
    for name in names:
        say(f"Plug a camera into bay {name}.")
        plug = _next(coming, found, say)
        found[plug.port] = name
        say(f"Bay {name} is {plug.port} ({plug.words}).")
    return found


def _next(
    coming: Iterator[Plug], found: Mapping[str, BayName], say: Callable[[str], None]
) -> Plug:
    for plug in coming:
        if plug.port not in found:
            return plug
        say(f"That is bay {found[plug.port]} again: use the next one.")
    raise EOFError("nothing more will be plugged in")


def as_toml(found: Mapping[str, BayName]) -> str:
    """Return the tables that the configuration file has for these bays."""
    # A JSON string is one of TOML, too.
    tables = (
        f"[[bays]]\nname = {json.dumps(bay, ensure_ascii=False)}\nport = "
        f"{json.dumps(port)}\n"
        for port, bay in found.items()
    )
    return "\n".join(tables)
