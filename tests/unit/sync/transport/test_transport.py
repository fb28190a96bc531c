"""HTTP as every destination has it, against servers that have a bad day."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dock_agent.errors import Barred, Busy, FixityError, Portal, Unreachable
from dock_agent.sync.content import PIECE, FileContent
from dock_agent.sync.transport.client import CAP, Answer, Outgoing, Transport
from dock_agent.sync.transport.wire import (
    LEAST,
    SOCKET_OPTIONS,
    Deadline,
    Sockets,
    paced,
)
from support.answering import SILENT, Asked, Said, server
from support.sending import Hearing, Interrupted

HTML = {"content-type": "text/html"}


@pytest.fixture
def transport() -> Iterator[Transport]:
    with closing(Transport()) as made:
        yield made


def file_of(folder: Path, size: int) -> FileContent:
    path = folder / "file"
    path.write_bytes(bytes(size))
    return FileContent(path)


@contextmanager
def talking(talk: Callable[[socket.socket], None]) -> Iterator[str]:
    """Let `talk` have each connection; yield the URL; end when it does."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    talk(connection)
                except OSError:
                    continue  # whoever asked hung up

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def test_an_answer_is_told_whole(transport: Transport) -> None:
    with server(lambda _: Said(404, {"X-Note": "n"}, b"body")) as url:
        told = transport.call("GET", url, {})

    assert (told.status, told.body, told.headers["x-note"]) == (404, b"body", "n")
    assert not told.good


@pytest.mark.parametrize("size", [0, 1, PIECE, 3 * PIECE + 7])
def test_a_body_arrives_as_it_is_and_is_told_of_before_it_goes(
    transport: Transport, tmp_path: Path, size: int
) -> None:
    asked: list[Asked] = []
    hearing = Hearing()

    def answer(request: Asked) -> Said:
        asked.append(request)
        return Said(200)

    with server(answer) as url:
        body = Outgoing(file_of(tmp_path, size), 0, size, hearing)
        transport.call("PUT", url, {}, body)

    assert [len(request.body) for request in asked] == [size]
    assert asked[0].headers["content-length"] == str(size)
    assert "transfer-encoding" not in asked[0].headers
    assert hearing.total == size
    assert max(hearing.counts, default=0) <= PIECE


