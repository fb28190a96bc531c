"""Signed calls to an S3 store, and what its answers mean."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

from dock_agent.clock import Clock
from dock_agent.errors import Refused, Unreachable
from dock_agent.recording import Digest
from dock_agent.sync.credentials import CredentialsFile
from dock_agent.sync.s3_xml import Trouble, trouble
from dock_agent.sync.sigv4 import EMPTY, Signer, url
from dock_agent.sync.transport import Answer, Transport, Window

FULL = frozenset({402, 413, 507})
AGAIN = frozenset({"RequestTimeout", "SlowDown", "InternalError"})
FORBIDDEN = 403
DRIFT = timedelta(minutes=1)  # stores allow fifteen; their Date has whole seconds


@dataclass(slots=True)
class Place:
    """Where a bucket is."""

    endpoint: str
    bucket: str
    region: str


@dataclass(slots=True)
class Client:
    """Signs and sends. The clock's offset to the server is for signing only."""

    transport: Transport
    place: Place
    credentials: CredentialsFile
    clock: Clock
    offset: timedelta = field(default=timedelta())

    def call(
        self,
        method: str,
        key: str,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Send a small request that is safe to repeat; return what it answers."""
        payload = Digest(hashlib.sha256(body).hexdigest())

        def once() -> Answer:
            target, signed = self._signed(method, key, query, headers or {}, payload)
            return self.transport.call_again(method, target, signed, body)

        return self._in_their_time(once)

    def put(
        self,
        key: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        window: Window,
        payload: Digest,
    ) -> Answer:
        """Send a part of a file, once."""

        def once() -> Answer:
            target, signed = self._signed("PUT", key, query, headers, payload)
            return self.transport.call("PUT", target, signed, window)

        return self._in_their_time(once)

    def read(self, key: str) -> Iterator[Answer | memoryview]:
        """Yield the answer to GET, then its body."""
        target, signed = self._signed("GET", key, None, {}, EMPTY)
        return self.transport.read(target, signed)

    def _signed(
        self,
        method: str,
        key: str,
        query: Mapping[str, str] | None,
        headers: Mapping[str, str],
        payload: Digest,
    ) -> tuple[str, dict[str, str]]:
        place = self.place
        target = url(place.endpoint, place.bucket, key, query)
        signer = Signer(self.credentials.get(), place.region)
        at = self.clock.now().utc + self.offset
        try:
            return target, signer.headers(method, target, headers, payload, at)
        except ValueError as error:
            raise Refused(f"endpoint {place.endpoint}: {error}") from error

    def _in_their_time(self, once: Callable[[], Answer]) -> Answer:
        answer = once()
        if answer.status == FORBIDDEN and self._drifted(answer):
            return once()
        return answer

    def _drifted(self, answer: Answer) -> bool:
        """Take the server's time for signing, if that is why it forbids.

        An answer to HEAD has no words for it, so the times themselves decide.
        """
        try:
            theirs = parsedate_to_datetime(answer.headers.get("date", ""))
        except ValueError:
            return False
        offset = theirs.replace(tzinfo=UTC) - self.clock.now().utc  # HTTP's are UTC
        if abs(offset - self.offset) < DRIFT:
            return False
        self.offset = offset
        return True


def expect(answer: Answer, doing: str) -> Answer:
    """Return a good answer; raise what a bad one means, in the server's words."""
    if answer.status < 300:  # noqa: PLR2004  the good ones
        return answer
    told = trouble(answer.body)
    what = _words(doing, answer, told)
    if answer.status in FULL:
        raise Unreachable(f"{what}: the store is full or will not take more")
    if told.code in AGAIN:
        raise Unreachable(what)
    raise Refused(what)


def _words(doing: str, answer: Answer, told: Trouble) -> str:
    reason = f"{told.code} {told.message}".strip() or "no reason given"
    return f"{doing}: {answer.status} {reason}"
