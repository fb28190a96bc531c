"""Each fault of the proxy does what it says, and the rest passes as it is."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import httpx
import pytest

from support.answering import Asked, Said, server
from support.fault_kinds import CALM, Fault, Kind
from support.fault_proxy import PAGE, FaultProxy, Served, fault_proxy
from support.fault_wire import Head, Wire, first, flipped
from support.process import wait_until

BODY = bytes(range(256)) * 1000
RAW = b"POST /raw HTTP/1.1\r\nHost: echo\r\nContent-Length: 4\r\n\r\nfour"


@dataclass
class Echo:
    """A server that says what it was asked, behind a proxy."""

    proxy: FaultProxy
    heard: list[Asked] = field(default_factory=list)

    def plan(self, *faults: Fault) -> None:
        """Let the first connections have these, and the others none."""
        some = dict(enumerate(faults))
        self.proxy.plan = lambda number: some.get(number, CALM)

    def ask(self, body: bytes = BODY, patience: float = 10.0) -> httpx.Response:
        """Ask on a connection of its own."""
        with self.client(patience) as client:
            return client.post("/echo", content=body)

    def client(self, patience: float = 10.0) -> httpx.Client:
        return httpx.Client(base_url=self.proxy.url, timeout=patience, trust_env=False)

    def raw(self, request: bytes = RAW) -> bytes:
        """Return all that comes back until the connection ends."""
        port = int(self.proxy.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), 10.0) as sock:
            sock.sendall(request)
            return b"".join(iter(lambda: sock.recv(1 << 16), b""))


@pytest.fixture
def echo() -> Iterator[Echo]:
    heard: list[Asked] = []

    def say(asked: Asked) -> Said:
        heard.append(asked)
        return Said(200, {"content-type": "text/plain"}, asked.body)

    with server(say) as url, fault_proxy(int(url.rpartition(":")[2])) as proxy:
        yield Echo(proxy, heard)


def test_a_calm_connection_passes_everything_on_as_it_is(echo: Echo) -> None:
    with echo.client() as client:
        answers = [client.post(f"/{n}", content=BODY) for n in range(3)]

    assert [answer.content for answer in answers] == [BODY] * 3
    assert [asked.path for asked in echo.heard] == ["/0", "/1", "/2"]
    assert echo.proxy.served == [Served("POST", f"/{n}", 200) for n in range(3)]


def test_a_fault_waits_for_its_request(echo: Echo) -> None:
    echo.plan(Fault(Kind.PORTAL, after=2))

    with echo.client() as client:
        answers = [client.post("/", content=b"x").content for _ in range(4)]

    assert answers == [b"x", b"x", PAGE, b"x"]


def test_an_ended_connection_is_closed_between_two_requests(echo: Echo) -> None:
    echo.plan(Fault(Kind.END, after=2))

    came = echo.raw(RAW * 2)

    assert came.count(b"HTTP/1.1 200") == 2
    assert came.endswith(b"four")


def test_nothing_listens_while_it_is_shut(echo: Echo) -> None:
    with echo.proxy.shut(), pytest.raises(httpx.ConnectError):
        echo.ask()

    assert echo.ask().content == BODY


def test_shutting_it_resets_what_was_open(echo: Echo) -> None:
    with echo.client() as client:
        client.post("/", content=b"x")
        with echo.proxy.shut(), pytest.raises(httpx.TransportError):
            client.post("/", content=b"x")


def test_a_hole_says_nothing(echo: Echo) -> None:
    echo.plan(Fault(Kind.HOLE, seconds=60))

    with pytest.raises(httpx.ReadTimeout):
        echo.ask(b"x", patience=0.2)

    assert echo.heard == []


def test_a_hole_is_reset_in_the_end(echo: Echo) -> None:
    echo.plan(Fault(Kind.HOLE, seconds=0.05))

    with pytest.raises(ConnectionResetError):
        echo.raw()


def test_a_request_that_is_cut_reaches_the_server_in_part_only(echo: Echo) -> None:
    echo.plan(Fault(Kind.CUT_ASKING, at=100_000))

    with pytest.raises(httpx.TransportError):
        echo.ask()

    assert echo.heard == []


def test_an_answer_that_is_cut_ends_in_a_reset(echo: Echo) -> None:
    echo.plan(Fault(Kind.CUT, at=30))

    with pytest.raises(ConnectionResetError):
        echo.raw()

    assert len(echo.heard) == 1


def test_a_short_answer_ends_in_order_after_so_many_bytes(echo: Echo) -> None:
    echo.plan(Fault(Kind.SHORT, at=30))

    came = echo.raw()

    assert len(came) == 30
    assert came.startswith(b"HTTP/1.1 200")


def test_what_is_lost_was_served(echo: Echo) -> None:
    echo.plan(Fault(Kind.LOST))

    with pytest.raises(httpx.TransportError):
        echo.ask()

    assert [asked.body for asked in echo.heard] == [BODY]


def test_a_half_closed_connection_takes_the_request_and_says_nothing(
    echo: Echo,
) -> None:
    echo.plan(Fault(Kind.HALF))

    came = echo.raw()

    assert came == b""
    wait_until(lambda: [asked.body for asked in echo.heard] == [b"four"])


def test_a_late_request_is_served_after_the_client_gave_up(echo: Echo) -> None:
    echo.plan(Fault(Kind.LATE, seconds=60))

    with pytest.raises(httpx.TransportError):
        echo.ask(b"first")
    assert echo.ask(b"second").content == b"second"
    echo.proxy.over.set()  # its time has come

    wait_until(lambda: len(echo.heard) == 2)
    assert [asked.body for asked in echo.heard] == [b"second", b"first"]


def test_a_delayed_request_arrives_whole(echo: Echo) -> None:
    echo.plan(Fault(Kind.DELAY, seconds=60))

    with pytest.raises(httpx.ReadTimeout):
        echo.ask(b"x", patience=0.2)
    assert echo.heard == []
    echo.plan(Fault(), Fault(), Fault(Kind.DELAY, seconds=0.05))

    assert echo.ask().content == BODY


def test_a_dripping_answer_comes_byte_by_byte_and_whole(echo: Echo) -> None:
    echo.plan(Fault(Kind.DRIP, at=10, seconds=60))
    port = int(echo.proxy.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), 10.0) as sock:
        sock.sendall(RAW)
        came = sock.recv(1 << 16)
        echo.proxy.over.set()
        rest = b"".join(iter(lambda: sock.recv(1 << 16), b""))

    assert came == b"H"
    assert (came + rest).endswith(b"\r\n\r\nfour")


@pytest.mark.parametrize("kind", [Kind.FLIP, Kind.FLIP_ASKING])
@pytest.mark.parametrize("at", [0, 100_000, len(BODY) - 1])
def test_one_bit_is_another(echo: Echo, kind: Kind, at: int) -> None:
    echo.plan(Fault(kind, at=at))

    came = echo.ask().content

    assert came == BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]
    assert (echo.heard[0].body == BODY) == (kind is Kind.FLIP)


def test_the_same_answer_comes_twice(echo: Echo) -> None:
    echo.plan(Fault(Kind.TWICE))
    port = int(echo.proxy.url.rpartition(":")[2])

    with socket.create_connection(("127.0.0.1", port), 10.0) as sock:
        sock.sendall(RAW)
        wire = Wire(sock)
        heads = []
        for _ in range(2):
            head = wire.head()
            assert head is not None
            heads.append(head.raw)
            assert b"".join(wire.body(head)) == b"four"

    assert heads[0] == heads[1]
    assert len(echo.heard) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
@pytest.mark.parametrize("wait", [None, "700"])
def test_the_proxy_is_busy_in_the_servers_place(
    echo: Echo, status: int, wait: str | None
) -> None:
    echo.plan(Fault(Kind.BUSY, status=status, retry_after=wait))

    answer = echo.ask()

    assert (answer.status_code, answer.headers.get("retry-after")) == (status, wait)
    assert echo.heard == []


def test_a_connection_is_reset_after_so_many_bytes_whatever_they_belong_to(
    echo: Echo,
) -> None:
    most = len(BODY) + 1000  # in the body of the second request
    echo.plan(Fault(most=most))

    with echo.client() as client:
        first_answer = client.post("/echo", content=BODY)
        with pytest.raises(httpx.TransportError):
            client.post("/echo", content=BODY)
    worn_out = echo.proxy.came
    echo.ask()

    assert first_answer.content == BODY
    assert worn_out == most
    assert len(BODY) < echo.proxy.came - most < len(BODY) + 1000  # and its head
    assert [asked.body for asked in echo.heard] == [BODY, BODY]


def test_a_portal_answers_with_a_page(echo: Echo) -> None:
    echo.plan(Fault(Kind.PORTAL))

    answer = echo.ask()

    assert (answer.status_code, answer.content) == (200, PAGE)
    assert answer.headers["content-type"] == "text/html"
    assert echo.heard == []


def test_each_kind_of_fault_is_counted_and_leaves_no_thread_behind() -> None:
    before = threading.active_count()

    def say(asked: Asked) -> Said:
        return Said(200, {}, asked.body)

    with server(say) as url, fault_proxy(int(url.rpartition(":")[2])) as proxy:
        for kind in Kind:
            proxy.plan = lambda _, kind=kind: Fault(kind, seconds=0.01)  # type: ignore[misc]
            with suppress(httpx.TransportError):
                httpx.post(proxy.url, content=b"x", trust_env=False)
        assert set(proxy.played) >= set(Kind)

    wait_until(lambda: threading.active_count() <= before)


def test_a_body_in_chunks_is_passed_on_to_its_end() -> None:
    here, there = socket.socketpair()
    chunks = b"4\r\nfour\r\n0\r\n\r\n"
    with here, there:
        there.sendall(chunks + b"next")
        head = Head(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")

        body = b"".join(Wire(here).body(head))

    assert body == chunks


@pytest.mark.parametrize("length", range(8))
def test_the_first_bytes_are_as_many_as_asked_for(length: int) -> None:
    assert b"".join(first([b"abc", b"de"], length)) == b"abcde"[:length]


def test_a_flip_beyond_the_end_changes_nothing() -> None:
    assert list(flipped([b"abc", b"de"], 5)) == [b"abc", b"de"]
