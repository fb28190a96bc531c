"""Whom a connection is with: a good certificate is believed, any other is told of."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent.errors import Unreachable
from dock_agent.sync.transport.client import Transport
from support.certificates import DAY, Pair, authority, issued

CA, ANOTHER, FORGER = authority(), authority("another"), authority()
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
BAD = {
    "expired": (issued(CA, end=timedelta(hours=-1)), "has expired"),
    "not yet valid": (
        issued(CA, begin=timedelta(hours=1)),
        "not valid yet: this station's clock is wrong",
    ),
    "another address": (issued(CA, "127.0.0.2"), "for another address"),
    "another host": (issued(CA, "other.example"), "for another"),
    "self-signed": (issued(None), "self-signed: is somebody in between"),
    "unknown authority": (issued(ANOTHER), "authority is unknown: is somebody"),
    "forged": (issued(FORGER), "not signed by whom it names: is somebody"),
    "long expired": (issued(CA, begin=-9 * DAY, end=-8 * DAY), "has expired"),
}


@contextmanager
def secured(pair: Pair | None, folder: Path) -> Iterator[str]:
    """Answer over TLS with that certificate, or in the clear without; yield the URL."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if pair is not None:
        context.load_cert_chain(pair.write(folder / "server.pem"))
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    if pair is not None:
                        with context.wrap_socket(connection, server_side=True) as safe:
                            safe.recv(65536)
                            safe.sendall(ANSWER)
                    else:
                        connection.recv(65536)
                        connection.sendall(ANSWER)
                except OSError:
                    continue  # it did not believe us

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listening.getsockname()[1]}/"
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def test_an_authority_that_is_named_is_trusted(tmp_path: Path) -> None:
    ca_file = CA.write(tmp_path / "ca.pem")

    with secured(issued(CA), tmp_path) as url, closing(Transport(ca_file)) as transport:
        assert transport.call("GET", url, {}).body == b"ok"


@pytest.mark.parametrize("case", BAD)
def test_a_certificate_that_is_not_good_is_told_of_in_words(
    tmp_path: Path, case: str
) -> None:
    pair, words = BAD[case]
    ca_file = CA.write(tmp_path / "ca.pem")

    with (
        secured(pair, tmp_path) as url,
        closing(Transport(ca_file)) as transport,
        pytest.raises(Unreachable, match=words) as told,
    ):
        transport.call("GET", url, {})

    assert told.type is Unreachable


def test_an_authority_that_is_not_named_is_not_trusted(tmp_path: Path) -> None:
    with (
        secured(issued(CA), tmp_path) as url,
        closing(Transport()) as transport,
        pytest.raises(Unreachable, match="authority is unknown"),
    ):
        transport.call("GET", url, {})


def test_a_portal_that_speaks_no_tls_is_told_of_in_words(tmp_path: Path) -> None:
    with (
        secured(None, tmp_path) as url,
        closing(Transport()) as transport,
        pytest.raises(Unreachable, match="speaks no TLS: a portal"),
    ):
        transport.call("GET", url, {})


def test_a_drip_over_tls_ends_at_its_deadline_too(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued(CA).write(tmp_path / "server.pem"))
    ca_file, over = CA.write(tmp_path / "ca.pem"), threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listening.accept()
        try:
            with context.wrap_socket(connection, server_side=True) as safe:
                safe.recv(65536)
                safe.sendall(b"HTTP/1.1 200 OK\r\nx-a: ")
                while not over.wait(0.05):
                    safe.sendall(b"x")
        except OSError:
            return

    thread = threading.Thread(target=drip)
    thread.start()
    url = f"https://127.0.0.1:{listening.getsockname()[1]}/"
    with (
        closing(Transport(ca_file, deadline_s=0.4)) as transport,
        pytest.raises(Unreachable, match=r"took too long|in time"),
    ):
        transport.call("GET", url, {})

    over.set()
    listening.close()
    thread.join()
