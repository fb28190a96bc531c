"""Erase what is sealed from one camera: everything that touches the camera.

Runs in a process of its own, or in the caller's. Nothing is removed unless the whole
camera is as it was offloaded, and its copy in the vault as it was sealed, every byte
of both, and the intent is on record. A camera that may only be read is opened for
writing after all that, listed again, and shut before the last look. What became of it
is told from a fresh look alone.
"""

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dock_agent.errors import (
    CameraError,
    CameraGone,
    DockError,
    NotReleased,
    SourceChanged,
    StoreError,
)
from dock_agent.offload.bench import Channel
from dock_agent.offload.erase.card import Card, wanted
from dock_agent.offload.erase.copies import require_copy
from dock_agent.offload.erase.door import Door
from dock_agent.offload.messages import (
    Agreed,
    EraseOrder,
    Expected,
    Found,
    Go,
    Looked,
    Progressed,
    Removing,
    Said,
)
from dock_agent.offload.scan import FileSystem
from dock_agent.offload.source import digest_source, shown
from dock_agent.vault.disk import Disk

SIGN_OF_LIFE = 4 << 20  # bytes between two words of progress
OFTEN = 64  # files between two

Seen = Mapping[bytes, Found]


@dataclass(frozen=True, slots=True)
class Way:
    """How a camera's tree is reached. `open` opens the tree there anew at each call.

    `door` is of one that may only be read until it is opened for writing.
    """

    open: Callable[[Path], Card]
    door: Door | None = None


