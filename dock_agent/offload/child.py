"""Offload one camera: everything that touches it, and every proof.

Runs in a process of its own (`process.py`), or in the caller's (`inline.py`). It
knows no database: it asks for each commit, and nothing gets its name before the
answer has come. The lanes read, write and prove; what they found is committed
and named here, in the order of the plan.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial

from dock_agent.custody.recipients import parse
from dock_agent.errors import (
    CameraGone,
    DockError,
    FixityError,
    NoRoom,
    SourceChanged,
    StoreError,
)
from dock_agent.offload.bench import Bench
from dock_agent.offload.copy import Copied, give_names
from dock_agent.offload.lanes import Lanes
from dock_agent.offload.messages import (
    AllCopied,
    AllPassed,
    Doubted,
    Found,
    GivenUp,
    Go,
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
from dock_agent.offload.meter import LONGEST_SILENCE, Meter
from dock_agent.offload.pieces import Answers, Batch, Piece, Pieces
from dock_agent.offload.plan import batches
from dock_agent.offload.source import shown
from dock_agent.recording import Digest
from dock_agent.vault.disk import Reread, vault_errors

ROUNDS = 3  # scans after the first; a camera that still grows is not docked
BATCH_SECONDS = 2.0  # how long a batch of small files is read, about


class Offload:
    """One docking's work, from the inventory to the second pass."""

    def __init__(self, bench: Bench, order: Order) -> None:
        self._tree, self._disk, self._channel = bench.tree, bench.disk, bench.channel
        self._order, self._wait = order, bench.wait
        self._meter = Meter(order.pace, bench.wait)
        self._data = order.bag / "data"
        to = tuple(map(parse, order.recipients))
        self._pieces = Pieces(bench.tree, bench.disk, self._data, self._meter, to)
        self._lanes = Lanes(1 if order.pace else bench.lanes, self._tell_if_alive)
        self._listed: dict[bytes, Found] = {}
        self._kept: set[bytes] = set()  # paths whose bytes are in the vault
        self._named: dict[Planned, Digest] = {}
        self._gone: CameraGone | None = None
        self._safe = 0

    def run(self) -> None:
        """Do all of it. Raises `DockError` where it cannot go on."""
        with closing(self._lanes), closing(self._meter):
            self._take_all()
            self._go(AllCopied())
            self._second_pass()
            self._still_as_listed()
            self._go(AllPassed())

    def _take_all(self) -> None:
        found = self._tree.scan()
        for _ in range(1 + ROUNDS):
            self._take([entry for entry in found if entry.path not in self._listed])
            found = self._tree.scan()
            if all(entry.path in self._listed for entry in found):
                break

    def _take(self, found: Sequence[Found]) -> None:
        """Have entries listed, then copy what the answer asks for."""
        self._listed |= {entry.path: entry for entry in found}
        system = self._tree.file_system()
        said = Inventory(tuple(found), system.kind, system.resolution_ns)
        answer = self._channel.ask(said)
        if not isinstance(answer, Plan):
            raise StoreError(getattr(answer, "reason", "no plan"))
        self._progress()
        held = [file for file in answer.files if file.held is not None]
        others = [file for file in answer.files if file.held is None]
        with vault_errors():
            self._disk.make_directory(self._data)
        self._leave_room(self._pieces.room(others))
        self._copy_all(others + self._no_longer_held(held))

    # ---- what an earlier docking holds --------------------------------------------

    def _no_longer_held(self, held: Batch) -> list[Planned]:
        """Compare camera and vault; return what has to be copied after all."""
        others: list[Planned] = []
        for told in self._lanes.each(self._begun(held, self._pieces.compare)):
            others += self._match(told)
        self._still_there()
        return others

    def _match(self, told: Answers) -> list[Planned]:
        pairs = list(zip(told.batch, told.of, strict=True))
        same = [file for file, answer in pairs if answer is True]
        if same:
            self._go(Matched(tuple(file.id for file in same)))
            self._count(same)
        self._notice(told)
        return [file for file, answer in pairs if answer is False]

    # ---- what is copied -----------------------------------------------------------

    def _copy_all(self, files: Batch) -> None:
        for told in self._lanes.each(self._copies(files)):
            self._land(told)
        self._still_there()

    def _copies(self, files: Batch) -> Iterator[Piece]:
        """Yield the copying of each batch, as long as there is room for the rest."""
        left = self._pieces.room(files)
        for batch in self._batches(files):
            self._leave_room(left)
            with vault_errors():
                for folder in sorted({(self._data / f.stored).parent for f in batch}):
                    self._disk.make_directory(folder)
            left -= self._pieces.room(batch)
            yield partial(self._pieces.copy, batch)

    def _leave_room(self, size: int) -> None:
        """Refuse to begin what does not fit; other bays write to the vault too."""
        with vault_errors():
            free = self._disk.free(self._order.bag)
        missing = size + self._order.reserve - free
        if missing > 0:
            raise NoRoom(f"{missing} bytes are missing in the vault", missing)

    def _land(self, told: Answers) -> None:
        """Have the proofs committed (F3), give the names (F4), say so (F5)."""
        copied: list[tuple[Planned, Copied]] = []
        for file, answer in zip(told.batch, told.of, strict=True):
            if isinstance(answer, Copied):
                copied.append((file, answer))
            elif isinstance(answer, DockError) and not isinstance(answer, CameraGone):
                self._go(_why(file, answer))
        if copied:
            self._go(Proved(tuple(_proof(file, copy) for file, copy in copied)))
            names = [(copy.part, self._data / file.stored) for file, copy in copied]
            give_names(self._disk, names)
            self._go(Named(tuple(file.id for file, _ in copied)))
            self._named |= {file: copy.copy_digest for file, copy in copied}
            self._count([file for file, _ in copied])
        self._notice(told)

    # ---- afterwards ---------------------------------------------------------------

    def _second_pass(self) -> None:
        """Read every file once more, now that all were written."""
        named = list(self._named)
        for told in self._lanes.each(self._begun(named, self._pieces.reread)):
            for file, found in zip(told.batch, told.of, strict=True):
                if not isinstance(found, Reread) or found.digest != self._named[file]:
                    self._safe -= 1
                    what = found.digest if isinstance(found, Reread) else "nothing"
                    self._go(Doubted(file.id, f"the second pass read {what}"))

    def _still_as_listed(self) -> None:
        """List the camera once more: what it wrote meanwhile is not in the vault.

        Raises `SourceChanged`, or `CameraGone` where it no longer lists what was
        copied; the next docking copies what is missing.
        """
        self._let_it_rest()
        now = {entry.path: entry for entry in self._tree.scan()}
        for path in sorted(self._kept - now.keys()):
            raise CameraGone(f"{shown(path)}: it is no longer listed")
        for path, entry in now.items():
            then = self._listed.get(path)
            if then is None or _facts(then) != _facts(entry):
                if then is not None and then.readable and path not in self._kept:
                    continue  # it was given up, and is not called safe
                told = "the camera wrote it while it was docked"
                raise SourceChanged(f"{shown(path)}: {told}")

    def _let_it_rest(self) -> None:
        """Where others may write, look again only after a while (`order.rest`)."""
        if self._tree.file_system().read_only:
            return
        while (left := self._order.rest - self._meter.passed()) > 0:
            self._wait(min(left, LONGEST_SILENCE))
            self._progress()

    # ---- parts --------------------------------------------------------------------

    def _begun(self, files: Batch, work: Callable[[Batch], Answers]) -> Iterator[Piece]:
        return (partial(work, batch) for batch in self._batches(files))

    def _batches(self, files: Batch) -> Iterator[Batch]:
        """Yield batches of a few seconds each, until the camera is gone.

        So a slow camera that is pulled has lost little, and progress shows.
        """
        for batch in batches(files, lambda: int(self._meter.rate() * BATCH_SECONDS)):
            if self._gone is not None:
                return
            yield batch

    def _count(self, safe: Batch) -> None:
        self._kept |= {file.path for file in safe}
        self._safe += len(safe)
        self._progress()

    def _notice(self, told: Answers) -> None:
        """Remember that the camera is gone: what was begun still lands first."""
        for answer in told.of:
            if isinstance(answer, CameraGone):
                self._gone = self._gone or answer

    def _still_there(self) -> None:
        if self._gone is not None:
            raise self._gone

    def _go(self, said: Said) -> None:
        answer = self._channel.ask(said)
        if not isinstance(answer, Go):
            raise StoreError(getattr(answer, "reason", "no answer"))

    def _tell_if_alive(self) -> None:
        if self._meter.heard():
            self._progress()

    def _progress(self) -> None:
        self._meter.heard()
        self._channel.tell(Progressed(self._safe, self._meter.read))


def _facts(entry: Found) -> tuple[int, int, str | None, str | None]:
    return entry.size, entry.mtime_ns, entry.skipped, entry.missed


def _why(file: Planned, error: DockError) -> GivenUp | Doubted:
    if isinstance(error, FixityError):
        return Doubted(file.id, str(error))
    return GivenUp(file.id, str(error))


def _proof(file: Planned, copy: Copied) -> Proof:
    known = copy.digest, copy.parts, copy.method, copy.counted
    return Proof(file.id, *known, retries=copy.retries, encrypted=copy.encrypted)
