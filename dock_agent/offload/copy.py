"""Copy files off a camera so that none can ever be half there.

The points of durability are those of DESIGN: what returns from here was
written, flushed (F2), read again from the medium and found equal; it still has
no name. Whatever goes wrong, no part is left behind and no name is touched.
"""

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dock_agent.custody.recipients import Recipient
from dock_agent.errors import (
    CameraError,
    CameraGone,
    DockError,
    FixityError,
)
from dock_agent.offload.flow import Digests, copy_blocks
from dock_agent.offload.source import Source, Wanted, opened, read, shown, unchanged
from dock_agent.recording import Ciphertext, Digest, ReadBack
from dock_agent.vault.disk import (
    Beat,
    Begin,
    Disk,
    Reread,
    Writer,
    readable,
    vault_errors,
)
from dock_agent.vault.encrypt import Envelope, Opening
from dock_agent.vault.layout import PART
from dock_agent.vault.parts import NoParts

Recipients = Sequence[Recipient]


@dataclass(frozen=True, slots=True)
class Copied:
    """A part that was read back and matched; it waits for its name.

    `digest` is of what the camera gave, `parts` are of the part.
    """

    part: Path
    digest: Digest
    parts: tuple[Digest, ...]
    method: ReadBack
    counted: int
    retries: int = 0  # readings of the camera that failed before
    encrypted: Ciphertext | None = None

    @property
    def copy_digest(self) -> Digest:
        """Return the digest of what the vault has."""
        return self.digest if self.encrypted is None else self.encrypted.sha256


@dataclass(frozen=True, slots=True)
class _Job:
    """One attempt at one file; where it is encrypted, with a key of its own."""

    source: Source
    wanted: Wanted
    disk: Disk
    beat: Beat
    to: Recipients
    part: Path
    envelope: Envelope | None

    @property
    def size(self) -> int:
        """Return how long the part is."""
        size = self.wanted.size
        return size if self.envelope is None else self.envelope.length(size)

    def again(self) -> "_Job":
        """Return another attempt: a new part, and a new key."""
        return _job(self.source, self.wanted, self.disk, self.beat, self.to)


def _job(
    source: Source, wanted: Wanted, disk: Disk, beat: Beat, to: Recipients
) -> _Job:
    part = wanted.target.with_name(PART + secrets.token_hex(8))
    return _Job(source, wanted, disk, beat, to, part, Envelope(to) if to else None)


def copy_one(
    source: Source, wanted: Wanted, disk: Disk, beat: Beat, to: Recipients = ()
) -> Copied:
    """Copy and prove one file. A mismatch is tried once more, on new blocks.

    What is encrypted to recipients is opened again as it is read back. Raises
    `CameraGone`, `CameraError`, `SourceChanged`, `NoRoom`, `VaultUnusable`, or
    `FixityError`.
    """
    job = _job(source, wanted, disk, beat, to)
    with _removed_on_error(job):
        return _proved_or_again(job, _write_part(job, sync=_synced))


def copy_batch(
    source: Source,
    wanted: Sequence[Wanted],
    disk: Disk,
    beat: Beat,
    to: Recipients = (),
) -> list[Copied | DockError]:
    """Copy and prove small files behind one barrier; an answer for each.

    One file's failure is its own. When the camera leaves, what was read before
    is still proved, and the rest answers `CameraGone`. What concerns the vault
    is raised: `NoRoom`, `VaultUnusable`; then no part is left.
    """
    if not wanted:
        return []
    jobs = [_job(source, one, disk, beat, to) for one in wanted]
    with ExitStack() as cleaning:
        for job in jobs:
            cleaning.enter_context(_removed_on_error(job))
        with vault_errors(), disk.barrier(jobs[0].part.parent):
            written = _write_many(jobs)
        return [_prove_one_of_many(*pair) for pair in zip(jobs, written, strict=True)]


def _write_many(jobs: Sequence[_Job]) -> list[Digests | DockError]:
    written: list[Digests | DockError] = []
    for job in jobs:
        if written and isinstance(written[-1], CameraGone):
            written.append(written[-1])
        else:
            written.append(_write_one_of_many(job))
    return written


def _write_one_of_many(job: _Job) -> Digests | DockError:
    try:
        return _write_part(job, sync=_left_to_the_barrier)
    except CameraError as error:
        _remove(job)
        return error


