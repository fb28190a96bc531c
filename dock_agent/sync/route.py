"""Which way the network goes just now: whether it changed, and whether it costs.

Read from the kernel's own tables (proc(5), /proc/net/route and ipv6_route), so that
a station whose cable was plugged in again does not wait for its next attempt.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc/net")
ANYWHERE, ANYWHERE_6 = "00000000", "0" * 32
UP = 1  # RTF_UP (linux/route.h)


@dataclass(frozen=True, slots=True)
class Routes:
    """The interfaces that default routes go through, the preferred one first."""

    interfaces: tuple[str, ...]

    def is_metered(self, costly: Collection[str]) -> bool:
        """Whether the preferred way out is one that costs."""
        return bool(self.interfaces) and self.interfaces[0] in costly


def routes(proc: Path = PROC) -> Routes:
    """Return the default routes of now; none where there is no network."""
    found = sorted([*_v4(_lines(proc / "route")), *_v6(_lines(proc / "ipv6_route"))])
    return Routes(tuple(dict.fromkeys(name for _, name in found)))


def _lines(path: Path) -> list[list[str]]:
    try:
        return [line.split() for line in path.read_text("ascii").splitlines()]
    except (OSError, UnicodeDecodeError):
        return []


def _v4(lines: list[list[str]]) -> list[tuple[int, str]]:
    return [
        (int(fields[6]), fields[0])
        for fields in lines[1:]
        if len(fields) > 7  # noqa: PLR2004  as the table is laid out
        and (fields[1], fields[7]) == (ANYWHERE, ANYWHERE)
        and int(fields[3], 16) & UP
    ]


def _v6(lines: list[list[str]]) -> list[tuple[int, str]]:
    return [
        (int(fields[5], 16), fields[9])
        for fields in lines
        if len(fields) > 9  # noqa: PLR2004  as the table is laid out
        and (fields[0], fields[1]) == (ANYWHERE_6, "00")
        and int(fields[8], 16) & UP
        and fields[9] != "lo"
    ]
