"""What an S3 store does with what it is sent: it is tried, with bytes of no worth.

The right bytes go first, and come back: a store that refuses everything, or keeps
something else, refuses the wrong ones for another reason than their digest. Each
verdict is yes, no, or None where the store gave neither answer. An error that is
about the store, and not about the question, is raised.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from dock_agent.errors import Barred, NotTaken, Refused, SyncError
from dock_agent.recording import Digest
from dock_agent.sync.content import PIECE, Moved, unheard
from dock_agent.sync.s3.answers import THERE, UNKNOWN, WRONG, expect, welcome
from dock_agent.sync.s3.client import Client, Request
from dock_agent.sync.s3.object import entry
from dock_agent.sync.s3.put import ABSENT_ONLY
from dock_agent.sync.s3.upload import ALGORITHM, PUT_TOGETHER_S
from dock_agent.sync.s3.uploads import abort
from dock_agent.sync.s3.xml import (
    b64,
    bare,
    checksum,
    completed,
    completion,
    trouble,
    upload_id,
)
from dock_agent.sync.transport.client import Answer, Outgoing

FIRST = 5 << 20  # bytes: the least that a part may have, but the last
COST = 2 * (FIRST + 1)  # bytes that move for all of it
ANOTHER = b"?"


class Unsound(Barred):
    """What comes back is not what was sent: nothing can be proved there."""


@dataclass(frozen=True, slots=True)
class Objects:
    """What became of single objects.

    `sound`: they read back as they were sent. `tells`: what it says they hash to.
    """

    sound: bool
    tells: bool
    refuses: bool | None
    conditional: bool | None
    deletes: bool


@dataclass(frozen=True, slots=True)
class Parts:
    """What became of parts, and of what was put together of them."""

    refuses: bool | None
    whole: bool | None


@dataclass(frozen=True, slots=True)
class Begun:
    """An upload; whether the store computes digests for it."""

    ident: str
    names_digests: bool

    @property
    def query(self) -> dict[str, str]:
        """Return what names it in a request."""
        return {"uploadId": self.ident}


@dataclass(frozen=True, slots=True)
class Bytes:
    """Meets `Content` with bytes in memory."""

    data: bytes | memoryview

    def blocks(self, offset: int, length: int) -> Iterator[bytes]:
        for at in range(offset, offset + length, PIECE):
            yield bytes(self.data[at : min(at + PIECE, offset + length)])


@dataclass(frozen=True, slots=True)
class Probe:
    """Tries a store, below a prefix of its own."""

    client: Client
    prefix: str
    moved: Moved = unheard

    def objects(self) -> Objects:
        """Try single objects; `Barred` with its words if it takes none."""
        client, key, body = self.client, self._name(), self._noise(64)
        put = Request("PUT", key, {}, checksum(_sha(body)), _sha(body))
        welcome(client.once(put, body), "writing a small object")
        with self._nothing_left(key):
            sound = self._returns(key, body)
            there = entry(client, key)
            tells = there is not None and there.checksum == b64(_sha(body))
            conditional = self._conditional(put, body)
        deletes = self._delete(key)
        return Objects(sound, tells, self._refuses_objects(), conditional, deletes)

    def parts(self) -> Parts:
        """Try an upload of two parts, and read back what comes of it."""
        key, whole = self._name(), self._noise(FIRST + 1)
        bodies = (memoryview(whole)[:FIRST], memoryview(whole)[FIRST:])
        with self._nothing_left(key):
            with self._upload(key) as begun:
                etags = [
                    (number, self._etag(self._part(key, begun, number, body)))
                    for number, body in enumerate(bodies, 1)
                ]
                named = [_sha(body) for body in bodies] if begun.names_digests else None
                body = completion(etags, named)
                self._put_together(
                    self.client.post(key, begun.query, {}, body, PUT_TOGETHER_S)
                )
            returned = self._returns(key, whole)
        self._delete(key)
        return Parts(self._refuses_parts(), returned)

    @contextmanager
    def _nothing_left(self, key: str) -> Iterator[None]:
        """Take away what is under a key if the trying of it does not come to its end.

        Its link may be gone, or its answer lost: each hour another would stay.
        """
        try:
            yield
        except BaseException:
            with suppress(SyncError):
                self._delete(key)
            raise

    @contextmanager
    def _upload(self, key: str) -> Iterator[Begun]:
        """Begin an upload; have it forgotten if it does not come to its end."""
        answer = self.client.post(key, {"uploads": ""}, {ALGORITHM: "SHA256"})
        welcome(answer, "beginning an upload in parts")
        begun = Begun(upload_id(answer.body), ALGORITHM in answer.headers)
        try:
            yield begun
        except BaseException:
            abort(self.client, key, begun.ident)
            raise

    @staticmethod
    def _put_together(answer: Answer) -> None:
        expect(answer, "putting two parts together", NotTaken)
        if completed(answer.body) is None:
            code = trouble(answer.body).code
            raise NotTaken(f"two parts are not put together: {code}")

    def _conditional(self, put: Request, body: bytes) -> bool | None:
        """Whether "only if absent" is kept to; what is there is the same anyway."""
        headers = {**put.headers, **ABSENT_ONLY}
        again = Request("PUT", put.key, {}, headers, put.payload)
        answer = self.client.once(again, body)
        if answer.status in THERE:
            return True
        return False if answer.good or answer.status in UNKNOWN else None

    def _refuses_objects(self) -> bool | None:
        key, said = self._name(), _sha(ANOTHER + b"!")
        put = Request("PUT", key, {}, checksum(said), said)
        answer = self.client.once(put, ANOTHER * 2)
        if answer.good:
            self._delete(key)
        return _verdict(answer)

    def _refuses_parts(self) -> bool | None:
        """Ask in an upload of its own: some take no part a second time."""
        key = self._name()
        with self._upload(key) as begun:
            answer = self._part(key, begun, 1, ANOTHER * 2, ANOTHER + b"!")
            abort(self.client, key, begun.ident)
        return _verdict(answer)

    def _part(
        self,
        key: str,
        begun: Begun,
        number: int,
        body: bytes | memoryview,
        said: bytes | None = None,
    ) -> Answer:
        digest = _sha(body if said is None else said)
        query = {"partNumber": str(number), **begun.query}
        put = Request("PUT", key, query, checksum(digest), digest)
        outgoing = Outgoing(Bytes(body), 0, len(body), self.moved)
        return self.client.once(put, outgoing)

    @staticmethod
    def _etag(answer: Answer) -> str:
        welcome(answer, "writing a part")
        return bare(answer.headers.get("etag", ""))

    def _returns(self, key: str, body: bytes) -> bool:
        """Whether it reads back as it was sent.

        The first bytes that do not say no: Ceph's gateway over SQLite has been seen to
        return others, and to take hours for them.
        """
        at = 0
        with self.client.read(key, {}, self.moved) as got:
            try:
                expect(got.answer, "reading it back", NotTaken)
            except (NotTaken, Refused):
                return False
            for piece in got.pieces:
                if piece != body[at : at + len(piece)]:
                    return False
                at += len(piece)
        return at == len(body)

    def _delete(self, key: str) -> bool:
        return self.client.once(Request("DELETE", key)).good

    def _name(self) -> str:
        return f"{self.prefix}.probe/{self.client.clock.entropy(8).hex()}"

    def _noise(self, count: int) -> bytes:
        return self.client.clock.entropy(count)


def ask(client: Client, prefix: str, moved: Moved = unheard) -> Objects:
    """Try all of it and keep what was found.

    Raises `Unsound` where nothing can be kept, and `Barred`, `NotTaken` or `Refused`
    where it will not be tried. What was known before is forgotten first: a store that
    is no longer what it was is not believed for what it did then.
    """
    client.knowledge.learn(objects=None, parts=None, whole=None, asked_at=None)
    probe = Probe(client, prefix, moved)
    found = probe.objects()
    client.knowledge.learn(
        objects=found.refuses and found.sound, conditional=found.conditional
    )
    if not found.sound:
        raise Unsound(
            "the store does not return what it was sent: a test object differs"
        )
    parts = probe.parts()
    client.knowledge.learn(parts=parts.refuses, whole=parts.whole)
    return found


def _verdict(answer: Answer) -> bool | None:
    """Whether bytes that are not what their digest says were refused for that."""
    if trouble(answer.body).code in WRONG:
        return True
    return False if answer.good else None


def _sha(body: bytes | memoryview) -> Digest:
    return Digest(hashlib.sha256(body).hexdigest())