def test_a_part_of_a_file_is_sent_and_no_more(
    transport: Transport, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    asked: list[bytes] = []

    def answer(request: Asked) -> Said:
        asked.append(request.body)
        return Said(200)

    with server(answer) as url:
        transport.call("PUT", url, {}, Outgoing(FileContent(path), 3, 4))

    assert asked == [b"3456"]


def test_what_hears_of_the_bytes_ends_the_sending(
    transport: Transport, tmp_path: Path
) -> None:
    content = file_of(tmp_path, 3 * PIECE)

    with server(lambda _: Said(200)) as url, pytest.raises(Interrupted):
        transport.call("PUT", url, {}, Outgoing(content, 0, 3 * PIECE, Hearing(most=1)))


@pytest.mark.parametrize("claimed", [PIECE - 1, PIECE + 1])
def test_a_file_that_is_not_as_long_as_it_was_is_our_own_fault(
    transport: Transport, claimed: int
) -> None:
    class Whole:
        def blocks(self, offset: int, length: int) -> Iterator[bytes]:
            del offset, length
            yield bytes(PIECE)

    with server(lambda _: Said(200)) as url, pytest.raises(FixityError):
        transport.call("PUT", url, {}, Outgoing(Whole(), 0, claimed))


def test_an_empty_file_is_looked_at_before_anybody_is_asked(
    transport: Transport, tmp_path: Path
) -> None:
    """Else the server would have all of it before we saw that it is gone."""
    gone = Outgoing(FileContent(tmp_path / "nowhere"), 0, 0)

    with pytest.raises(FixityError):
        transport.call("PUT", "http://nobody.invalid", {}, gone)


def test_pieces_are_small_on_a_slow_link_and_large_on_a_fast_one() -> None:
    times = iter(x for n in range(40) for x in (n, n + 0.001))
    fast = [len(piece) for piece in paced([bytes(PIECE)] * 8, lambda: next(times))]
    slow_times = iter(x for n in range(400) for x in (n, n + 0.9))
    slow = [len(piece) for piece in paced([bytes(PIECE)], lambda: next(slow_times))]

    assert fast[0] == LEAST
    assert fast[-1] == PIECE
    assert set(slow) == {LEAST}
    assert (sum(fast), sum(slow)) == (8 * PIECE, PIECE)


def test_sockets_hold_little_back_and_notice_silence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        wire = Sockets(Deadline())
        stream = wire.connect_tcp(*listening.getsockname())
        connected = stream.get_extra_info("socket")

        for level, option, value in SOCKET_OPTIONS:
            assert connected.getsockopt(level, option) == value
        stream.close()

    assert (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, 64 << 10) in SOCKET_OPTIONS
    assert (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000) in SOCKET_OPTIONS


def test_bytes_are_told_of_as_they_arrive(transport: Transport) -> None:
    hearing, more = Hearing(), threading.Event()

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc")
        more.wait(10)
        connection.sendall(b"def")

    with talking(talk) as url, transport.read(url, {}, hearing) as got:
        assert next(got.pieces) == b"abc"
        assert hearing.total == 3  # though the rest has not come
        more.set()
        assert b"".join(got.pieces) == b"def"
    assert hearing.counts == [3, 3]


def test_a_body_is_read_from_where_it_was_left(transport: Transport) -> None:
    asked: list[str | None] = []

    def answer(request: Asked) -> Said:
        asked.append(request.headers.get("range"))
        if "range" not in request.headers:
            return Said(200, {}, b"0123456789")
        return Said(206, {"content-range": "bytes 4-9/10"}, b"456789")

    with server(answer) as url:
        with transport.read(url, {}, Hearing()) as got:
            assert (got.offset, b"".join(got.pieces)) == (0, b"0123456789")
        with transport.read(url, {}, Hearing(), offset=4) as got:
            assert (got.offset, b"".join(got.pieces)) == (4, b"456789")

    assert asked == [None, "bytes=4-"]


def test_a_server_that_knows_no_ranges_begins_at_the_begin(
    transport: Transport,
) -> None:
    with (
        server(lambda _: Said(200, {}, b"0123456789")) as url,
        transport.read(url, {}, Hearing(), offset=4) as got,
    ):
        assert got.offset == 0


def test_a_bad_answer_to_reading_has_its_words(transport: Transport) -> None:
    with (
        server(lambda _: Said(404, {}, b"why")) as url,
        transport.read(url, {}, Hearing()) as got,
    ):
        assert got.answer == Answer(404, got.answer.headers, b"why")


def test_a_body_that_is_cut_is_not_whole(transport: Transport) -> None:
    with (
        server(lambda _: Said(200, {}, b"012", length=10)) as url,
        pytest.raises(Unreachable),
        transport.read(url, {}, Hearing()) as got,
    ):
        assert b"".join(got.pieces) == b"never whole"


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nx-a: ", b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n"],
)
def test_a_small_answer_that_drips_ends_at_its_deadline(head: bytes) -> None:
    pause = threading.Event()

    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)
        while not pause.wait(0.05):
            connection.sendall(b"x")

    with talking(talk) as url, closing(Transport(deadline_s=0.4)) as transport:
        with pytest.raises(Unreachable, match=r"took too long|in time"):
            transport.call("GET", url, {})
        pause.set()


def test_a_deadline_that_is_over_is_no_strange_timeout() -> None:
    times = iter(range(0, 10_000, 100))

    with (
        server(lambda _: Said(200)) as url,
        closing(Transport(deadline_s=1.0, monotonic=lambda: next(times))) as transport,
        pytest.raises(Unreachable, match="took too long"),
    ):
        transport.call("GET", url, {})


def test_a_deadline_begins_when_all_is_sent(tmp_path: Path) -> None:
    """A slow sending is no slow answer."""
    now = [0.0]

    def slow(count: int) -> None:
        now[0] += 50.0 * count / PIECE

    with (
        server(lambda _: Said(200)) as url,
        closing(Transport(deadline_s=60.0, monotonic=lambda: now[0])) as transport,
    ):
        body = Outgoing(file_of(tmp_path, 4 * PIECE), 0, 4 * PIECE, slow)

        assert transport.call("PUT", url, {}, body).good
    assert now[0] >= 200.0


def test_a_body_that_is_read_may_take_for_ever() -> None:
    now = [0.0]

    def slow(count: int) -> None:
        now[0] += 1000.0 * count

    with (
        server(lambda _: Said(200, {}, bytes(1 << 20))) as url,
        closing(Transport(monotonic=lambda: now[0])) as transport,
        transport.read(url, {}, slow) as got,
    ):
        assert sum(map(len, got.pieces)) == 1 << 20


