"""Objects to send, and what a caller of `send` would remember."""

import hashlib
import random
from dataclasses import dataclass, field
from pathlib import Path

from dock_agent.clock import Clock
from dock_agent.recording import PART_SIZE, Digest
from dock_agent.sync.credentials import CredentialsFile
from dock_agent.sync.destination import Object, Progress
from dock_agent.sync.s3 import S3
from dock_agent.sync.s3_client import Client, Place
from dock_agent.sync.transport import Transport
from support.seaweed import BUCKET, KEY_ID, SECRET

KEY = "dockings/KT-Z1/2026 é+#?!*'()&=;:@,$%~/data/DCIM/0001.MP4"


def sha256(data: bytes) -> Digest:
    """Return the digest of some bytes."""
    return Digest(hashlib.sha256(data).hexdigest())


def item(folder: Path, size: int = 5, key: str = KEY, seed: int = 0) -> Object:
    """Write a file and describe it as the worker would."""
    data = random.Random(seed).randbytes(size)
    path = folder / f"{size}-{seed}.bin"
    path.write_bytes(data)
    parts = [data[at : at + PART_SIZE] for at in range(0, size, PART_SIZE)]
    digests = tuple(sha256(part) for part in parts) or (sha256(b""),)
    return Object(key, path, size, sha256(data), digests)


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


class Interrupted(Exception):
    """The test ends a send here, as a power cut would."""


@dataclass
class Interrupting(Memory):
    """Remembers, and ends the send once so many parts are known."""

    after: int = 1

    def __call__(self, progress: Progress) -> None:
        super().__call__(progress)
        if len(progress.parts) == self.after:
            raise Interrupted


def at(endpoint: str, bucket: str = BUCKET) -> Place:
    """Return where a bucket is."""
    return Place(endpoint, bucket, "us-east-1")


def s3(
    where: Place,
    folder: Path,
    clock: Clock,
    *,
    secret: str = SECRET,
    prefix: str = "station-1/",
) -> S3:
    """Return our own client of an S3 store."""
    path = folder / f"credentials-{sha256(secret.encode())[:8]}"
    path.write_text(
        f"[default]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {secret}\n"
    )
    return S3(Client(Transport(), where, CredentialsFile(path), clock), prefix)
