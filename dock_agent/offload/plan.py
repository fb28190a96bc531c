"""What to do with an inventory: names, recordings, and the order of copying.

Pure: decides from what the scan found.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from dock_agent.clock import stamp
from dock_agent.offload.messages import Found, Planned
from dock_agent.vault.layout import stored_paths

SMALL = 4 << 20  # bytes: up to here files share a barrier
ENCRYPTED = b".enc"  # what a file that is encrypted has at the end of its stored name
BATCH_FILES, LEAST_BYTES, BATCH_BYTES = 128, 256 << 10, 64 << 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the inventory with its stored name and its recording's name."""

    found: Found
    stored: str
    recording: str | None  # None for what is not to be copied


@dataclass(frozen=True, slots=True)
class Group:
    """Files that belong together: same directory, same stem."""

    name: str
    start: str  # RFC 3339 UTC: the earliest modification time


def entries(
    found: Sequence[Found], before: Sequence[Found] = (), ending: bytes = b""
) -> list[Entry]:
    """Give every entry its stored name; group files by directory and stem.

    `before` is what earlier rounds of this docking listed already, and `ending` is
    added to the names of files.
    """
    raws = [e.path + ending if e.readable else e.path for e in (*before, *found)]
    names = stored_paths(raws)[len(before) :]
    return [
        Entry(entry, name, stem(name) if entry.readable else None)
        for entry, name in zip(found, names, strict=True)
    ]


def groups(listed: Sequence[Entry]) -> list[Group]:
    """Return the recordings of an inventory in the order of their names."""
    earliest: dict[str, int] = {}
    for entry in listed:
        if entry.recording is not None:
            time = entry.found.mtime_ns
            earliest[entry.recording] = min(earliest.get(entry.recording, time), time)
    return [Group(name, begin(time)) for name, time in sorted(earliest.items())]


def batches(
    planned: Sequence[Planned], budget: Callable[[], int]
) -> Iterator[tuple[Planned, ...]]:
    """Split the files that are to be copied: each large one alone, small in batches.

    `budget` is asked anew for each batch how many bytes it may hold, within
    bounds. The files of a batch lie in any directories; each comes out once.
    """
    batch: list[Planned] = []
    size, most = 0, _bounded(budget())
    for file in planned:
        if file.size > SMALL:
            yield (file,)
            continue
        if batch and (len(batch) == BATCH_FILES or size + file.size > most):
            yield tuple(batch)
            batch, size, most = [], 0, _bounded(budget())
        batch.append(file)
        size += file.size
    if batch:
        yield tuple(batch)


def _bounded(size: int) -> int:
    return max(LEAST_BYTES, min(BATCH_BYTES, size))


def stem(stored: str) -> str:
    """Return what the files of one recording share: directory and stem."""
    path = PurePosixPath(stored)
    return str(path.with_name(path.name.split(".")[0] or path.name))


def begin(time_ns: int) -> str:
    """Return a file's time, nanoseconds since 1970, as RFC 3339 UTC."""
    try:
        return stamp(datetime.fromtimestamp(time_ns / 1e9, UTC))
    except (OverflowError, ValueError, OSError):
        return stamp(datetime.fromtimestamp(0, UTC))  # no calendar has such a day
