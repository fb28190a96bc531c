"""Open the vault, once: one agent, on the disk that it was made on."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dock_agent.clock import Clock, ulid
from dock_agent.errors import AlreadyRunning, VaultUnusable
from dock_agent.vault.disk import Disk
from dock_agent.vault.layout import MARKER
from dock_agent.vault.write import write_file

LOCK = ".lock"
STEP = 0.05  # seconds between two looks at a lock that is waited for


@contextmanager
def held(root: Path) -> Iterator[None]:
    """Hold the vault for the length of the block.

    Raises `AlreadyRunning` if another process does, `VaultUnusable` if the
    directory is not there or cannot be written.
    """
    if not root.is_dir():
        raise VaultUnusable(f"the vault {root} is not there")
    try:
        fd = os.open(root / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise VaultUnusable(f"the vault {root}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(
                f"the vault {root} is held by another agent"
            ) from error
        yield
    finally:
        os.close(fd)


def make(disk: Disk, root: Path) -> None:
    """Make the vault's directory at the first start; its parent must be there."""
    if root.is_dir():
        return
    if not root.parent.is_dir():
        raise VaultUnusable(f"the vault {root} is not there, nor is {root.parent}")
    try:
        disk.make_directory(root)
    except OSError as error:
        raise VaultUnusable(f"the vault {root}: {error.strerror}") from error


def identity(disk: Disk, root: Path, clock: Clock, expected: str | None) -> str:
    """Return the vault's own id from its marker, made at the first start.

    A mount that is missing leaves an empty directory in its place: where the
    station knows an id and the marker is not there, or another, nothing is
    written. Raises `VaultUnusable`.
    """
    marker = root / MARKER
    try:
        if disk.exists(marker):
            found = str(json.loads(disk.read(marker))["id"])
        elif expected is None:
            found = ulid(clock)
            write_file(disk, marker, json.dumps({"id": found}).encode() + b"\n")
        else:
            raise VaultUnusable(f"{root} is not the vault: its marker is missing")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VaultUnusable(f"the vault {root}: {error}") from error
    if expected is not None and found != expected:
        raise VaultUnusable(f"{root} is another vault ({found}, not {expected})")
    return found


def refuse_overlap(root: Path, source: Path) -> None:
    """Refuse a camera that holds the vault, or a vault that holds the camera.

    A camera that is a mount of the vault's own disk is such a one, wherever
    else that disk is mounted.
    """
    ours, theirs = root.resolve(), source.resolve()
    nested = ours.is_relative_to(theirs) or theirs.is_relative_to(ours)
    if nested or (theirs.is_mount() and theirs.stat().st_dev == ours.stat().st_dev):
        raise VaultUnusable(f"the vault {root} lies on the camera {source}")


def lock_bag(bag: Path, patience: float = 0.0) -> int | None:
    """Lock a bag's directory; None if another process holds it.

    It is tried again for `patience` seconds.
    """
    fd = os.open(bag, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                os.close(fd)
                return None
            time.sleep(STEP)
        else:
            return fd
