"""A server that falls silent, wherever: what is raised, in which words, and in time."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pytest

from dock_agent.clock import SystemClock
from dock_agent.errors import Unreachable
from dock_agent.sync.content import PIECE, FileContent, unheard
from dock_agent.sync.stall import Stall
from dock_agent.sync.transport.client import Outgoing, Transport
from dock_agent.sync.transport.wire import Patience

LONG_S = 30.0  # what must not be waited for
SHORT_S = 0.3
SLACK_S = 8.0  # a busy machine is no fault
ASKED = 64 << 10  # bytes: more than any request without a body
BIG = 64 * PIECE  # bytes: more than a socket holds
HEAD = b"HTTP/1.1 200 OK\r\n"
LENGTH = HEAD + b"content-length: 10\r\n\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
IN_TIME = r"^127\.0\.0\.1:\d+: (it did not answer in time|the answer took too long)$"

Talk = Callable[[socket.socket], object]


@contextmanager
def silent_after(talk: Talk) -> Iterator[str]:
    """Let `talk` have the first connection, then hold it open; yield its host."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(LONG_S)

        def serve() -> None:
            try:
                connection, _ = listening.accept()
                with connection:
                    connection.settimeout(LONG_S)
                    talk(connection)
                    over.wait(LONG_S)
            except OSError:
                return  # nobody asked, or who did hung up

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            thread.join(LONG_S)


@contextmanager
def never_accepting() -> Iterator[str]:
    """Yield a host whose queue of connections is full: the kernel drops the next."""
    with ExitStack() as held:
        listening = held.enter_context(socket.create_server(("127.0.0.1", 0)))
        listening.listen(0)
        for _ in range(4):
            waiting = held.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listening.getsockname())
        yield f"127.0.0.1:{listening.getsockname()[1]}"


def says(*pieces: bytes) -> Talk:
    """Hear the request, and say no more than this."""

    def talk(connection: socket.socket) -> None:
        connection.recv(ASKED)
        for piece in pieces:
            connection.sendall(piece)

    return talk


def hears_nothing(connection: socket.socket) -> None:
    del connection


@dataclass
class Timer:
    """How long the block took; it must end in time, and not at once."""

    least_s: float
    seconds: float = 0.0

    def __enter__(self) -> Self:
        self.seconds = -time.monotonic()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds += time.monotonic()
        assert self.least_s * 0.9 <= self.seconds <= self.least_s + SLACK_S


def patient(**short: float) -> Patience:
    """Return a patience that is long but for what is named."""
    long = dict.fromkeys(
        ("connect_s", "write_s", "read_s", "pool_s", "begin_s"), LONG_S
    )
    return Patience(**{**long, **short})


