"""Put bytes into an S3 store, and find out what it made of them.

Nothing is hashed here where the store is known to check what it takes; where it is
not, the last bytes wait until ours were seen to be right.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from dock_agent.errors import NotTaken, Portal
from dock_agent.recording import Digest
from dock_agent.sync.destination import Object, Progress
from dock_agent.sync.s3.answers import GONE, NAMED, THERE, UNKNOWN, WRONG, expect
from dock_agent.sync.s3.client import Client, Request
from dock_agent.sync.s3.handle import found, sent
from dock_agent.sync.s3.layout import Held, Layout, Piece, see_that_ours_is_sound
from dock_agent.sync.s3.lock import NO_LOCK, Lock, refused
from dock_agent.sync.s3.object import OURS, entry
from dock_agent.sync.s3.xml import CHECKSUM, b64, bare, checksum, trouble
from dock_agent.sync.transport.client import Answer, Outgoing

ABSENT_ONLY = {"if-none-match": "*"}


@dataclass(frozen=True, slots=True)
class Sending:
    """One object on its way to a key. It lives as long as one call does."""

    client: Client
    key: str
    layout: Layout
    lock: Lock = NO_LOCK

    @property
    def item(self) -> Object:
        """The object."""
        return self.layout.item

    def about(self) -> dict[str, str]:
        """Return what is said of the object when it is begun."""
        plain = {"content-type": "application/octet-stream", OURS: self.item.digest}
        return plain | self.lock.headers(self.client.now())

    def absent_only(self) -> dict[str, str]:
        """Return the condition that nothing is there, where the store keeps to it."""
        return ABSENT_ONLY if self.client.known.conditional else {}

    def put(
        self,
        piece: Piece,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        *,
        trusted: bool | None,
        taken: Callable[[], None] | None = None,
    ) -> Answer:
        """Send a piece once; `trusted` is whether the store checks what it takes.

        `taken` is as in `Outgoing`.
        """
        digest = self.digest(piece)
        content = self.item.content
        if not trusted:
            content = Held(content, digest, self.item.key)
        body = Outgoing(content, piece.offset, piece.length, self.item.moved, taken)
        whole = {**headers, **checksum(digest)}
        return self.client.once(Request("PUT", self.key, query, whole, digest), body)

    def digest(self, piece: Piece) -> Digest:
        """Return a piece's SHA-256."""
        return self.item.digest if self.layout.single else self.layout.digest(piece)

    def took(self, answer: Answer, piece: Piece) -> str:
        """Return the ETag of what was taken; find out whose fault a refusal is."""
        if trouble(answer.body).code in WRONG:
            see_that_ours_is_sound(self.item, piece, self.digest(piece))
            raise NotTaken(f"{self.key}: it was damaged on the way")
        expect(answer, f"sending {self.key}")
        echoed = answer.headers.get(CHECKSUM)
        if echoed and echoed != b64(self.digest(piece)):
            raise NotTaken(f"{self.key}: it tells another digest than was sent")
        etag = bare(answer.headers.get("etag", ""))
        if not etag and NAMED not in answer.headers:
            raise Portal(f"{self.client.place.endpoint}: what takes it is no store")
        if not etag:
            raise NotTaken(f"{self.key}: taken, but without an ETag")
        return etag


def put_whole(sending: Sending, done: Progress) -> Progress:
    """Send an object in one PUT; return how it stands then."""
    client, piece = sending.client, Piece(1, 0, sending.item.size)
    condition = sending.absent_only()
    headers = sending.about() | condition
    answer = sending.put(piece, {}, headers, trusted=client.known.objects)
    if condition and never_heard_of_it(answer):
        client.knowledge.learn(conditional=False)
        headers = sending.about()
        answer = sending.put(piece, {}, headers, trusted=client.known.objects)
    if answer.status in THERE and entry(client, sending.key):
        return stands(done, found(), sending)  # ours, perhaps: its bytes decide
    refused(answer, sending.lock)
    return stands(done, sent(sending.took(answer, piece)), sending)


def stands(done: Progress, handle: str, sending: Sending) -> Progress:
    """Return how it stands once all of it is there."""
    return Progress(handle, done.generation, done.parts, sending.item.size)


def never_heard_of_it(answer: Answer) -> bool:
    """Whether the store does not know the condition that it was given."""
    return answer.status in UNKNOWN


def forgot(answer: Answer) -> bool:
    """Whether the store does not know the upload any more."""
    gone = trouble(answer.body).code in GONE
    return gone and answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.OK}