def test_an_answer_without_an_end_is_not_swallowed(transport: Transport) -> None:
    with (
        server(lambda _: Said(200, {}, bytes(CAP + 1), length=SILENT)) as url,
        pytest.raises(Unreachable, match="without an end"),
    ):
        transport.call("GET", url, {})


@pytest.mark.parametrize(
    "page",
    [
        Said(200, HTML, b"<html>"),
        Said(302, {"location": "http://portal.example"}),
        Said(307),
        Said(407),
        Said(511),
    ],
)
def test_a_portal_is_told_from_a_server(transport: Transport, page: Said) -> None:
    with server(lambda _: page) as url:
        with pytest.raises(Portal):
            transport.call("GET", url, {})
        with pytest.raises(Portal), transport.read(url, {}, Hearing()):
            pass


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_says_when_to_come_back(
    transport: Transport, status: int
) -> None:
    with (
        server(lambda _: Said(status, {"retry-after": "9"})) as url,
        pytest.raises(Busy) as told,
    ):
        transport.call("GET", url, {})

    assert told.value.wait_s == 9.0


def test_what_is_safe_to_repeat_is_repeated_and_nothing_else(
    transport: Transport,
) -> None:
    asked: list[str] = []

    def answer(request: Asked) -> Said:
        asked.append(request.method)
        return Said(500) if len(asked) < 3 else Said(200)

    with server(answer) as url:
        assert transport.call("PUT", url, {}).status == 500
        assert transport.call_again("GET", url, {}).status == 200

    assert asked == ["PUT", "GET", "GET"]


@pytest.mark.parametrize("status", [500, 404])
def test_what_does_not_change_is_told_in_the_end(
    transport: Transport, status: int
) -> None:
    with server(lambda _: Said(status)) as url:
        assert transport.call_again("GET", url, {}).status == status


def test_no_redirect_is_followed_and_no_packed_form_asked_for(
    transport: Transport,
) -> None:
    asked: list[Asked] = []

    def answer(request: Asked) -> Said:
        asked.append(request)
        return Said(301, {"location": "/elsewhere"})

    with server(answer) as url, pytest.raises(Portal):
        transport.call("GET", url, {})

    assert [request.path for request in asked] == ["/"]
    assert asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "path", ["/x//a//b", "/a/../b", "/a/./b", "/%2F%41", "/a?b=~%2B"]
)
def test_a_path_is_asked_for_as_it_is_written(transport: Transport, path: str) -> None:
    asked: list[str] = []

    def answer(request: Asked) -> Said:
        asked.append(request.path)
        return Said(200)

    with server(answer) as url:
        transport.call("GET", url + path, {})

    assert asked == [path]


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("ftp://x", {}),
        ("nonsense", {}),
        ("http://x:99999", {}),
        ("http://a..b", {}),
        ("http://127.0.0.1:99999", {}),
        ("http://me:sesame@127.0.0.1:9", {}),
    ],
)
def test_what_cannot_be_asked_bars_the_place_and_shows_no_secret(
    transport: Transport, url: str, headers: dict[str, str]
) -> None:
    with pytest.raises(Barred) as told:
        transport.call("GET", url, headers)
    with pytest.raises(Barred), transport.read(url, headers, Hearing()):
        pass

    assert "sesame" not in str(told.value)


@pytest.mark.parametrize("value", ["sesame\u00fc", "sesame\n", "\x00sesame"])
def test_a_header_that_cannot_be_sent_bars_the_place_and_is_not_shown(
    transport: Transport, value: str
) -> None:
    with server(lambda _: Said(200)) as url, pytest.raises(Barred) as told:
        transport.call("GET", url, {"x-a": value})

    assert "sesame" not in str(told.value)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 999999 OK\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\x00\xff" * 100,
        b"",
    ],
)
def test_whatever_is_no_answer_is_silence(transport: Transport, head: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(head)

    with talking(talk) as url, pytest.raises(Unreachable):
        transport.call("GET", url, {})


def test_headers_of_any_bytes_are_no_crash(transport: Transport) -> None:
    def talk(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nx-a: \xff\xfe\r\ncontent-length: 0\r\n\r\n"
        )

    with talking(talk) as url:
        assert transport.call("GET", url, {}).good


def test_an_authority_that_is_not_there_bars_until_it_is(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    with server(lambda _: Said(200)) as url, closing(Transport(ca_file)) as transport:
        with pytest.raises(Barred, match="certificate authority"):
            transport.call("GET", url, {})
        ca_file.write_bytes(Path("/etc/ssl/certs/ca-certificates.crt").read_bytes())

        assert transport.call("GET", url, {}).good
