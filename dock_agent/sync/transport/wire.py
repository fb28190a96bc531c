"""What lies beneath HTTP: sockets that keep a deadline, bodies in fitting pieces.

A time-out per read bounds silence, not an answer that drips. httpx knows no more than
that, so its lower half, httpcore, is given sockets that do.
"""

import fcntl
import select
import socket
import sys
import termios
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

import httpcore

from dock_agent.errors import Unreachable
from dock_agent.sync.content import Moved

SOCKET_OPTIONS = [
    # The kernel holds back no more than this: progress and time-outs stay truthful.
    (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 64 << 10),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),  # milliseconds
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20),  # seconds
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]
LOOK_MS = 5  # between two looks whether all was acknowledged
LEAST, MOST = 64 << 10, 1 << 20  # bytes handed on at a time
SOON, LATE = 0.05, 0.5  # seconds that one may take: the next is longer, or shorter

Monotonic = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds each silence may last; the body of an answer has no other end.

    Until a connection stands, and again until TLS does; until a piece is taken; until
    more of an answer comes; until a connection is free. `begin_s` is for the whole
    head of an answer whose body may take for ever, also if it drips.
    """

    connect_s: float = 10.0
    write_s: float = 30.0
    read_s: float = 120.0
    pool_s: float = 60.0
    begin_s: float = 120.0

    def silences(self) -> dict[str, float]:
        """Return them as httpx names them."""
        return {
            "connect": self.connect_s,
            "write": self.write_s,
            "read": self.read_s,
            "pool": self.pool_s,
        }


PATIENCE = Patience()
_ends_at: ContextVar[float | None] = ContextVar("_ends_at", default=None)
_taken: ContextVar[Callable[[], None] | None] = ContextVar("_taken", default=None)


class Deadline:
    """Until when what this thread reads must have come; one call at a time sets it."""

    def __init__(self, monotonic: Monotonic = time.monotonic) -> None:
        self._monotonic = monotonic

    def begin(self, seconds: float, taken: Callable[[], None] | None = None) -> None:
        """Let it end so many seconds from now.

        `taken` is called before that, once all that was written is acknowledged.
        """
        _ends_at.set(self._monotonic() + seconds)
        _taken.set(taken)

    def lift(self) -> None:
        """Let it never end."""
        _ends_at.set(None)
        _taken.set(None)

    def to_tell(self) -> Callable[[], None] | None:
        """Return who waits for the acknowledgement, once."""
        tell = _taken.get()
        _taken.set(None)
        return tell

    def left(self) -> float | None:
        """Return the seconds that are left; None without a deadline."""
        ends_at = _ends_at.get()
        return None if ends_at is None else ends_at - self._monotonic()


def unacknowledged(sock: socket.socket) -> int:
    """Return how many bytes the other side has not acknowledged (SIOCOUTQ, tcp(7))."""
    found = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
    return int.from_bytes(found, sys.byteorder)


class Sockets(httpcore.SyncBackend):
    """Connects as httpcore does; what it connects keeps the deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline

    def connect_tcp(self, *args: Any, **options: Any) -> httpcore.NetworkStream:
        """Connect, with our socket options whatever was asked for."""
        options["socket_options"] = SOCKET_OPTIONS
        return _Punctual(super().connect_tcp(*args, **options), self._deadline)


class _Punctual(httpcore.NetworkStream):
    """A stream whose reads end in time; `in_turn`: it was read after it was written."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._stream, self._deadline = stream, deadline
        self.in_turn = False

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        self.in_turn = True
        self._until_taken()
        left = self._deadline.left()
        if left is None:
            return self._stream.read(max_bytes, timeout)
        if left <= 0:
            raise httpcore.ReadTimeout("the answer took too long")
        return self._stream.read(
            max_bytes, left if timeout is None else min(left, timeout)
        )

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self.in_turn = False
        # httpcore cuts off what went, with each part of it: a view is not copied.
        self._stream.write(cast("bytes", memoryview(buffer)), timeout)

    def _until_taken(self) -> None:
        """Tell whoever waits for it that the other side has all that was written.

        Not if that answers first, hangs up, or lets the deadline pass.
        """
        tell = self._deadline.to_tell()
        if tell is None:
            return
        sock = self._stream.get_extra_info("socket")
        said = select.poll()
        said.register(sock, select.POLLIN)
        while unacknowledged(sock):
            left = self._deadline.left()
            late = left is not None and left <= 0
            if (said.poll(LOOK_MS) and unacknowledged(sock)) or late:
                return
        tell()

    def close(self) -> None:
        self._stream.close()

    def start_tls(self, *args: Any, **options: Any) -> httpcore.NetworkStream:
        return _Punctual(self._stream.start_tls(*args, **options), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class Answered(Protocol):
    """An answer of httpx's, as far as it matters here."""

    @property
    def extensions(self) -> Mapping[str, Any]: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def request(self) -> Any: ...


A = TypeVar("A", bound=Answered)


def in_turn(answer: A) -> A:
    """Return an answer; raise `Unreachable` if it was there before it was asked for.

    It came behind another one, twice perhaps, and lay in h11's buffer. From there on
    every answer of that connection would be taken for the next one's: it is closed.
    """
    stream = answer.extensions.get("network_stream")
    if isinstance(stream, _Punctual) and not stream.in_turn:
        stream.close()
        raise Unreachable("an answer came that belongs to no question")
    if isinstance(stream, _Punctual) and _runs_on(answer):
        stream.close()  # the next question has a connection of its own
    return answer


def _runs_on(answer: Answered) -> bool:
    """Whether it answers HEAD and announces chunks: it can have none (RFC 9112, 6.3).

    Some servers (OpenStack Swift's S3) send their end all the same: it would be read
    as the beginning of the next answer.
    """
    return answer.request.method == "HEAD" and "transfer-encoding" in answer.headers


def paced(blocks: Iterable[bytes], monotonic: Monotonic) -> Iterator[bytes]:
    """Yield the blocks in pieces that take a moment each: few bytes on a slow link."""
    most = LEAST
    for block in blocks:
        at = 0
        while at < len(block):
            piece = block[at : at + most]
            at += len(piece)
            began = monotonic()
            yield piece
            most = _next(most, monotonic() - began)


def told(
    pieces: Iterable[bytes], moved: Moved, monotonic: Monotonic
) -> Iterator[bytes]:
    """Yield the pieces as they come, and tell `moved` of them.

    TLS brings 16 KiB at a time, and whoever hears of them takes longer over it than
    they took to come. So of pieces that come at once more and more are told together:
    the first ones alone, in the end MOST bytes. What was not told yet when a silence
    begins is told with what ends it.
    """
    most, untold, since = 1, 0, monotonic()
    try:
        for piece in pieces:
            untold += len(piece)
            if untold >= most or monotonic() - since > SOON:
                count, untold = untold, 0
                moved(count)
                now = monotonic()
                most, since = _next(most, now - since), now
            yield piece
    except Exception:
        if untold:
            moved(untold)  # they came, whatever came of the rest
        raise
    if untold:
        moved(untold)


def _next(most: int, took: float) -> int:
    if took < SOON:
        return min(most * 2, MOST)
    return max(most // 2, LEAST) if took > LATE else most
