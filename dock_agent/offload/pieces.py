"""The work of one lane: copy some files, compare some, or read some again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dock_agent.custody.recipients import Recipient
from dock_agent.errors import (
    CameraError,
    CameraGone,
    DockError,
    FixityError,
    SourceChanged,
)
from dock_agent.offload import source as camera
from dock_agent.offload.copy import Copied, copy_batch, copy_one
from dock_agent.offload.messages import Planned
from dock_agent.offload.meter import Meter
from dock_agent.offload.source import Source, Wanted
from dock_agent.recording import Digest
from dock_agent.vault.disk import Disk, Reread, readable, vault_errors
from dock_agent.vault.encrypt import Envelope

TRIES = (0.5, 1.0, 2.0)  # seconds before a file is read once more
FINAL = (CameraGone, SourceChanged)  # reading once more would not help

Batch = Sequence[Planned]
Piece = Callable[[], "Answers"]


@dataclass(frozen=True, slots=True)
class Answers:
    """What became of each file of a piece, in its order.

    A copy, or the error that cost it; whether it is still held; a read-back, or
    None where the medium no longer gives the bytes.
    """

    batch: Batch
    of: Sequence[Copied | DockError | Reread | bool | None]


@dataclass(frozen=True, slots=True)
class Pieces:
    """What every lane works with. `data` is where the bag's payload goes.

    `to` is to whom each file is encrypted; to nobody: it is copied as it is.
    """

    source: Source
    disk: Disk
    data: Path
    meter: Meter
    to: tuple[Recipient, ...] = ()

    def copy(self, batch: Batch) -> Answers:
        """Copy and prove; a camera that leaves costs only what was not read yet.

        Raises `NoRoom` or `VaultUnusable`; then no part of the batch is left.
        """
        wanted = [self.wanted(file) for file in batch]
        if len(wanted) == 1:
            tried = [self._once(wanted[0])]
        else:
            known = self.source, wanted, self.disk, self.meter.took
            tried = copy_batch(*known, self.to)
        found = [self._again(*pair) for pair in zip(wanted, tried, strict=True)]
        return Answers(batch, found)

    def compare(self, batch: Batch) -> Answers:
        """Whether camera and vault still have the very bytes that are held.

        A camera that leaves answers `CameraGone` for the rest. Raises
        `VaultUnusable`.
        """
        found: list[bool | DockError] = []
        for file in batch:
            if found and isinstance(found[-1], CameraGone):
                found.append(found[-1])
            else:
                found.append(self._still_held(file) and self._same(file))
        return Answers(batch, found)

    def reread(self, batch: Batch) -> Answers:
        """Read copies again from the medium. Raises `VaultUnusable`."""
        with vault_errors():
            found = [
                readable(self.disk, self.data / file.stored, self.meter.lives)
                for file in batch
            ]
        return Answers(batch, found)

    def room(self, batch: Batch) -> int:
        """Return how many bytes of the vault these files need."""
        if not self.to:
            return sum(file.size for file in batch)
        envelope = Envelope(self.to)
        return sum(envelope.length(file.size) for file in batch)

    def wanted(self, file: Planned) -> Wanted:
        """Return what is wanted of the camera for one line of the plan."""
        target = self.data / file.stored
        facts = file.size, file.mtime_ns, file.device, file.inode
        return Wanted(file.path, target, *facts)

    def _once(self, wanted: Wanted) -> Copied | DockError:
        try:
            known = self.source, wanted, self.disk, self.meter.took
            return copy_one(*known, self.to)
        except (CameraError, FixityError) as error:
            return error

    def _again(self, wanted: Wanted, result: Copied | DockError) -> Copied | DockError:
        """Read a file that failed a few times more, before it is given up."""
        for number, seconds in enumerate(TRIES, 1):
            if not isinstance(result, CameraError) or isinstance(result, FINAL):
                break
            self.meter.pause(seconds)
            result = self._once(wanted)
            if isinstance(result, Copied):
                return replace(result, retries=number)
        return result

    def _still_held(self, file: Planned) -> bool:
        """Read the earlier copy from the medium: it may have rotted, or be gone."""
        if file.held is None:
            return False
        with vault_errors():
            if not self.disk.exists(file.held.path):
                return False
            found = readable(self.disk, file.held.path, self.meter.lives)
        return found is not None and found.digest == file.held.copy

    def _same(self, file: Planned) -> bool | DockError:
        try:
            found = self._digest(file)
        except CameraGone as error:
            return error
        except CameraError:
            return False  # copying will say what is wrong
        return file.held is not None and found == file.held.digest

    def _digest(self, file: Planned) -> Digest:
        return camera.digest_source(self.source, self.wanted(file), self.meter.took)