class Erase:
    """One camera's erase."""

    def __init__(
        self, way: Way, disk: Disk, channel: Channel, order: EraseOrder
    ) -> None:
        self._way, self._disk, self._channel = way, disk, channel
        self._source = order.source
        self._listed = {entry.path: entry for entry in order.listed}
        self._doomed = [e for e in order.listed if e.digest is not None]
        self._removed = set[bytes]()
        self._files = self._read = self._quiet = 0

    def run(self) -> None:
        """Do all of it. Raises `DockError` where it cannot go on."""
        with closing(self._way.open(self._source)) as card:
            self._require_writable(card.file_system())
            before = self._as_offloaded(card)
            self._go(Agreed())
            if self._way.door is None:
                trouble = self._remove_all(card, before)
                card.sync()
        if self._way.door is not None:  # which opens for nobody who still reads there
            trouble = self._remove_behind(self._way.door, before)
        self._look(before, trouble)

    # ---- nothing is removed yet ---------------------------------------------------

    def _require_writable(self, found: FileSystem) -> None:
        if self._way.door is None:
            if found.read_only:
                raise CameraError("the camera may only be read here")
        elif found.kind not in self._way.door.kinds:
            raise NotReleased(f"nothing is erased from a {found.kind} in a USB bay")

    def _as_offloaded(self, card: Card) -> Seen:
        """Hold the whole camera against what was sealed; read files and copies again.

        The copies after the camera: nothing is younger than that look at the vault.
        """
        before = self._list(card)
        for entry in self._doomed:
            read = digest_source(card, wanted(before[entry.path]), self._beat)
            if read != entry.digest:
                told = "the camera gives other bytes now than were offloaded"
                raise SourceChanged(f"{shown(entry.path)}: {told}")
            self._count()
        for entry in self._doomed:
            require_copy(self._disk, entry, before[entry.path], self._lives)
        if self._list(card) != before:
            raise SourceChanged("the camera was written while it was read again")
        self._progress()
        return before

    def _list(self, card: Card) -> Seen:
        found = {entry.path: entry for entry in card.scan()}
        for path in sorted(self._listed.keys() | found.keys()):
            told = _differ(self._listed.get(path), found.get(path))
            if told is not None:
                raise SourceChanged(f"{shown(path)}: {told}")
        return found

    # ---- from here on files may be gone -------------------------------------------

    def _remove_behind(self, door: Door, before: Seen) -> DockError | None:
        """Remove what was listed from the same tree, opened for writing.

        Returns what stopped it; a door that did not open is such a thing. Raises
        `CameraGone`, and `CameraError` once anything may have been removed.
        """
        entered = False
        try:
            with door.opened(self._progress) as root:
                entered = True
                return self._remove_there(root, before)
        except CameraGone:
            raise
        except CameraError as error:
            if entered:
                raise
            return error

    def _remove_there(self, root: Path, before: Seen) -> DockError | None:
        with closing(self._way.open(root)) as card:
            if {found.path: found for found in card.scan()} != before:
                return SourceChanged("the camera was written while it was opened")
            trouble = self._remove_all(card, before)
            card.sync()
        return trouble

    def _remove_all(self, card: Card, before: Seen) -> DockError | None:
        """Remove the files that were listed; stop at the first that cannot be.

        Returns what stopped it. Raises `CameraGone`.
        """
        try:
            for number, entry in enumerate(self._doomed, 1):
                self._require_still_wanted(entry)
                card.remove(before[entry.path])
                self._removed.add(entry.path)
                if number % OFTEN == 0:
                    self._progress()
        except CameraGone:
            raise
        except (CameraError, NotReleased) as error:
            return error
        return None

    def _require_still_wanted(self, entry: Expected) -> None:
        answer = self._channel.ask(Removing(entry.id))
        if not isinstance(answer, Go):
            raise NotReleased(getattr(answer, "reason", "no answer"))

    def _look(self, before: Seen, trouble: DockError | None) -> None:
        """Open the camera anew and say what is there.

        What cannot be listed whole says nothing: then `CameraError` is raised.
        """
        with closing(self._way.open(self._source)) as card:
            after = {entry.path: entry for entry in card.scan()}
        for path, found in after.items():
            if found.missed is not None:
                raise CameraError(f"{shown(path)}: {found.missed}")
        doomed = {entry.path for entry in self._doomed}
        others = {path: found for path, found in before.items() if path not in doomed}
        changed = _touched(others, after) or _came(before, after)
        if isinstance(trouble, SourceChanged):
            changed = str(trouble)
        told = changed or (None if trouble is None else str(trouble))
        still = tuple(e.id for e in self._doomed if e.path in after)
        absent = [e for e in self._doomed if e.path not in after]
        gone = tuple(e.id for e in absent if e.path in self._removed)
        vanished = tuple(e.id for e in absent if e.path not in self._removed)
        self._go(Looked(gone, still, vanished, told, changed=changed is not None))

    # ---- parts --------------------------------------------------------------------

    def _beat(self, count: int) -> None:
        self._read += count
        self._lives(count)

    def _lives(self, count: int) -> None:
        self._quiet += count
        if self._quiet >= SIGN_OF_LIFE:
            self._progress()

    def _count(self) -> None:
        self._files += 1
        if self._files % OFTEN == 0:
            self._progress()

    def _progress(self) -> None:
        self._quiet = 0
        self._channel.tell(Progressed(self._files, self._read))

    def _go(self, said: Said) -> None:
        answer = self._channel.ask(said)
        if not isinstance(answer, Go):
            raise StoreError(getattr(answer, "reason", "no answer"))


def _differ(then: Expected | None, now: Found | None) -> str | None:
    if then is None:
        return "it was not there when the camera was offloaded"
    if now is None:
        return "it is no longer there"
    if now.missed is not None:
        return now.missed
    known = then.size, then.mtime_ns, then.skipped
    if known != (now.size, now.mtime_ns, now.skipped):
        return "it is not what was offloaded"
    return None


def _touched(others: Seen, after: Seen) -> str | None:
    """Return what is no longer as it was although nobody meant to remove it."""
    for path, found in others.items():
        if after.get(path) != found:
            return f"{shown(path)}: it was to stay, and is not as it was"
    return None


def _came(before: Seen, after: Seen) -> str | None:
    for path in sorted(after.keys() - before.keys()):
        return f"{shown(path)}: the camera wrote it meanwhile"
    return None
