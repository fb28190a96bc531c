"""HTTP, and nothing of what it means: the only module that knows httpx.

A body is read in small pieces as it is sent: handing httpx a large `bytes` costs
quadratic time. Whoever answers in the destination's place is told apart here: a
portal redirects, or returns a page.
"""

import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpcore
import httpx
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from dock_agent.errors import Barred, Busy, FixityError, Portal, Unreachable
from dock_agent.sync.content import Content, Moved, unheard
from dock_agent.sync.transport import wire
from dock_agent.sync.transport.words import as_written, host_of, reason, wait_s

CAP = 4 << 20  # bytes: the longest answer S3 gives, 1000 parts, has a tenth of it
DEADLINE_S = 60.0  # for a small answer, from the last byte sent to the last received
CONNECTIONS = 64
MOST_PORTS = 65_535
TRIES = 3  # within one call; longer waits are the row's
OK, PARTIAL, REDIRECTS = 200, 206, 300
BUSY = frozenset({429, 503})
PASSING = frozenset({500, 502, 504})  # the next try is answered otherwise, often
UNUSABLE = (httpx.UnsupportedProtocol, httpx.InvalidURL, UnicodeError)
INTERCEPTED = frozenset({301, 302, 303, 307, 308, 407, 511})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """`length` bytes of a content from `offset`, as a body; `moved` hears of them.

    `taken` is called once the other side's kernel has acknowledged all of them, if it
    does before it answers.
    """

    content: Content
    offset: int
    length: int
    moved: Moved = unheard
    taken: Callable[[], None] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said. `body` is capped; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def good(self) -> bool:
        """Whether the status says that it was done."""
        return OK <= self.status < REDIRECTS


@dataclass(frozen=True, slots=True)
class Incoming:
    """An answer whose body is still to come; a bad one has its body already.

    `pieces` are as they arrive. `offset` is where the first of them belongs: 0 where
    the server did not keep to the range that was asked for.
    """

    answer: Answer
    offset: int
    pieces: Iterator[bytes]


Check = Callable[[Answer, str], None]
"""Raises `Portal` or `Unreachable` where somebody else answered in a host's place."""


def suspect(answer: Answer, host: str) -> None:
    """Meet `Check` where nothing more is known of who should have answered."""
    page = answer.headers.get("content-type", "").startswith("text/html")
    if answer.status in INTERCEPTED or (answer.good and page):
        raise Portal(f"{host} answered {answer.status} with somebody else's page")


