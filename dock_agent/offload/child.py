"""Offload one camera: everything that touches it, and every proof.

Runs in a process of its own (`process.py`), or in the caller's thread
(`inline.py`). It knows no database: it asks for each commit, and nothing gets
its name before the answer has come.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dock_agent.errors import (
    CameraError,
    CameraGone,
    DockError,
    FixityError,
    NoRoom,
    SourceChanged,
    StoreError,
)
from dock_agent.offload import source as camera
from dock_agent.offload.copy import Copied, copy_batch, copy_one, give_names
from dock_agent.offload.messages import (
    AllCopied,
    AllPassed,
    Doubted,
    Found,
    GivenUp,
    Go,
    Heard,
    Held,
    Inventory,
    Matched,
    Named,
    Order,
    Plan,
    Planned,
    Progressed,
    Proof,
    Proved,
    Said,
)
from dock_agent.offload.plan import batches
from dock_agent.offload.scan import FileSystem
from dock_agent.offload.source import Source, Wanted
from dock_agent.recording import Digest
from dock_agent.vault.disk import Disk, vault_errors

ROUNDS = 3  # scans after the first; a camera that still grows is not docked
TRIES = (0.5, 1.0, 2.0)  # seconds before a file is read once more
FINAL = (CameraGone, SourceChanged)  # reading once more would not help
BATCH_SECONDS = 2.0  # how long a batch of small files is read, about
LONGEST_SILENCE = 0.5  # seconds without a word to the parent while we wait
TELL_EVERY = 0.25  # seconds between two words about progress


class Tree(Source, Protocol):
    """A source that can also be listed."""

    def scan(self) -> tuple[Found, ...]: ...

    def file_system(self) -> FileSystem: ...


class Channel(Protocol):
    """The way to the parent."""

    def ask(self, said: Said) -> Heard:
        """Say something and return the answer; `EOFError` if nobody is there."""
        ...

    def tell(self, said: Said) -> None: ...


@dataclass(frozen=True, slots=True)
class Bench:
    """What an offload works with."""

    tree: Tree
    disk: Disk
    channel: Channel
    wait: Callable[[float], None]  # seconds


class Offload:
    """One docking's work, from the inventory to the second pass."""

    def __init__(self, bench: Bench, order: Order) -> None:
        self._tree, self._disk = bench.tree, bench.disk
        self._channel, self._wait = bench.channel, bench.wait
        self._order = order
        self._named: dict[Planned, Digest] = {}
        self._safe = 0
        self._read = 0
        self._told = 0.0
        self._begun = time.monotonic()

    def run(self) -> None:
        """Do all of it. Raises `DockError` where it cannot go on."""
        seen: dict[bytes, Found] = {}
        for _ in range(1 + ROUNDS):
            fresh = [f for f in self._tree.scan() if f.path not in seen]
            if seen and not fresh:
                break
            seen |= {entry.path: entry for entry in fresh}
            self._take(fresh)
        self._go(AllCopied())
        self._second_pass()
        self._go(AllPassed())

    def _take(self, found: Sequence[Found]) -> None:
        """Have entries listed, then copy what the answer asks for."""
        system = self._tree.file_system()
        said = Inventory(tuple(found), system.kind, system.resolution_ns)
        answer = self._channel.ask(said)
        if not isinstance(answer, Plan):
            raise StoreError(getattr(answer, "reason", "no plan"))
        self._progress()
        self._make_room(answer.files)
        missing = [file for file in answer.files if not self._matches(file)]
        for batch in batches(missing, self._budget):
            self._copy(batch)

    def _budget(self) -> int:
        """Return how many bytes the next batch may hold: a few seconds' worth.

        So a slow camera that is pulled has lost little, and progress shows.
        """
        passed = max(time.monotonic() - self._begun, 0.1)
        return int(self._read / passed * BATCH_SECONDS)

    def _make_room(self, planned: Sequence[Planned]) -> None:
        needed = sum(f.size for f in planned if f.held is None) + self._order.reserve
        with vault_errors():
            self._disk.make_directory(self._order.bag / "data")
            free = self._disk.free(self._order.bag)
        if needed > free:
            missing = needed - free
            raise NoRoom(f"{missing} bytes are missing in the vault", missing)

    def _matches(self, file: Planned) -> bool:
        """Whether the camera and the vault still have the very bytes that are held."""
        if file.held is None or not self._still_held(file.held):
            return False
        try:
            found = camera.digest_source(self._tree, self._wanted(file), self._beat)
        except CameraGone:
            raise
        except CameraError:
            return False  # copying will say what is wrong
        if found != file.held.digest:
            return False
        self._go(Matched(file.id, found))
        self._safe += 1
        self._progress()
        return True

    def _still_held(self, held: Held) -> bool:
        """Read the earlier copy from the medium: it may have rotted, or be gone."""
        with vault_errors():
            if not self._disk.exists(held.path):
                return False
            return self._disk.reread(held.path, self._beat_only).digest == held.digest

    def _copy(self, batch: Sequence[Planned]) -> None:
        wanted = [self._wanted(file) for file in batch]
        with vault_errors():
            for folder in sorted({file.target.parent for file in wanted}):
                self._disk.make_directory(folder)
        if len(batch) == 1:
            results = [self._alone(wanted[0])]
        else:
            tried = copy_batch(self._tree, wanted, self._disk, self._beat)
            results = [
                self._again(file, result)
                for file, result in zip(wanted, tried, strict=True)
            ]
        self._land(batch, wanted, results)
        self._still_there(results)

    def _alone(self, wanted: Wanted) -> Copied | DockError:
        try:
            return copy_one(self._tree, wanted, self._disk, self._beat)
        except (CameraError, FixityError) as error:
            return self._again(wanted, error)

    def _again(self, wanted: Wanted, result: Copied | DockError) -> Copied | DockError:
        """Read a file that failed a few times more, before it is given up.

        A camera that is gone is an answer too: the rest of its batch lands first.
        """
        for seconds in TRIES:
            if not isinstance(result, CameraError) or isinstance(result, FINAL):
                break
            self._pause(seconds)
            try:
                result = copy_one(self._tree, wanted, self._disk, self._beat)
            except (CameraError, FixityError) as error:
                result = error
        return result

    def _land(
        self,
        batch: Sequence[Planned],
        wanted: Sequence[Wanted],
        results: Sequence[Copied | DockError],
    ) -> None:
        """Have the proofs committed (F3), give the names (F4), say so (F5)."""
        copied = [
            (file, want.target, result)
            for file, want, result in zip(batch, wanted, results, strict=True)
            if isinstance(result, Copied)
        ]
        for file, result in zip(batch, results, strict=True):
            if isinstance(result, DockError) and not isinstance(result, CameraGone):
                self._go(_why(file, result))
        if not copied:
            return
        self._go(Proved(tuple(_proof(file, copy) for file, _, copy in copied)))
        give_names(self._disk, [(copy.part, target) for _, target, copy in copied])
        self._go(Named(tuple(file.id for file, _, _ in copied)))
        self._named |= {file: copy.digest for file, _, copy in copied}
        self._safe += len(copied)
        self._progress()

    @staticmethod
    def _still_there(results: Sequence[Copied | DockError]) -> None:
        """Raise the `CameraGone` that ended a batch, once the rest has landed."""
        for result in results:
            if isinstance(result, CameraGone):
                raise result

    def _second_pass(self) -> None:
        """Read every file once more, now that all were written."""
        for file, digest in self._named.items():
            with vault_errors():
                found = self._disk.reread(self._wanted(file).target, self._beat_only)
            if found.digest != digest:
                self._safe -= 1
                reason = f"the second pass read {found.digest}"
                self._go(Doubted(file.id, reason))

    def _wanted(self, file: Planned) -> Wanted:
        target = self._order.bag / "data" / file.stored
        return Wanted(
            file.path, target, file.size, file.mtime_ns, file.device, file.inode
        )

    def _pause(self, seconds: float) -> None:
        """Wait, and say meanwhile that we live: silence would be the end."""
        while seconds > 0:
            self._wait(min(seconds, LONGEST_SILENCE))
            seconds -= LONGEST_SILENCE
            self._progress()

    def _go(self, said: Said) -> None:
        answer = self._channel.ask(said)
        if not isinstance(answer, Go):
            raise StoreError(getattr(answer, "reason", "no answer"))

    def _beat(self, count: int) -> None:
        self._read += count
        self._beat_only(count)
        if self._order.pace:
            ahead = self._read / self._order.pace - (time.monotonic() - self._begun)
            if ahead > 0:
                self._pause(ahead)

    def _beat_only(self, count: int) -> None:
        del count
        if time.monotonic() - self._told >= TELL_EVERY:
            self._progress()

    def _progress(self) -> None:
        self._told = time.monotonic()
        self._channel.tell(Progressed(self._safe, self._read))


def _why(file: Planned, error: DockError) -> GivenUp | Doubted:
    if isinstance(error, FixityError):
        return Doubted(file.id, str(error))
    return GivenUp(file.id, str(error))


def _proof(file: Planned, copy: Copied) -> Proof:
    return Proof(file.id, copy.digest, copy.parts, copy.method, copy.counted)
