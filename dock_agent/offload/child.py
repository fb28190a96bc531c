"""Offload one camera: everything that touches it, and every proof.

Runs in a process of its own (`process.py`), or in the caller's thread
(`inline.py`). It knows no database: it asks for each commit, and nothing gets
its name before the answer has come.
"""

import time
from collections.abc import Sequence

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
from dock_agent.offload.bench import Bench
from dock_agent.offload.copy import Copied, copy_batch, copy_one, give_names
from dock_agent.offload.messages import (
    AllCopied,
    AllPassed,
    Doubted,
    Found,
    GivenUp,
    Go,
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
from dock_agent.offload.source import Wanted
from dock_agent.recording import Digest
from dock_agent.vault.disk import readable, vault_errors

ROUNDS = 3  # scans after the first; a camera that still grows is not docked
TRIES = (0.5, 1.0, 2.0)  # seconds before a file is read once more
FINAL = (CameraGone, SourceChanged)  # reading once more would not help
BATCH_SECONDS = 2.0  # how long a batch of small files is read, about
LONGEST_SILENCE = 0.5  # seconds without a word to the parent while we wait
TELL_EVERY = 0.25  # seconds between two words about progress


class Offload:
    """One docking's work, from the inventory to the second pass."""

    def __init__(self, bench: Bench, order: Order) -> None:
        self._tree, self._disk = bench.tree, bench.disk
        self._channel, self._wait = bench.channel, bench.wait
        self._order = order
        self._listed: dict[bytes, Found] = {}
        self._kept: set[bytes] = set()  # paths whose bytes are in the vault
        self._named: dict[Planned, Digest] = {}
        self._left = 0  # bytes still to be copied
        self._safe = 0
        self._read = 0
        self._told = 0.0
        self._begun = time.monotonic()

    def run(self) -> None:
        """Do all of it. Raises `DockError` where it cannot go on."""
        found = self._tree.scan()
        for _ in range(1 + ROUNDS):
            self._take([entry for entry in found if entry.path not in self._listed])
            found = self._tree.scan()
            if all(entry.path in self._listed for entry in found):
                break
        self._go(AllCopied())
        self._second_pass()
        self._still_as_listed()
        self._go(AllPassed())

    def _still_as_listed(self) -> None:
        """List the camera once more: what it wrote meanwhile is not in the vault.

        Raises `SourceChanged`; the next docking copies what is missing.
        """
        for now in self._tree.scan():
            then = self._listed.get(now.path)
            same = then is not None and _facts(then) == _facts(now)
            if not same and (then is None or now.path in self._kept):
                name = now.path.decode("utf-8", "backslashreplace")
                raise SourceChanged(f"{name}: the camera wrote it while it was docked")

    def _take(self, found: Sequence[Found]) -> None:
        """Have entries listed, then copy what the answer asks for."""
        self._listed |= {entry.path: entry for entry in found}
        system = self._tree.file_system()
        said = Inventory(tuple(found), system.kind, system.resolution_ns)
        answer = self._channel.ask(said)
        if not isinstance(answer, Plan):
            raise StoreError(getattr(answer, "reason", "no plan"))
        self._progress()
        self._make_room(answer.files)
        missing = [file for file in answer.files if not self._matches(file)]
        self._left = sum(file.size for file in missing)
        for batch in batches(missing, self._budget):
            self._leave_room(self._left)
            self._copy(batch)
            self._left -= sum(file.size for file in batch)

    def _budget(self) -> int:
        """Return how many bytes the next batch may hold: a few seconds' worth.

        So a slow camera that is pulled has lost little, and progress shows.
        """
        passed = max(time.monotonic() - self._begun, 0.1)
        return int(self._read / passed * BATCH_SECONDS)

    def _make_room(self, planned: Sequence[Planned]) -> None:
        with vault_errors():
            self._disk.make_directory(self._order.bag / "data")
        self._leave_room(sum(file.size for file in planned if file.held is None))

    def _leave_room(self, size: int) -> None:
        """Refuse to begin what does not fit; other bays write to the vault too."""
        with vault_errors():
            free = self._disk.free(self._order.bag)
        missing = size + self._order.reserve - free
        if missing > 0:
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
        self._kept.add(file.path)
        self._safe += 1
        self._progress()
        return True

    def _still_held(self, held: Held) -> bool:
        """Read the earlier copy from the medium: it may have rotted, or be gone."""
        with vault_errors():
            if not self._disk.exists(held.path):
                return False
            found = readable(self._disk, held.path, self._beat_only)
        return found is not None and found.digest == held.digest

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
        self._kept |= {file.path for file, _, _ in copied}
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
                target = self._wanted(file).target
                found = readable(self._disk, target, self._beat_only)
            if found is None or found.digest != digest:
                self._safe -= 1
                what = "nothing" if found is None else found.digest
                reason = f"the second pass read {what}"
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


def _facts(entry: Found) -> tuple[int, int, str | None]:
    return entry.size, entry.mtime_ns, entry.skipped


def _why(file: Planned, error: DockError) -> GivenUp | Doubted:
    if isinstance(error, FixityError):
        return Doubted(file.id, str(error))
    return GivenUp(file.id, str(error))


def _proof(file: Planned, copy: Copied) -> Proof:
    return Proof(file.id, copy.digest, copy.parts, copy.method, copy.counted)
