import http.client
import os
import resource
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from dock_agent.errors import ConfigError
from support.boards import station
from support.programs import command, site
from web_status.serve import serve


def get(port: int, path: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as conn:
        conn.request("GET", path)
        return conn.getresponse().status


def test_the_page_is_served_where_it_says_until_it_is_closed(tmp_path: Path) -> None:
    serving = serve(station(tmp_path))
    assert serving.port is not None

    answered, alive = get(serving.port, "/"), serving.alive
    serving.close()

    assert (answered, alive, serving.alive) == (200, True, False)
    assert serving.where == f"http://127.0.0.1:{serving.port}/"
    with pytest.raises(ConnectionRefusedError):
        get(serving.port, "/")


AT_THE_STATION = ("/it", "/recordings", "/files/1", "/metrics")
SENTENCE = b"Open this page on the station itself; sign-in comes with a later version."


def by_nginx(path: str, host: str) -> bytes:
    """Return what nginx sends without a single proxy_set_header, byte for byte."""
    words = f"GET {path} HTTP/1.0\r\nHost: {host}\r\nConnection: close\r\n"
    return f"{words}User-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n".encode()


def answer(conn: socket.socket, request: bytes) -> bytes:
    """Send it, and return everything that comes back."""
    with conn:
        conn.settimeout(10)
        conn.sendall(request)
        return b"".join(iter(lambda: conn.recv(65536), b""))


@pytest.mark.parametrize("path", AT_THE_STATION)
def test_behind_a_plain_proxy_on_a_unix_socket_nobody_is_at_the_station(
    tmp_path: Path, path: str
) -> None:
    with closing(serve(station(tmp_path, web='listen = "unix:web.sock"'))) as serving:
        conn = socket.socket(socket.AF_UNIX)
        conn.connect(str(tmp_path / "web.sock"))

        got = answer(conn, by_nginx(path, "localhost"))

    assert got.startswith(b"HTTP/1.0 403 ")
    assert SENTENCE in got
    assert serving.port is None


@pytest.mark.parametrize("web", ["", "behind_proxy = true\n"])
@pytest.mark.parametrize("path", AT_THE_STATION)
def test_behind_a_plain_proxy_nobody_is_at_the_station(
    tmp_path: Path, path: str, web: str
) -> None:
    config = station(tmp_path, web=f'{web}listen = "127.0.0.1:0"')
    with closing(serve(config)) as serving:
        conn = socket.create_connection(("127.0.0.1", serving.port or 0))

        got = answer(conn, by_nginx(path, f"127.0.0.1:{serving.port}"))

    assert got.startswith(b"HTTP/1.0 403 ")
    assert SENTENCE in got


@pytest.mark.parametrize(
    "mark", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via"], ids=str
)
def test_what_a_proxy_leaves_in_a_request_is_seen(tmp_path: Path, mark: str) -> None:
    with closing(serve(station(tmp_path))) as serving:
        conn = http.client.HTTPConnection("127.0.0.1", serving.port, timeout=10)
        with closing(conn):
            conn.request("GET", "/metrics", headers={mark: "192.0.2.7"})

            assert conn.getresponse().status == 403


def test_a_proxy_that_speaks_as_a_browser_does_is_told_of_by_its_key(
    tmp_path: Path,
) -> None:
    web = 'behind_proxy = true\nlisten = "127.0.0.1:0"'
    with closing(serve(station(tmp_path, web=web))) as serving:
        assert [get(serving.port or 0, path) for path in ("/", "/metrics")] == [
            200,
            403,
        ]


def test_the_board_is_open_to_everybody_behind_a_proxy(tmp_path: Path) -> None:
    with closing(serve(station(tmp_path, web='listen = "unix:web.sock"'))):
        conn = socket.socket(socket.AF_UNIX)
        conn.connect(str(tmp_path / "web.sock"))

        got = answer(conn, by_nginx("/", "localhost"))

    assert got.startswith(b"HTTP/1.0 200 ")


def test_idle_and_half_open_connections_hold_nobody_up(tmp_path: Path) -> None:
    serving = serve(station(tmp_path))
    assert serving.port is not None
    waiting = half_open(serving.port)

    answered = get(serving.port, "/")

    for conn in waiting:
        conn.close()
    serving.close()
    assert answered == 200


def half_open(port: int) -> list[socket.socket]:
    """Return 200 connections: some are idle, some stopped within their request."""
    waiting = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
    for conn in waiting[:100]:
        conn.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
    return waiting


@pytest.fixture
def many_descriptors() -> Iterator[int]:
    """Open so many files that every further one has a number beyond 1023."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(4096, hard)), hard))
    with ExitStack() as held:
        last = 0
        while last <= 1024:
            last = held.enter_context(Path(os.devnull).open()).fileno()
        yield last
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_process_with_many_open_files_still_serves_the_page(
    tmp_path: Path, many_descriptors: int
) -> None:
    serving = serve(station(tmp_path))
    assert serving.port is not None
    waiting = half_open(serving.port)
    assert min(conn.fileno() for conn in waiting) > many_descriptors > 1023

    answered = [get(serving.port, "/") for _ in range(3)]

    for conn in waiting:
        conn.close()
    serving.close()
    assert answered == [200, 200, 200]


@pytest.mark.parametrize("path", ["no/such/page.sock", "x" * 200, "."])
def test_a_socket_that_cannot_be_made_is_a_sentence(tmp_path: Path, path: str) -> None:
    with pytest.raises(ConfigError, match=r"\[web\] listen"):
        serve(station(tmp_path, web=f'listen = "unix:{path}"'))


def test_a_socket_that_was_left_behind_is_used_again(tmp_path: Path) -> None:
    config = station(tmp_path, web='listen = "unix:web.sock"')
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "web.sock"))

    with closing(serve(config)):
        mode = (tmp_path / "web.sock").stat().st_mode

    assert oct(mode & 0o777) == "0o660"


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT], ids=str)
def test_a_page_that_is_told_to_end_ends_in_order(
    tmp_path: Path, told: signal.Signals
) -> None:
    here = site(tmp_path)
    file = str(here.root / "dock.toml")
    page = subprocess.Popen(
        command("dock-web", "--config", file),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert page.stdout is not None
    assert "status page at" in page.stdout.readline()

    page.send_signal(told)

    _, err = page.communicate(timeout=30)
    assert (page.returncode, err) == (0, "")


@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1:x", "192.0.2.1:80", ":"])
def test_an_address_that_cannot_be_had_is_a_sentence(
    tmp_path: Path, listen: str
) -> None:
    with pytest.raises(ConfigError, match=r"\[web\] listen"):
        serve(station(tmp_path, web=f'listen = "{listen}"'))
