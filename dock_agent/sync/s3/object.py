"""What is under a name in an S3 store: its entry, and its bytes.

An entry alone proves nothing: stores keep entries of objects that they lost.
"""

import hashlib
from dataclasses import dataclass, field

from dock_agent.errors import NotTaken, Portal, Unreachable
from dock_agent.recording import Digest
from dock_agent.sync.content import Moved
from dock_agent.sync.destination import Object
from dock_agent.sync.s3.answers import ABSENT, expect
from dock_agent.sync.s3.client import Client
from dock_agent.sync.s3.xml import CHECKSUM, bare, number
from dock_agent.sync.transport.client import Answer, Incoming

OURS = "x-amz-meta-sha256"  # what we say of our objects
TRIES = 3  # in a row that bring less than LEAST
LEAST = 1 << 20  # bytes that count as getting on


@dataclass(frozen=True, slots=True)
class Entry:
    """What the store says of an object. `size` is None where it does not say."""

    size: int | None
    etag: str
    version: str
    checksum: str  # SHA-256 as S3 writes it; empty where it has none
    ours: str  # the digest that we gave it when we sent it; empty if we did not
    answer: Answer = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What the bytes of an object hashed to, and whose they were."""

    digest: Digest
    etag: str
    version: str


class Heard:
    """A `moved` that remembers whether it was it that ended the sending."""

    def __init__(self, moved: Moved) -> None:
        self._moved, self.ended = moved, False

    def __call__(self, count: int) -> None:
        try:
            self._moved(count)
        except BaseException:
            self.ended = True
            raise


def entry(client: Client, key: str) -> Entry | None:
    """Return what is said of the object; None if there is none of that name."""
    answer = client.call("HEAD", key, headers={"x-amz-checksum-mode": "ENABLED"})
    if answer.status == ABSENT:
        return None
    found = _entry(expect(answer, f"looking for {key}", NotTaken))
    if not found.etag:
        raise Portal(f"{client.place.endpoint}: what answers there is no store")
    return found


def read_back(client: Client, key: str, item: Object, found: Entry) -> ReadBack | None:
    """Fetch every byte of the object and hash it; None if it is not as long as ours.

    Raises `NotTaken` where the bytes are not there, or not those of the entry.
    """
    if found.size not in {None, item.size}:
        return None
    reading = _Reading(client, key, found, item, Heard(item.moved))
    stuck, best = 0, 0
    while not reading.over:
        try:
            reading.go_on()
        except Unreachable as error:
            stuck = 0 if reading.at >= best + LEAST else stuck + 1
            best = max(best, reading.at)
            plain = type(error) is Unreachable and not reading.moved.ended
            if not plain or stuck >= TRIES:
                raise
    return reading.result


@dataclass(slots=True)
class _Reading:
    """A pass over an object: a cut costs only what had not come."""

    client: Client
    key: str
    found: Entry
    item: Object
    moved: Heard
    at: int = 0
    over: bool = False
    result: ReadBack | None = None
    whole: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def go_on(self) -> None:
        """Read from where it is to the end."""
        only = {"if-match": f'"{self.found.etag}"'} if self.at else {}
        with self.client.read(self.key, only, self.moved, self.at) as got:
            if self._tied(got) not in {None, self.item.size}:
                self.over = True  # it is as long as another
                return
            for piece in got.pieces:
                self.item.keep(self.at, piece)
                self.whole.update(piece)
                self.at += len(piece)
                if self.at > self.item.size:
                    break
        if self.at < self.item.size:
            raise Unreachable(f"{self.key}: it broke off while it was read back")
        self.over = True
        if self.at == self.item.size:
            digest = Digest(self.whole.hexdigest())
            self.result = ReadBack(digest, self.found.etag, self.found.version)

    def _tied(self, got: Incoming) -> int | None:
        """See that what comes is the object of the entry, from where we are.

        Returns the object's size, if that is told.
        """
        doing = f"reading {self.key} back"
        answer = expect(got.answer, doing, NotTaken)
        here = _entry(answer)
        if (here.etag, here.version) != (self.found.etag, self.found.version):
            raise NotTaken(f"{doing}: it is not the object that was looked at")
        if got.offset == 0:
            self.at, self.whole = 0, hashlib.sha256()
            return here.size
        if not _continues(answer, self.at, self.item.size):
            raise NotTaken(f"{doing}: other bytes came than were asked for")
        return self.item.size


def _continues(answer: Answer, at: int, size: int) -> bool:
    """Whether a range is the rest of the object (RFC 9110, 14.4)."""
    said = answer.headers.get("content-range", "")
    return said.replace(" ", "") == f"bytes{at}-{size - 1}/{size}"


def _entry(answer: Answer) -> Entry:
    headers = answer.headers
    return Entry(
        number(headers.get("content-length", "")),
        bare(headers.get("etag", "")),
        headers.get("x-amz-version-id", ""),
        headers.get(CHECKSUM, ""),
        headers.get(OURS, ""),
        answer,
    )
