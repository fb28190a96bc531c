"""One end of a connection, read by messages of HTTP/1.1 (RFC 9112) and sent raw."""

import socket
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

MOST = 64 << 10  # bytes read at a time
WITHOUT_BODY = frozenset({204, 304})
END, LINE = b"\r\n\r\n", b"\r\n"


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a request or of an answer, as it came."""

    raw: bytes

    @property
    def method(self) -> str:
        """Return the method, of a request."""
        return self._first[0]

    @property
    def target(self) -> str:
        """Return the path with its query, of a request."""
        return self._first[1]

    @property
    def status(self) -> int:
        """Return the status, of an answer."""
        return int(self._first[1])

    @property
    def is_answer(self) -> bool:
        """Whether it is the head of an answer."""
        return self.raw.startswith(b"HTTP/")

    def get(self, name: str) -> str | None:
        """Return a header, by its name in lower case."""
        lines = self.raw.decode("latin-1").split("\r\n")[1:]
        pairs = (line.partition(":") for line in lines)
        found = {key.strip().lower(): value.strip() for key, _, value in pairs}
        return found.get(name)

    @property
    def _first(self) -> list[str]:
        return self.raw.decode("latin-1").split("\r\n")[0].split(" ")


@dataclass(eq=False)
class Wire:
    """One socket. What is sent goes at once; nothing of it is remembered.

    `came` counts what was read from it. With `most`, no more than that is. `passed`
    hears of each count, and may end it.
    """

    sock: socket.socket
    most: int | None = None
    came: int = 0
    passed: Callable[[int], None] | None = None
    _held: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        if self.sock.family == socket.AF_INET:
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if (
            self.most is not None or self.passed is not None
        ):  # little is on its way when it is cut
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MOST)

    @property
    def closed(self) -> bool:
        """Whether it was closed here."""
        return self.sock.fileno() < 0

    def head(self) -> Head | None:
        """Read a head; None where the other side closed instead."""
        found = self._until(END)
        return Head(found) if found.endswith(END) else None

    def body(self, head: Head, *, bare: bool = False) -> Iterator[bytes]:
        """Yield what follows a head, as it is on the wire; `bare`: nothing does."""
        length = head.get("content-length")
        if bare or (head.is_answer and head.status in WITHOUT_BODY):
            return iter(())
        if head.get("transfer-encoding") is not None:
            return self._chunks()
        if length is None and head.is_answer:
            return iter(self._some, b"")
        return self._exactly(int(length or 0))

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.sock.sendall(data)

    def finish(self) -> None:
        """Send no more, and go on reading: a FIN."""
        self.sock.shutdown(socket.SHUT_WR)

    def hang_up(self) -> None:
        """Wake whoever reads or sends here, in any thread."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def reset(self) -> None:
        """Close it by an RST."""
        with suppress(OSError):
            now = struct.pack("ii", 1, 0)
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
        self.sock.close()

    def close(self) -> None:
        """Close it; what was sent still arrives."""
        self.sock.close()

    def _some(self, most: int = MOST) -> bytes:
        if not self._held:
            return self._recv(most)
        found = bytes(self._held[:most])
        del self._held[:most]
        return found

    def _recv(self, most: int) -> bytes:
        if self.most is not None:
            most = min(most, self.most - self.came)
            if most <= 0:
                raise ConnectionResetError("it is worn out")
        found = self.sock.recv(most)
        self.came += len(found)
        if self.passed is not None:
            self.passed(len(found))
        return found

    def _until(self, mark: bytes) -> bytes:
        while mark not in self._held:
            more = self._recv(MOST)
            if not more:
                return b""
            self._held += more
        end = self._held.index(mark) + len(mark)
        return self._some(end)

    def _exactly(self, length: int) -> Iterator[bytes]:
        while length:
            piece = self._some(min(length, MOST))
            if not piece:
                raise ConnectionResetError("it ended in the middle of a message")
            length -= len(piece)
            yield piece

    def _chunks(self) -> Iterator[bytes]:
        size = 1
        while size:
            line = self._until(LINE)
            yield line
            size = int(line.split(b";")[0], 16)
            yield from self._exactly(size + len(LINE))


def first(pieces: Iterable[bytes], length: int) -> Iterator[bytes]:
    """Yield the first so many bytes, and take no more pieces than that needs."""
    for piece in pieces:
        yield piece[:length]
        length -= len(piece)
        if length <= 0:
            return


def flipped(pieces: Iterable[bytes], at: int) -> Iterator[bytes]:
    """Yield the same bytes, but for one bit of byte `at`, if there are so many."""
    for piece in pieces:
        if 0 <= at < len(piece):
            yield piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1 :]
        else:
            yield piece
        at -= len(piece)
