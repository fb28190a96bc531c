"""S3 stores for the suite, boto3 their judge; and our own client of any store."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from dock_agent.clock import Clock, SystemClock
from dock_agent.sync.credentials import CredentialsFile
from dock_agent.sync.destination import NOTHING_KNOWN, Capabilities
from dock_agent.sync.s3.answers import recognised
from dock_agent.sync.s3.client import Client
from dock_agent.sync.s3.client import Place as Where
from dock_agent.sync.s3.destination import MARKER, S3
from dock_agent.sync.s3.layout import AHEAD, MOST_PARTS, InParts
from dock_agent.sync.s3.lock import NO_LOCK, Lock
from dock_agent.sync.transport.client import Transport
from support.answering import Answering
from support.answering import server as server_of
from support.ceph import ceph16, ceph18
from support.juicefs import juicefs
from support.places import Place, Recipe
from support.rclone_s3 import rclone_s3
from support.s3_program import BUCKET, KEY_ID, SECRET, S3Program
from support.seaweed import seaweed
from support.swift import swift

server = seaweed


@dataclass(frozen=True)
class Reach:
    """How our own client reaches a store, and what it is told of it."""

    endpoint: str
    folder: Path  # for its credentials
    prefix: str = "station-1/"
    bucket: str = BUCKET
    region: str = "us-east-1"
    key_id: str = KEY_ID
    secret: str = SECRET
    clock: Clock = field(default_factory=SystemClock)
    known: Capabilities = NOTHING_KNOWN
    lock: Lock = NO_LOCK
    most_parts: int = MOST_PARTS
    ahead: int = AHEAD
    ca_file: Path | None = None
    deadline_s: float = 60.0

    def s3(self) -> S3:
        """Return the client."""
        transport = Transport(
            self.ca_file, check=recognised, deadline_s=self.deadline_s
        )
        where = Where(self.endpoint, self.bucket, self.region)
        client = Client(transport, where, self._credentials(), self.clock)
        return S3(
            client,
            self.prefix,
            self.known,
            lock=self.lock,
            parts=InParts(self.most_parts, self.ahead),
        )

    def _credentials(self) -> CredentialsFile:
        path = self.folder / f"credentials-{self.secret[:4]}{len(self.secret)}"
        path.write_text(
            f"[default]\naws_access_key_id = {self.key_id}\n"
            f"aws_secret_access_key = {self.secret}\n"
        )
        return CredentialsFile(path)


@contextmanager
def reached(answer: Answering, folder: Path, **more: Any) -> Iterator[S3]:
    """Yield our client of whoever answers so; `more` is as in `Reach`."""
    with server_of(answer) as url, closing(Reach(url, folder, **more).s3()) as made:
        yield made


@contextmanager
def place(folder: Path, store: S3Program) -> Iterator[Place]:
    """Yield a prefix of its own in a store that is shared."""
    judge: Any = store.judge
    prefix = f"{folder.parent.name}-{folder.name}/"
    reach = Reach(store.endpoint, folder, prefix, key_id=store.key_id)

    def put(key: str, data: bytes) -> None:
        judge.put_object(Bucket=BUCKET, Key=prefix + key, Body=data)

    with closing(reach.s3()) as destination:
        yield Place(
            destination=destination,
            found=lambda key: fetched(judge, prefix + key),
            put=put,
            keys=lambda: listed(judge, prefix),
            again=reach.s3,
            resumes=True,
        )


def fetched(judge: Any, key: str, bucket: str = BUCKET) -> bytes | None:
    """Return what boto3 finds under a key; None if there is nothing."""
    try:
        answer = judge.get_object(Bucket=bucket, Key=key)
    except ClientError:
        return None
    data: bytes = answer["Body"].read()
    return data


def listed(judge: Any, prefix: str) -> list[str]:
    """Return the keys below a prefix, without it and without the marker."""
    pages = judge.get_paginator("list_objects_v2").paginate(
        Bucket=BUCKET, Prefix=prefix
    )
    keys = [each["Key"] for page in pages for each in page.get("Contents", [])]
    names = [key.removeprefix(prefix) for key in keys]
    return [name for name in names if name != MARKER]


VARIANTS = {
    "s3-juicefs": Recipe(place, juicefs),
    "s3-rclone": Recipe(place, rclone_s3),
}
SLOW = {
    "s3-ceph16": Recipe(place, ceph16),
    "s3-ceph18": Recipe(place, ceph18),
    "s3-swift": Recipe(place, swift),
}