class Transport:
    """One destination's connections; several threads may share them.

    Every method may raise `Unreachable` where nobody answers in time, `Portal` where
    somebody else does, `Busy` for 429 and 503, `FixityError` where our own file is
    not as long as it was, `Barred` where the URL, a header or `ca_file` cannot be
    used, and whatever `moved` raises. Any other answer is returned.

    `check` tells a portal from the service. `deadline_s` is for small answers, also
    for those that drip.
    """

    def __init__(
        self,
        ca_file: Path | None = None,
        *,
        check: Check = suspect,
        deadline_s: float = DEADLINE_S,
        monotonic: wire.Monotonic = time.monotonic,
        patience: wire.Patience = wire.PATIENCE,
    ) -> None:
        self._ca_file, self._check, self._patience = ca_file, check, patience
        self._deadline_s, self._monotonic = deadline_s, monotonic
        self._deadline = wire.Deadline(monotonic)
        self._client: httpx.Client | None = None
        with suppress(Barred):  # each call says so, until the file is mended
            self._client = self._made()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def call(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Outgoing = b"",
        *,
        deadline_s: float | None = None,
    ) -> Answer:
        """Send a request once and return the whole answer.

        `deadline_s` where this answer may take longer, or less long, than others.
        """
        allowed = self._deadline_s if deadline_s is None else deadline_s
        if isinstance(body, Outgoing):
            headers = {**headers, "content-length": str(body.length)}
        content = self._content(body, allowed)
        with self._asked(method, url, headers, content) as got:
            answer = _answer(got, _capped(got))
        return self._heard(answer, url)

    def call_again(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        """Send a request that is safe to repeat, a few times within seconds."""
        return again(lambda: self.call(method, url, headers, body))

    @contextmanager
    def read(
        self, url: str, headers: Mapping[str, str], moved: Moved, offset: int = 0
    ) -> Iterator[Incoming]:
        """Fetch a body from `offset`, within the block; `moved` hears it come."""
        ranged = {"range": f"bytes={offset}-"} if offset else {}
        content = self._content(b"", self._patience.begin_s)
        with self._asked("GET", url, {**headers, **ranged}, content) as got:
            bad = got.status_code >= REDIRECTS
            answer = self._heard(_answer(got, _capped(got) if bad else b""), url)
            self._deadline.lift()
            begin = offset if answer.status == PARTIAL else 0
            pieces = wire.told(got.iter_raw(), moved, self._monotonic)
            yield Incoming(answer, begin, pieces)

    def _content(self, body: bytes | Outgoing, allowed: float) -> "bytes | _Stream":
        """Return a body as httpx takes it; the answer's time begins with its end."""
        if isinstance(body, Outgoing) and body.length:
            begin = partial(self._deadline.begin, allowed, body.taken)
            return _Stream(body, self._monotonic, begin)
        self._deadline.begin(allowed)
        # Of nothing, the server would have all before we saw that our file is gone.
        if isinstance(body, bytes):
            return body
        return b"".join(body.content.blocks(body.offset, body.length))

    @contextmanager
    def _asked(
        self, method: str, url: str, headers: Mapping[str, str], body: "bytes | _Stream"
    ) -> Iterator[httpx.Response]:
        """Send it and yield the answer's head; raise only what callers may hear."""
        try:
            target = _safe(httpx.URL(url))
            client = self._client = self._client or self._made()
            # As it was signed: httpx would tidy the path.
            exact = {"target": as_written(url) or target.raw_path}
            with client.stream(
                method, target, headers=headers, content=body, extensions=exact
            ) as got:
                yield wire.in_turn(got)
        except httpx.LocalProtocolError:
            # Without its cause: that one quotes the header, and a secret with it.
            raise Barred(f"{host_of(url)}: a header cannot be sent") from None
        except UNUSABLE as error:
            raise Barred(f"{host_of(url)} cannot be asked: {error}") from error
        except httpx.RequestError as error:
            raise Unreachable(f"{host_of(url)}: {reason(error)}") from error
        finally:
            self._deadline.lift()

    def _made(self) -> httpx.Client:
        return httpx.Client(
            transport=_Http(_trusting(self._ca_file), wire.Sockets(self._deadline)),
            # A server that compresses would hide how long the object is.
            headers={"accept-encoding": "identity"},
            timeout=httpx.Timeout(**self._patience.silences()),
            follow_redirects=False,
            trust_env=False,
        )

    def _heard(self, answer: Answer, url: str) -> Answer:
        host = host_of(url)
        if answer.status in BUSY:
            raise Busy(f"{host} is busy ({answer.status})", wait_s(answer.headers))
        self._check(answer, host)
        return answer


def again(once: Callable[[], Answer]) -> Answer:
    """Do what is safe to repeat a few times within seconds, while nobody answers."""
    tries = Retrying(
        stop=stop_after_attempt(TRIES),
        wait=wait_random_exponential(multiplier=0.2, max=2),
        retry=retry_if_exception(lambda error: type(error) is Unreachable)
        | retry_if_result(lambda answer: answer.status in PASSING),
        retry_error_callback=_last,
    )
    return tries(once)


class _Http(httpx.HTTPTransport):
    """httpx's own transport, over sockets of ours."""

    def __init__(self, verify: ssl.SSLContext, sockets: wire.Sockets) -> None:
        super().__init__(verify=verify, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=verify, max_connections=CONNECTIONS, network_backend=sockets
        )


class _Stream(httpx.SyncByteStream):
    """A body in pieces that take a moment each; it says when all is `sent`."""

    def __init__(
        self, body: Outgoing, monotonic: wire.Monotonic, sent: Callable[[], None]
    ) -> None:
        self._body, self._monotonic, self._sent = body, monotonic, sent

    def __iter__(self) -> Iterator[bytes]:
        body, left = self._body, self._body.length
        blocks = body.content.blocks(body.offset, body.length)
        for piece in wire.paced(blocks, self._monotonic):
            left -= len(piece)
            if left < 0:
                break
            body.moved(len(piece))
            yield piece
        if left:
            raise FixityError(f"our own file is not {body.length} bytes long there")
        self._sent()


def _trusting(ca_file: Path | None) -> ssl.SSLContext:
    try:
        if ca_file is None:
            return httpx.create_ssl_context(trust_env=False)
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise Barred(f"certificate authority {ca_file}: {error}") from error


def _answer(response: httpx.Response, body: bytes) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, body)


def _capped(response: httpx.Response) -> bytes:
    held = bytearray()
    for block in response.iter_raw():
        held += block
        if len(held) > CAP:
            raise Unreachable(f"{response.url.host}: an answer without an end")
    return bytes(held)


def _safe(target: httpx.URL) -> httpx.URL:
    if target.userinfo:
        raise Barred(f"{target.host}: no password in a URL: secrets are files")
    if not 0 < (target.port or 1) <= MOST_PORTS:
        raise Barred(f"{target.host}: there is no port {target.port}")
    return target


def _last(state: RetryCallState) -> Answer | None:
    return state.outcome.result() if state.outcome else None
