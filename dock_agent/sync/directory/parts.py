"""What a copy is called on a share until it has its name.

No two copies share such a name, and it says whose it is and when it was begun: what
somebody who was killed has left is found by it. The time is in the name because a
file's own is set to that of its recording, by a server with a clock of its own.
"""

import hashlib
import secrets
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from dock_agent.sync.directory import marker
from dock_agent.vault.disk import Disk
from dock_agent.vault.layout import PART

A_DAY_S = timedelta(days=1).total_seconds()  # nobody writes one object for so long


def new(target: Path, now: datetime) -> Path:
    """Return a name beside `target` that nobody else uses."""
    begun = int(now.timestamp())
    return target.with_name(f"{_of(target)}-{begun}-{secrets.token_hex(8)}")


def remove_abandoned(disk: Disk, folder: Path, now: datetime) -> None:
    """Remove what was begun so long ago that nobody can be at it any more.

    What has another kind of name is left: it may be a probe, or a marker on its way.
    """
    for part in _beside(disk, folder, PART):
        begun = _begun(part)
        if begun is not None and abs(now.timestamp() - begun) > A_DAY_S:
            marker.remove(disk, part)


def remove_all(disk: Disk, target: Path) -> None:
    """Remove every part of an object that has its name: nobody needs them now.

    Whoever is still writing one cannot give it that name any more.
    """
    for part in _beside(disk, target.parent, _of(target)):
        marker.remove(disk, part)


def _of(target: Path) -> str:
    return PART + hashlib.sha256(target.name.encode()).hexdigest()[:16]


def _beside(disk: Disk, folder: Path, begin: str) -> Iterator[Path]:
    for found in disk.listing(folder):
        if found.parent == folder and found.name.startswith(begin):
            yield found


def _begun(part: Path) -> int | None:
    """Return when it was begun, in seconds of the epoch, as its name tells."""
    try:
        _, begun, _ = part.name.removeprefix(PART).split("-")
        return int(begun)
    except ValueError:
        return None