PHASES: dict[str, Talk] = {
    "accepts and is silent": hears_nothing,
    "silent after the request": says(),
    "silent in the head": says(HEAD + b"x-a: "),
    "silent after the head": says(LENGTH),
    "silent in the body": says(LENGTH, b"01234"),
    "silent before a chunk": says(CHUNKED),
    "silent in a chunk": says(CHUNKED, b"a\r\n01234"),
    "silent between chunks": says(CHUNKED, b"5\r\n01234\r\n"),
    "silent before the last chunk ends": says(CHUNKED, b"5\r\n01234\r\n0\r\n"),
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("by", ["its deadline", "a silence"])
def test_a_small_answer_that_does_not_come_whole_ends_in_time(
    phase: str, by: str
) -> None:
    deadline_s = SHORT_S if by == "its deadline" else LONG_S
    patience = patient(read_s=LONG_S if by == "its deadline" else SHORT_S)

    with (
        silent_after(PHASES[phase]) as host,
        closing(Transport(deadline_s=deadline_s, patience=patience)) as transport,
        Timer(SHORT_S),
        pytest.raises(Unreachable, match=IN_TIME) as told,
    ):
        transport.call("GET", f"http://{host}/", {})

    assert type(told.value) is Unreachable


HEADLESS = list(PHASES)[:3]


@pytest.mark.parametrize("phase", HEADLESS)
def test_an_answer_with_a_long_body_begins_in_time(phase: str) -> None:
    with (
        silent_after(PHASES[phase]) as host,
        closing(Transport(patience=patient(begin_s=SHORT_S))) as transport,
        Timer(SHORT_S),
        pytest.raises(Unreachable, match=IN_TIME),
        transport.read(f"http://{host}/", {}, unheard),
    ):
        pass


@pytest.mark.parametrize("phase", [phase for phase in PHASES if phase not in HEADLESS])
def test_a_long_body_that_falls_silent_ends_in_time(phase: str) -> None:
    came: list[int] = []

    with (
        silent_after(PHASES[phase]) as host,
        closing(Transport(patience=patient(read_s=SHORT_S))) as transport,
        Timer(SHORT_S),
        pytest.raises(Unreachable, match=IN_TIME) as told,
        transport.read(f"http://{host}/", {}, came.append) as got,
    ):
        list(got.pieces)

    assert type(told.value) is Unreachable
    assert sum(came) <= 5


@pytest.mark.parametrize("talk", [hears_nothing, says()], ids=["never", "a little"])
def test_a_server_that_reads_no_more_of_what_is_sent_is_given_up_in_time(
    tmp_path: Path, talk: Talk
) -> None:
    body = Outgoing(sparse(tmp_path), 0, BIG)

    with (
        silent_after(talk) as host,
        closing(Transport(patience=patient(write_s=SHORT_S))) as transport,
        Timer(SHORT_S),
        pytest.raises(Unreachable, match=IN_TIME) as told,
    ):
        transport.call("PUT", f"http://{host}/", {}, body)

    assert type(told.value) is Unreachable


def test_a_server_that_hears_all_of_what_is_sent_and_is_silent_is_given_up_in_time(
    tmp_path: Path,
) -> None:
    def talk(connection: socket.socket) -> None:
        left = BIG
        while left > 0:
            left -= len(connection.recv(PIECE))

    body = Outgoing(sparse(tmp_path), 0, BIG)

    with (
        silent_after(talk) as host,
        closing(Transport(deadline_s=SHORT_S, patience=patient())) as transport,
        Timer(SHORT_S),
        pytest.raises(Unreachable, match=IN_TIME),
    ):
        transport.call("PUT", f"http://{host}/", {}, body)


def test_a_connection_that_is_never_taken_is_given_up_in_time() -> None:
    with (
        never_accepting() as host,
        closing(Transport(patience=patient(connect_s=SHORT_S))) as transport,
        Timer(SHORT_S),
        pytest.raises(Unreachable, match=IN_TIME) as told,
    ):
        transport.call("GET", f"http://{host}/", {})

    assert type(told.value) is Unreachable


def test_a_server_that_is_silent_where_tls_begins_is_given_up_in_time() -> None:
    with (
        silent_after(hears_nothing) as host,
        closing(Transport(patience=patient(connect_s=SHORT_S))) as transport,
        Timer(SHORT_S),
        pytest.raises(Unreachable, match=IN_TIME),
    ):
        transport.call("GET", f"https://{host}/", {})


def trickling(connection: socket.socket) -> None:
    """Take a little now and then: no silence is long."""
    while connection.recv(16 << 10):
        threading.Event().wait(0.01)


def dripping(connection: socket.socket) -> None:
    """Send a little now and then."""
    connection.recv(ASKED)
    connection.sendall(HEAD + b"content-length: 1000000\r\n\r\n")
    while True:
        connection.sendall(b"x" * 100)
        threading.Event().wait(0.01)


def test_a_server_that_takes_a_trickle_is_given_up_by_the_guard(tmp_path: Path) -> None:
    content = sparse(tmp_path)

    with (
        silent_after(trickling) as host,
        closing(Transport(patience=patient())) as transport,
        Timer(SHORT_S),
        pytest.raises(Unreachable, match="slower than 104857600 bytes a second"),
    ):
        transport.call(
            "PUT",
            f"http://{host}/",
            {},
            Outgoing(content, 0, BIG, guard(100 << 20)),
        )


def test_a_server_that_sends_a_trickle_is_given_up_by_the_guard() -> None:
    with (
        silent_after(dripping) as host,
        closing(Transport(patience=patient())) as transport,
        Timer(SHORT_S),
        pytest.raises(Unreachable, match="slower than 1048576 bytes a second"),
        transport.read(f"http://{host}/", {}, guard(1 << 20)) as got,
    ):
        list(got.pieces)


def test_what_is_promised_where_nothing_else_is_said() -> None:
    assert Patience() == Patience(10.0, 30.0, 120.0, 60.0, 120.0)


def guard(floor: int) -> Stall:
    """Return what watches from now on."""
    return Stall(SystemClock(), unheard, floor, SHORT_S)


def sparse(folder: Path) -> FileContent:
    """Return a large file of nothing."""
    path = folder / "file"
    with path.open("wb") as out:
        out.truncate(BIG)
    return FileContent(path)
