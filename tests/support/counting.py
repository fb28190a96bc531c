"""A disk that counts bytes and keeps none: for files larger than any test may be."""

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dock_agent.recording import Digest, ReadBack
from dock_agent.vault.buffers import PAGE
from dock_agent.vault.disk import Beat, Begin, Reread, Writer, silent


@dataclass
class Kept:
    """What is known of a file: its length, and a digest of the bytes in order."""

    size: int = 0
    whole: Any = field(default_factory=hashlib.sha256)


@dataclass
class CountingDisk:
    """As much of `vault.disk.Disk` as copying asks for; bytes are only hashed."""

    files: dict[Path, Kept] = field(default_factory=dict)

    def make_directory(self, path: Path) -> None:
        del path

    def create(self, path: Path, size: int) -> Writer:
        del size
        if path in self.files:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
        kept = self.files[path] = Kept()
        return CountingWriter(kept)

    @contextmanager
    def barrier(self, directory: Path) -> Iterator[None]:
        del directory
        yield

    def reread(self, path: Path, beat: Beat = silent) -> Reread:
        kept = self._kept(path)
        beat(kept.size)
        digest = Digest(kept.whole.hexdigest())
        return Reread(digest, kept.size, ReadBack.DIRECT, kept.size)

    def study(self, path: Path, begin: Begin, beat: Beat = silent) -> Reread:
        del begin, beat
        raise OSError(errno.EIO, "nothing is kept", str(path))

    def read(self, path: Path) -> bytes:
        raise OSError(errno.EIO, "nothing is kept", str(path))

    def rename(self, source: Path, target: Path) -> None:
        self.files[target] = self.files.pop(source)

    def sync_directory(self, path: Path) -> None:
        del path

    def unlink(self, path: Path) -> None:
        del self.files[path]

    def listing(self, path: Path) -> Iterable[Path]:
        return sorted(file for file in self.files if path in file.parents)

    def names(self, path: Path) -> Iterable[str]:
        return sorted(file.name for file in self.files if file.parent == path)

    def directories(self, path: Path) -> Iterable[Path]:
        del path
        return ()

    def oddities(self, path: Path) -> Iterable[Path]:
        del path
        return ()

    def exists(self, path: Path) -> bool:
        return path in self.files

    def size(self, path: Path) -> int:
        return self._kept(path).size

    def free(self, path: Path) -> int:
        del path
        return 1 << 50

    def _kept(self, path: Path) -> Kept:
        if path not in self.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return self.files[path]


@dataclass(frozen=True, slots=True)
class CountingWriter:
    """Meets `vault.disk.Writer`; takes what follows on, and nothing else."""

    kept: Kept

    def write(self, block: memoryview, offset: int) -> None:
        if offset % PAGE or offset != self.kept.size:
            raise OSError(errno.EINVAL, f"{offset} does not follow {self.kept.size}")
        self.kept.whole.update(block)
        self.kept.size += len(block)

    def finish(self, size: int, mtime_ns: int) -> None:
        del mtime_ns
        if size != self.kept.size:
            raise OSError(errno.EINVAL, f"{self.kept.size} bytes came, not {size}")

    def sync(self) -> None:
        """Nothing is kept."""

    def close(self) -> None:
        """Nothing is held."""
