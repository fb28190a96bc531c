"""Objects to send, and what a caller of `send` would hear and remember."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from dock_agent.recording import PART_SIZE, Digest
from dock_agent.sync.content import Content, FileContent
from dock_agent.sync.destination import (
    About,
    Confirmation,
    Destination,
    Object,
    Progress,
)
from support.places import about

KEY = "dockings/KT-Z1/2026 é+#?!*'()&=;:@,$%~/data/DCIM/0001.MP4"


def sha256(data: bytes) -> Digest:
    """Return the digest of some bytes."""
    return Digest(hashlib.sha256(data).hexdigest())


def item(
    folder: Path,
    size: int = 5,
    key: str = KEY,
    seed: int = 0,
    what: About | None = None,
) -> Object:
    """Write a file and describe it as the worker would."""
    data, digest, digests = _data(size, seed)
    path = folder / f"{size}-{seed}.bin"
    path.write_bytes(data)
    _, _, inside = key.rpartition("/data/")
    described = what or about(f"data/{inside}")
    return Object(key, FileContent(path), size, digest, digests, described)


@lru_cache(maxsize=16)
def _data(size: int, seed: int) -> tuple[bytes, Digest, tuple[Digest, ...]]:
    """Return bytes, their digest, and the digest of each part."""
    data = random.Random(seed).randbytes(size)
    parts = [data[at : at + PART_SIZE] for at in range(0, size, PART_SIZE)]
    return data, sha256(data), tuple(map(sha256, parts)) or (sha256(b""),)


def file(sent: Object) -> Path:
    """Return our own file of an object that `item` made."""
    assert isinstance(sent.content, FileContent)
    return sent.content.path


def sent_whole(destination: Destination, sent: Object) -> Confirmation | None:
    """Send an object and ask what came of it, as the worker does."""
    done = destination.send(sent, Progress(), Memory())
    return destination.confirm(sent, done, sent=True)


class Interrupted(Exception):
    """The test ends a send here, as a power cut would."""


@dataclass
class Memory:
    """Each progress that was remembered, the newest last."""

    kept: list[Progress] = field(default_factory=list)

    def __call__(self, progress: Progress) -> None:
        self.kept.append(progress)

    @property
    def newest(self) -> Progress:
        """Return what a restart would resume from."""
        return self.kept[-1] if self.kept else Progress()

    def new_parts(self) -> int:
        """Count the parts that became known, over all that was remembered."""
        seen = {(p.upload, part.number) for p in self.kept for part in p.parts}
        return len(seen)


@dataclass
class Interrupting(Memory):
    """Remembers, and ends the send once so many parts are there."""

    after: int = 1

    def __call__(self, progress: Progress) -> None:
        super().__call__(progress)
        if progress.sent >= self.after * PART_SIZE:
            raise Interrupted


@dataclass
class Stopping(Memory):
    """Remembers one step more, and ends the send."""

    def __call__(self, progress: Progress) -> None:
        super().__call__(progress)
        raise Interrupted


@dataclass
class Hearing:
    """What `moved` heard; it ends the send once it heard `most` bytes."""

    counts: list[int] = field(default_factory=list)
    most: int | None = None

    def __call__(self, count: int) -> None:
        self.counts.append(count)
        if self.most is not None and self.total >= self.most:
            raise Interrupted

    @property
    def total(self) -> int:
        """Return how many bytes moved."""
        return sum(self.counts)

    def of(self, sent: Object) -> Object:
        """Return the object, heard from here on."""
        return replace(sent, moved=self)


@dataclass(frozen=True)
class InPieces:
    """Meets `Content`; hands another's bytes on in small pieces, as a transport."""

    whole: Content
    most: int = 16 << 10

    def blocks(self, offset: int, length: int) -> Iterator[bytes]:
        for block in self.whole.blocks(offset, length):
            for at in range(0, len(block), self.most):
                yield block[at : at + self.most]


def item_of_small_pieces(sent: Object) -> Object:
    """Return the object as a slow line has it."""
    return replace(sent, content=InPieces(sent.content))