def _prove_one_of_many(job: _Job, written: Digests | DockError) -> Copied | DockError:
    if isinstance(written, DockError):
        return written
    try:
        return _proved_or_again(job, written)
    except (CameraError, FixityError) as error:
        _remove(job)
        return error


def _proved_or_again(job: _Job, digests: Digests) -> Copied:
    """Prove a part; if it fails, prove another one made while it still exists.

    So the second one cannot be given the blocks of the first.
    """
    try:
        return _prove(job, digests)
    except FixityError:
        again = job.again()
        with _removed_on_error(again):
            copied = _prove(again, _write_part(again, sync=_synced))
            _remove(job)
        return copied


def give_names(disk: Disk, pairs: Sequence[tuple[Path, Path]]) -> None:
    """Rename each part to its target, replacing nothing, durably (F4).

    Raises `VaultUnusable`; a target that exists is one.
    """
    with vault_errors():
        for part, target in pairs:
            disk.rename(part, target)
        for folder in sorted({target.parent for _, target in pairs}):
            disk.sync_directory(folder)


def _write_part(job: _Job, sync: Callable[[Writer], None]) -> Digests:
    with opened(job.source, job.wanted) as fd:
        with vault_errors():
            writer = job.disk.create(job.part, job.size)
        try:
            digests = _pass(job, fd, writer)
            with vault_errors():
                writer.finish(job.size, job.wanted.mtime_ns)
                sync(writer)
        finally:
            with vault_errors():
                writer.close()
        with suppress(OSError):  # advice: what the camera's cache still holds may go
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    return digests


def _synced(writer: Writer) -> None:
    writer.sync()


def _left_to_the_barrier(writer: Writer) -> None:
    del writer


def _pass(job: _Job, fd: int, writer: Writer) -> Digests:
    def fill(buffer: memoryview) -> int:
        count = read(job.source, fd, buffer, job.wanted)
        job.beat(count)
        return count

    def write(block: memoryview, offset: int) -> None:
        with vault_errors():
            writer.write(block, offset)

    sealing = None if job.envelope is None else job.envelope.sealing(write)
    if sealing is None:
        digests = copy_blocks(fill, write, job.wanted.size)
    else:
        digests = copy_blocks(fill, sealing.write, job.wanted.size, NoParts())
    unchanged(job.source, fd, job.wanted, digests.size)
    if sealing is not None:
        sealing.finish()
    return digests


def _prove(job: _Job, digests: Digests) -> Copied:
    if job.envelope is not None:
        return _prove_opened(job, job.envelope, digests)
    found = _read_back(job)
    if (found.digest, found.size) != (digests.whole, digests.size):
        raise FixityError(
            f"{shown(job.wanted.path)}: {found.digest} was read back,"
            f" {digests.whole} was written"
        )
    return Copied(job.part, digests.whole, digests.parts, found.method, found.counted)


def _prove_opened(job: _Job, envelope: Envelope, digests: Digests) -> Copied:
    """Open what the medium gives, and hold it against what the camera gave.

    The digest that stays on record is of the very bytes that were opened.
    """
    readings: list[Opening] = []

    def begin() -> Callable[[memoryview], None]:
        readings.append(envelope.opening(digests.size))
        return readings[-1].take

    found = _read_back(job, begin)
    if not readings[-1].agrees(digests.whole, digests.size):
        told = f"what was read back does not open to {digests.whole}"
        raise FixityError(f"{shown(job.wanted.path)}: {told}")
    parts = readings[-1].parts(found.digest)
    known = digests.whole, parts, found.method, found.counted
    ours = Ciphertext(found.digest, found.size, envelope.keys)
    return Copied(job.part, *known, encrypted=ours)


def _read_back(job: _Job, begin: Begin | None = None) -> Reread:
    with vault_errors():
        # Nothing more of the camera is read, but a long read shows that it lives.
        found = readable(job.disk, job.part, lambda _: job.beat(0), begin)
    if found is None:
        raise FixityError(f"{shown(job.wanted.path)}: it could not be read back")
    return found


@contextmanager
def _removed_on_error(job: _Job) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):  # the vault itself may be what fails
            _unlink(job)
        raise
    finally:
        if job.envelope is not None:
            job.envelope.forget()


def _remove(job: _Job) -> None:
    with vault_errors():
        _unlink(job)


def _unlink(job: _Job) -> None:
    if job.disk.exists(job.part):
        job.disk.unlink(job.part)
