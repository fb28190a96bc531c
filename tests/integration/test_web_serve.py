import http.client
import socket
from contextlib import closing
from pathlib import Path

import pytest

from dock_agent.errors import ConfigError
from support.boards import station
from web_status.serve import serve


def get(port: int, path: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as conn:
        conn.request("GET", path)
        return conn.getresponse().status


def test_the_page_is_served_where_it_says_until_it_is_closed(tmp_path: Path) -> None:
    serving = serve(station(tmp_path))
    assert serving.port is not None

    answered = get(serving.port, "/")
    serving.close()

    assert answered == 200
    assert serving.where == f"http://127.0.0.1:{serving.port}/"
    with pytest.raises(ConnectionRefusedError):
        get(serving.port, "/")


def test_the_page_is_served_on_a_unix_socket_to_people_at_the_station(
    tmp_path: Path,
) -> None:
    serving = serve(station(tmp_path, web='listen = "unix:web.sock"'))
    with closing(socket.socket(socket.AF_UNIX)) as conn:
        conn.settimeout(10)
        conn.connect(str(tmp_path / "web.sock"))
        conn.sendall(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = conn.recv(64)

    serving.close()

    assert answer.startswith(b"HTTP/1.0 200 ")
    assert serving.port is None


def test_idle_and_half_open_connections_hold_nobody_up(tmp_path: Path) -> None:
    serving = serve(station(tmp_path))
    assert serving.port is not None
    waiting = [
        socket.create_connection(("127.0.0.1", serving.port)) for _ in range(200)
    ]
    for conn in waiting[:100]:
        conn.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")

    answered = get(serving.port, "/")

    for conn in waiting:
        conn.close()
    serving.close()
    assert answered == 200


@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1:x", "192.0.2.1:80", ":"])
def test_an_address_that_cannot_be_had_is_a_sentence(
    tmp_path: Path, listen: str
) -> None:
    with pytest.raises(ConfigError, match=r"\[web\] listen"):
        serve(station(tmp_path, web=f'listen = "{listen}"'))
