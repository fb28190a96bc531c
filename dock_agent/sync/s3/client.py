"""Signed calls to an S3 store, in the store's own time."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import msgspec

from dock_agent.clock import Clock
from dock_agent.errors import Barred, Portal, Refused
from dock_agent.recording import Digest
from dock_agent.sync.content import Moved
from dock_agent.sync.credentials import CredentialsFile
from dock_agent.sync.destination import NOTHING_KNOWN, Capabilities
from dock_agent.sync.s3.answers import stranger, welcome, wordless
from dock_agent.sync.s3.sigv4 import EMPTY, Signer, url
from dock_agent.sync.s3.xml import is_called, trouble
from dock_agent.sync.transport.client import (
    Answer,
    Incoming,
    Outgoing,
    Transport,
    again,
)

SKEWED = frozenset({"RequestTimeTooSkewed", "AccessDenied"})  # with status 400
DRIFT = timedelta(minutes=1)  # stores allow fifteen; their Date has whole seconds
SANE = range(2000, 2200)  # years that a store may say it is
NONE: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a bucket is."""

    endpoint: str
    bucket: str
    region: str


class Knowledge:
    """What is known of a store. Threads share it.

    Each fact is replaced alone and nothing is read for it: whoever learns one thing
    cannot write another back as it was a moment ago.
    """

    def __init__(self, known: Capabilities = NOTHING_KNOWN) -> None:
        self._facts = msgspec.structs.asdict(known)

    @property
    def known(self) -> Capabilities:
        """What is known now."""
        return Capabilities(**dict(self._facts))

    def learn(self, **found: bool | int | str | None) -> None:
        """Keep what was found; the rest stays as it is."""
        self._facts.update(found)


@dataclass(frozen=True, slots=True)
class Request:
    """One request to be signed. `payload` is its body's digest, or said to be."""

    method: str
    key: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    payload: Digest = EMPTY


@dataclass(frozen=True, slots=True)
class Client:
    """Signs and sends. The clock's offset to the store is for signing only."""

    transport: Transport
    place: Place
    credentials: CredentialsFile
    clock: Clock
    knowledge: Knowledge = field(default_factory=Knowledge)

    @property
    def known(self) -> Capabilities:
        """What is known of the store now."""
        return self.knowledge.known

    def call(
        self,
        method: str,
        key: str = "",
        query: Mapping[str, str] = NONE,
        headers: Mapping[str, str] = NONE,
        body: bytes = b"",
    ) -> Answer:
        """Send a small request that is safe to repeat; return what it answers."""
        request = Request(method, key, query, headers, sha256(body))
        return again(lambda: self.once(request, body))

    def once(
        self,
        request: Request,
        body: bytes | Outgoing = b"",
        deadline_s: float | None = None,
    ) -> Answer:
        """Send a request once; in the store's time if it forbids ours."""

        def ask() -> Answer:
            target, signed = self._signed(request)
            return self.transport.call(
                request.method, target, signed, body, deadline_s=deadline_s
            )

        answer = self._in_their_time(ask)
        if wordless(answer):
            if request.method != "HEAD":
                raise stranger(answer, self.place.endpoint)
            self.visit()  # which is answered in words, if by a store
        return answer

    def post(
        self,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str] = NONE,
        body: bytes = b"",
        deadline_s: float | None = None,
    ) -> Answer:
        """Send what must not be repeated blindly."""
        request = Request("POST", key, query, headers, sha256(body))
        return self.once(request, body, deadline_s)

    @contextmanager
    def read(
        self, key: str, headers: Mapping[str, str], moved: Moved, offset: int = 0
    ) -> Iterator[Incoming]:
        """Fetch an object from `offset`, within the block."""
        request = Request("GET", key, headers=headers)
        target, signed = self._signed(request)
        with self.transport.read(target, signed, moved, offset) as got:
            if not self._drifted(got.answer):
                if wordless(got.answer):
                    raise stranger(got.answer, self.place.endpoint)
                yield got
                return
        target, signed = self._signed(request)
        with self.transport.read(target, signed, moved, offset) as got:
            yield got

    def visit(self, prefix: str = "") -> None:
        """Ask for the bucket and nothing of it; raise unless it will have us."""
        query = {"list-type": "2", "max-keys": "1", "prefix": prefix}
        answer = welcome(self.once(Request("GET", "", query)), "listing the bucket")
        if not is_called(answer.body, "ListBucketResult"):
            raise Portal(f"{self.place.endpoint}: what answers there is no store")

    def now(self) -> datetime:
        """Return the store's time, as far as it is known."""
        ours = self.clock.now().utc
        try:
            return ours + timedelta(milliseconds=self.known.clock_offset_ms or 0)
        except OverflowError:
            return ours

    def _signed(self, request: Request) -> tuple[str, dict[str, str]]:
        place = self.place
        signer = Signer(self.credentials.get(), place.region)
        try:
            request.key.encode()
        except UnicodeError as error:
            raise Refused(f"{request.key!r} cannot be a key: {error}") from error
        try:
            target = url(place.endpoint, place.bucket, request.key, request.query)
            return target, signer.headers(
                request.method, target, request.headers, request.payload, self.now()
            )
        except ValueError as error:
            raise Barred(f"the endpoint cannot be one: {error}") from error

    def _in_their_time(self, ask: Callable[[], Answer]) -> Answer:
        answer = ask()
        return ask() if self._drifted(answer) else answer

    def _drifted(self, answer: Answer) -> bool:
        """Take the store's time for signing, if that is why it forbids.

        An answer to HEAD has no words for it, so the times themselves decide.
        """
        code = trouble(answer.body).code
        bad = answer.status == HTTPStatus.BAD_REQUEST and (not code or code in SKEWED)
        if not bad and answer.status != HTTPStatus.FORBIDDEN:
            return False
        try:
            theirs = parsedate_to_datetime(answer.headers.get("date", ""))
        except (ValueError, TypeError, OverflowError):
            return False
        theirs = theirs.replace(tzinfo=UTC)  # HTTP's dates are, whatever they say
        if abs(theirs - self.now()) < DRIFT or theirs.year not in SANE:
            return False
        offset = theirs - self.clock.now().utc
        self.knowledge.learn(clock_offset_ms=offset // timedelta(milliseconds=1))
        return True


def sha256(body: bytes) -> Digest:
    """Return the digest of a small body."""
    return Digest(hashlib.sha256(body).hexdigest())
