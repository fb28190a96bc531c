"""Reads files for their facts in a process of its own, which may be killed.

What is read here was written by a stranger. The process opens files for reading
only, has a limited memory and time, and can reach nothing but its two pipes.
A line of JSON comes in for each file, and a line goes out.
"""

import resource
import sys
from pathlib import Path

import msgspec

from dock_agent.media.facts import Facts, look
from dock_agent.media.track import geojson, gpx
from dock_agent.signals import die_with_parent

MEMORY = 1 << 29  # bytes of address space
SECONDS = 120  # of processor time, for all that one process is given
FILE_SIZE = 1 << 28  # bytes of what is written beside


class Ask(msgspec.Struct, frozen=True):
    """A file to look at, and where its track goes: a path without its ending."""

    path: str
    beside: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Its facts, or why there are none; `gone` where it could not be opened at all."""

    facts: Facts | None = None
    reason: str | None = None
    gone: bool = False


def main() -> None:
    """Answer until nothing more is asked."""
    die_with_parent()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_SIZE, FILE_SIZE))
    for line in sys.stdin.buffer:
        answer = _answer(msgspec.json.decode(line, type=Ask))
        sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")
        sys.stdout.buffer.flush()


def _answer(ask: Ask) -> Answer:
    try:
        facts, points = look(Path(ask.path))
        if points:
            _write(Path(ask.beside + ".geojson"), geojson(points).encode())
            _write(Path(ask.beside + ".gpx"), gpx(points))
    except OSError as error:
        return Answer(reason=str(error.strerror), gone=True)
    except (MemoryError, RecursionError, ArithmeticError, ValueError) as error:
        return Answer(reason=f"{type(error).__name__}: {error}"[:200])
    return Answer(facts=facts)


def _write(path: Path, data: bytes) -> None:
    """Write a file that may be made again: whole, or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)
