"""A body is told to be taken once the other side has it, and before it answers."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dock_agent.sync.content import FileContent, unheard
from dock_agent.sync.transport.client import Outgoing, Transport
from support.certificates import Pair, authority, issued

CA = authority()
SIZE = 300_000  # bytes: more than a kernel's buffer has at first
FITTING = 40_000  # bytes that our own kernel holds until they are read there
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
EARLY = b"HTTP/1.1 400 No\r\ncontent-length: 2\r\n\r\nno"
PATIENCE = 10.0  # seconds


def all_of(connection: socket.socket) -> bool:
    """Read one request to its end; False where whoever asked hung up."""
    held = b""
    while b"\r\n\r\n" not in held:
        came = connection.recv(65536)
        if not came:
            return False
        held += came
    head, _, body = held.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or 0)
    left = length - len(body)
    while left:
        left -= len(connection.recv(min(left, 65536)))
    return True


@contextmanager
def waiting(pair: Pair | None, folder: Path, taken: threading.Event) -> Iterator[str]:
    """Answer GET at once, and PUT only after `taken`; yield the URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if pair is not None:
        context.load_cert_chain(pair.write(folder / "server.pem"))
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        plain, _ = listening.accept()
        with closing(
            plain if pair is None else context.wrap_socket(plain, server_side=True)
        ) as connection:
            for number in range(2):
                if not all_of(connection) or (number and not taken.wait(PATIENCE)):
                    return
                connection.sendall(ANSWER)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        scheme = "http" if pair is None else "https"
        yield f"{scheme}://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        listening.close()
        thread.join()


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_a_body_is_told_to_be_taken_before_it_is_answered(
    tmp_path: Path, *, secure: bool
) -> None:
    (tmp_path / "file").write_bytes(bytes(SIZE))
    ca_file, taken = CA.write(tmp_path / "ca.pem"), threading.Event()
    body = Outgoing(FileContent(tmp_path / "file"), 0, SIZE, unheard, taken.set)

    with (
        waiting(issued(CA) if secure else None, tmp_path, taken) as url,
        closing(Transport(ca_file)) as transport,
    ):
        transport.call("GET", url, {})
        told = transport.call("PUT", url, {}, body)

    assert told.good
    assert taken.is_set()


def test_a_body_that_is_refused_before_it_was_read_is_not_told_to_be_taken(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").write_bytes(bytes(FITTING))
    taken = threading.Event()
    body = Outgoing(FileContent(tmp_path / "file"), 0, FITTING, unheard, taken.set)
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    over = threading.Event()

    def refuse() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.sendall(EARLY)
            over.wait(PATIENCE)

    thread = threading.Thread(target=refuse)
    thread.start()
    with closing(listening), closing(Transport()) as transport:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        told = transport.call("PUT", url, {}, body)
        over.set()
        thread.join()

    assert told.status == 400
    assert not taken.is_set()
