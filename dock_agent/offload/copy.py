"""Copy files off a camera so that none can ever be half there.

The points of durability are those of DESIGN: what returns from here was
written, flushed (F2), read again from the medium and found equal; it still has
no name. Whatever goes wrong, no part is left behind and no name is touched.
"""

import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dock_agent.errors import (
    CameraError,
    CameraGone,
    DockError,
    FixityError,
)
from dock_agent.offload.flow import Digests, copy_blocks
from dock_agent.offload.source import Source, Wanted, opened, read, unchanged
from dock_agent.recording import Digest, ReadBack
from dock_agent.vault.disk import Beat, Disk, Writer, vault_errors
from dock_agent.vault.layout import PART


@dataclass(frozen=True, slots=True)
class Copied:
    """A part that was read back and matched; it waits for its name."""

    part: Path
    digest: Digest
    parts: tuple[Digest, ...]
    method: ReadBack
    counted: int


def copy_one(source: Source, wanted: Wanted, disk: Disk, beat: Beat) -> Copied:
    """Copy and prove one file. A mismatch is tried once more, on new blocks.

    Raises `CameraGone`, `CameraError`, `SourceChanged`, `NoRoom`,
    `VaultUnusable`, or `FixityError`.
    """
    try:
        return _copy_once(source, wanted, disk, beat)
    except FixityError:
        return _copy_once(source, wanted, disk, beat)


def _copy_once(source: Source, wanted: Wanted, disk: Disk, beat: Beat) -> Copied:
    part = _part_name(wanted.target)
    with _removed_on_error(disk, part):
        digests = _write_part(source, wanted, disk, (part, beat), flush=True)
        return _prove(disk, part, digests)


def copy_batch(
    source: Source, wanted: Sequence[Wanted], disk: Disk, beat: Beat
) -> list[Copied | DockError]:
    """Copy and prove small files behind one barrier; an answer for each.

    One file's failure is its own. What concerns them all is raised:
    `CameraGone`, `NoRoom`, `VaultUnusable`; then no part is left.
    """
    parts = [_part_name(file.target) for file in wanted]
    with ExitStack() as cleaning:
        for part in parts:
            cleaning.enter_context(_removed_on_error(disk, part))
        with vault_errors(), disk.barrier(parts[0].parent):
            written = [
                _tried(source, file, disk, (part, beat))
                for file, part in zip(wanted, parts, strict=True)
            ]
        return [
            _proved(disk, part, digests)
            for part, digests in zip(parts, written, strict=True)
        ]


def _tried(
    source: Source, wanted: Wanted, disk: Disk, part_beat: tuple[Path, Beat]
) -> Digests | DockError:
    try:
        return _write_part(source, wanted, disk, part_beat, flush=False)
    except CameraGone:
        raise
    except CameraError as error:
        return error


def _proved(disk: Disk, part: Path, digests: Digests | DockError) -> Copied | DockError:
    if isinstance(digests, DockError):
        return digests
    try:
        return _prove(disk, part, digests)
    except FixityError as error:
        with vault_errors():
            disk.unlink(part)
        return error


def give_names(disk: Disk, pairs: Sequence[tuple[Path, Path]]) -> None:
    """Rename each part to its target, replacing nothing, durably (F4).

    Raises `VaultUnusable`; a target that exists is one.
    """
    with vault_errors():
        for part, target in pairs:
            disk.rename(part, target)
        for folder in sorted({target.parent for _, target in pairs}):
            disk.sync_directory(folder)


def _write_part(
    source: Source,
    wanted: Wanted,
    disk: Disk,
    part_beat: tuple[Path, Beat],
    *,
    flush: bool,
) -> Digests:
    part, beat = part_beat
    with opened(source, wanted) as fd:
        with vault_errors():
            writer = disk.create(part, wanted.size)
        try:
            digests = _pass(source, fd, wanted, (writer, beat))
            with vault_errors():
                writer.finish(wanted.size, wanted.mtime_ns)
                if flush:
                    writer.sync()
        finally:
            with vault_errors():
                writer.close()
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    return digests


def _pass(
    source: Source, fd: int, wanted: Wanted, writer_beat: tuple[Writer, Beat]
) -> Digests:
    writer, beat = writer_beat

    def fill(buffer: memoryview) -> int:
        count = read(source, fd, buffer, wanted)
        beat(count)
        return count

    def write(block: memoryview, offset: int) -> None:
        with vault_errors():
            writer.write(block, offset)

    digests = copy_blocks(fill, write, wanted.size)
    unchanged(source, fd, wanted, digests.size)
    return digests


def _prove(disk: Disk, part: Path, digests: Digests) -> Copied:
    with vault_errors():
        found = disk.reread(part)
    if (found.digest, found.size) != (digests.whole, digests.size):
        raise FixityError(
            f"{part.name}: {found.digest} was read back, {digests.whole} was written"
        )
    return Copied(part, digests.whole, digests.parts, found.method, found.counted)


@contextmanager
def _removed_on_error(disk: Disk, part: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with suppress(OSError):
            if disk.exists(part):
                disk.unlink(part)
        raise


def _part_name(target: Path) -> Path:
    return target.with_name(PART + secrets.token_hex(8))
