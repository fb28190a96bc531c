"""HTTP, and nothing of what it means: the only module that knows httpx.

A body is a window of a file, read in small pieces as it is sent: handing httpx
a large `bytes` costs quadratic time. Whoever answers in the server's place is
told apart here: a portal redirects, or returns a page.
"""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from tenacity import (
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
    wait_random_exponential,
)

from dock_agent.errors import FixityError, Refused, Unreachable
from dock_agent.sync.destination import Portal

PIECE = 1 << 20  # bytes read from the disk at a time
CAP = 4 << 20  # bytes: the longest answer S3 gives, 1000 parts, has a tenth of it
TIMEOUTS = httpx.Timeout(10.0, write=30.0, read=120.0, pool=60.0)  # seconds
NOTSENT_LOWAT = 64 << 10  # bytes the kernel may hold back: progress stays truthful
TCP_USER_TIMEOUT_MS = 30_000
SOCKET_OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, NOTSENT_LOWAT),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
]
TRIES = 3  # within one call; longer waits are the row's
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
STORE = "x-amz-request-id"  # every store sends it, and no portal does
INTERCEPTED = frozenset({301, 302, 303, 307, 308, 407, 511})


@dataclass(frozen=True, slots=True)
class Window:
    """`length` bytes of a file from `offset`."""

    path: Path
    offset: int
    length: int

    def blocks(self) -> Iterator[bytes]:
        """Read them; what goes wrong here is not the destination's fault."""
        try:
            yield from self._read()
        except OSError as error:
            raise FixityError(f"{self.path}: {error.strerror}") from error

    def _read(self) -> Iterator[bytes]:
        at, end = self.offset, self.offset + self.length
        fd = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            while at < end:
                block = os.pread(fd, min(PIECE, end - at), at)
                if not block:
                    raise FixityError(f"{self.path} is shorter than it was")
                at += len(block)
                yield block
        finally:
            os.close(fd)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server said. `body` is capped; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Busy(Unreachable):
    """The destination is busy; it is tried again."""


class Transport:
    """One destination's connections."""

    def __init__(self, ca_file: Path | None = None) -> None:
        try:
            verify = httpx.create_ssl_context(
                verify=str(ca_file) if ca_file else True, trust_env=False
            )
        except OSError as error:
            raise Refused(f"certificate authority {ca_file}: {error}") from error
        self._client = httpx.Client(
            transport=httpx.HTTPTransport(
                verify=verify, socket_options=SOCKET_OPTIONS, trust_env=False
            ),
            # A store that compresses would hide how long the object is.
            headers={"accept-encoding": "identity"},
            timeout=TIMEOUTS,
            follow_redirects=False,
            trust_env=False,
        )

    def close(self) -> None:
        self._client.close()

    def call(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes | Window = b"",
    ) -> Answer:
        """Send a request once and return the whole answer.

        Raises `Unreachable` where nobody answered, `Portal` where somebody else
        did, `Busy` where the server asks to come back, `FixityError` where our
        own file ended early.
        """
        with (
            translated(url),
            self._client.stream(
                method,
                url,
                headers={**headers, "content-length": str(_length(body))},
                content=_Stream(body) if isinstance(body, Window) else body,
            ) as got,
        ):
            answer = _answer(got, _capped(got, url))
        check(answer, url)
        return answer

    def call_again(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        """Send a request that is safe to repeat, a few times within seconds."""
        tries = Retrying(
            stop=stop_after_attempt(TRIES),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            retry=retry_if_exception_type(Unreachable),
            reraise=True,
        )
        return tries(self.call, method, url, headers, body)

    def read(
        self, url: str, headers: Mapping[str, str]
    ) -> Iterator[Answer | memoryview]:
        """Yield the answer without its body, then the body block by block."""
        with translated(url), self._client.stream("GET", url, headers=headers) as got:
            answer = _answer(got, b"")
            check(answer, url)
            yield answer
            for block in got.iter_bytes(PIECE):
                yield memoryview(block)


class _Stream(httpx.SyncByteStream):
    """A window of a file as httpx takes a body."""

    def __init__(self, window: Window) -> None:
        self._window = window

    def __iter__(self) -> Iterator[bytes]:
        return self._window.blocks()


def check(answer: Answer, url: str) -> None:
    """Raise `Portal` or `Busy` where the answer is one of those."""
    where = httpx.URL(url).host
    if STORE in answer.headers and answer.status not in BUSY:
        return  # its own word for a wrong region, or evidence that is called a page
    page = answer.headers.get("content-type", "").startswith("text/html")
    if answer.status in INTERCEPTED or (answer.status == 200 and page):  # noqa: PLR2004  OK
        raise Portal(f"{where} answered {answer.status} with somebody else's page")
    if answer.status in BUSY:
        raise Busy(f"{where} is busy ({answer.status})")


def _answer(response: httpx.Response, body: bytes) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, body)


def _capped(response: httpx.Response, url: str) -> bytes:
    held = bytearray()
    for block in response.iter_bytes(PIECE):
        held += block
        if len(held) > CAP:
            raise Unreachable(f"{httpx.URL(url).host}: an answer without an end")
    return bytes(held)


def _length(body: bytes | Window) -> int:
    return body.length if isinstance(body, Window) else len(body)


@contextmanager
def translated(url: str) -> Iterator[None]:
    """Turn what httpx raises into what a destination may raise."""
    try:
        yield
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise Refused(f"{url}: {error}") from error
    except httpx.RequestError as error:
        where = httpx.URL(url).host
        raise Unreachable(f"{where}: {str(error) or type(error).__name__}") from error
