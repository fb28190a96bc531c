"""Offload a directory by hand: the same code as a bay, in this process."""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from dock_agent.bays.machine import (
    Advanced,
    Event,
    Failed,
    Listed,
    Lost,
    OutOfRoom,
)
from dock_agent.bays.mount import told_of
from dock_agent.cameras import profile
from dock_agent.cameras.identify import camera_id
from dock_agent.clock import SystemClock, ulid
from dock_agent.config import Config
from dock_agent.errors import (
    CameraError,
    CameraGone,
    CustodyError,
    DockError,
    FixityError,
    NoRoom,
    NoSuchDirectory,
    StoreError,
    VaultUnusable,
)
from dock_agent.offload.clerk import PATIENCE, Job, Terms
from dock_agent.offload.inline import InlineOffloader
from dock_agent.offload.process import LANES
from dock_agent.offload.scan import MountedSource
from dock_agent.offload.source import shown
from dock_agent.opened import Opened, opened
from dock_agent.recording import BayName, DockingId, DockingState, FileState
from dock_agent.store import dockings, files
from dock_agent.vault.layout import bag_path
from dock_agent.vault.lock import refuse_overlap

KINDS: Mapping[str, type[DockError]] = {
    "D-20": FixityError,
    "D-21": CustodyError,
    "D-31": StoreError,
    "D-32": VaultUnusable,
}  # what each code of a docking ends the command with


@dataclass(frozen=True, slots=True)
class Wish:
    """What to import: a directory, which camera it is, the bay to record."""

    path: Path
    camera: str
    bay: str


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it, as `--json` prints it. `bag` is absolute."""

    docking: str
    bag: str
    files: int
    bytes: int
    verified: int
    skipped: int
    quarantined: int
    sealed: bool
    complete: bool


@dataclass(frozen=True, slots=True)
class Imported:
    """The summary, and the error to end with where it is not whole."""

    summary: Summary
    error: DockError | None


@dataclass(slots=True)
class _Listener:
    """Hears what the clerk posts."""

    show: Callable[[int, int], None]
    total: int = 0
    last: Event | None = None

    def __call__(self, event: Event) -> None:
        self.last = event
        if isinstance(event, Listed):
            self.total = event.size
        elif isinstance(event, Advanced):
            self.show(event.size, self.total)


def import_tree(
    config: Config, wish: Wish, show: Callable[[int, int], None]
) -> Imported:
    """Offload `wish.path`. `show` hears bytes read and bytes in all.

    Raises `NoSuchDirectory` if the directory is not there, and what opening the
    station raises; everything later is in the answer.
    """
    if not wish.path.is_dir():
        raise NoSuchDirectory(f"there is no directory {wish.path}")
    clock = SystemClock()
    with opened(config, clock) as held:
        refuse_overlap(config.vault_path, wish.path)
        camera, known = camera_id(wish.camera, profile.shipped())
        docking = DockingId(ulid(clock))
        bag = bag_path(docking, camera, clock.now().utc)
        identity = {
            "imported_from": shown(os.fsencode(wish.path)),
            "profile": known.name,
            **told_of(wish.path.stat().st_dev),
        }
        bay = BayName(wish.bay)
        job = Job(docking, camera, bay, wish.path.resolve(), bag, identity)
        listener = _Listener(show)
        offloader = InlineOffloader(
            held.conn,
            held.sealer,
            MountedSource,
            time.sleep,
            Terms(
                config.vault.reserve_bytes,
                patience=PATIENCE,
                rest=config.offload.rest_s,
                recipients=held.recipients,
            ),
            LANES,
        )
        offloader.start(job, listener)
        return Imported(_summary(held, docking), _error(held, docking, listener))


def _summary(held: Opened, ident: DockingId) -> Summary:
    docking = dockings.get(held.conn, ident)
    counts = files.counts(held.conn, ident)
    zero = files.Tally()
    wanted = [c for s, c in counts.items() if s is not FileState.SKIPPED]
    safe = [counts.get(s, zero) for s in (FileState.VERIFIED, FileState.HELD)]
    return Summary(
        docking=ident,
        bag=str(held.sealer.root / docking.bag),
        files=sum(tally.files for tally in wanted),
        bytes=sum(tally.size for tally in wanted),
        verified=sum(tally.files for tally in safe),
        skipped=counts.get(FileState.SKIPPED, zero).files,
        quarantined=counts.get(FileState.QUARANTINED, zero).files,
        sealed=docking.state is DockingState.SEALED,
        complete=bool(docking.complete),
    )


def _error(held: Opened, ident: DockingId, listener: _Listener) -> DockError | None:
    docking = dockings.get(held.conn, ident)
    if docking.state is DockingState.SEALED and docking.complete:
        return None
    if isinstance(listener.last, OutOfRoom):
        return NoRoom(docking.reason or "no room")
    if isinstance(listener.last, Lost):
        return CameraGone(listener.last.reason)
    if isinstance(listener.last, Failed):
        kind = KINDS.get(listener.last.code, CameraError)
        return kind(listener.last.reason)
    return CameraError(docking.reason or "not every file could be read")
