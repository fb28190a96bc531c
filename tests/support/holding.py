"""Who has a file or a directory open, as the kernel says (proc(5), /proc/[pid]/fd)."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dock_agent.vault.lock import lock_bag

PROC = Path("/proc")


def holders(path: Path) -> dict[int, int]:
    """Return by process how many descriptors it has on `path`."""
    found: dict[int, int] = {}
    for folder in PROC.glob("[0-9]*/fd"):
        with suppress(OSError):  # it ended while we looked
            count = sum(_leads_to(fd, path) for fd in folder.iterdir())
            if count:
                found[int(folder.parent.name)] = count
    return found


def descriptors(path: Path) -> int:
    """Return how many descriptors this process has on `path`."""
    return holders(path).get(os.getpid(), 0)


@contextmanager
def locked(bag: Path) -> Iterator[None]:
    """Hold a bag, made if need be, as the child that writes it does."""
    bag.mkdir(parents=True, exist_ok=True)
    lock = lock_bag(bag)
    assert lock is not None
    try:
        yield
    finally:
        os.close(lock)


def _leads_to(fd: Path, path: Path) -> bool:
    with suppress(OSError):
        return fd.readlink() == path
    return False
