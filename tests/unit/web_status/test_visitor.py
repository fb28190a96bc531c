from pathlib import Path

import pytest

from dock_agent.config import Config
from support.boards import station
from web_status.visitor import is_local

BASE = Path("/srv/station")
DIRECT = station(BASE)
PORT = 'listen = "127.0.0.1:8480"\n'
HERE = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost"}


@pytest.mark.parametrize(
    "environ",
    [
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8480"},
        {"REMOTE_ADDR": "127.3.2.1", "HTTP_HOST": "localhost"},
        {"REMOTE_ADDR": "::1", "HTTP_HOST": "[::1]:8480"},
        HERE | {"SERVER_PROTOCOL": "HTTP/1.1"},
    ],
)
def test_somebody_at_the_station_is_local(environ: dict[str, str]) -> None:
    assert is_local(environ, DIRECT)


@pytest.mark.parametrize(
    "environ",
    [
        {"REMOTE_ADDR": "192.0.2.7", "HTTP_HOST": "127.0.0.1"},
        {"REMOTE_ADDR": "2001:db8::7", "HTTP_HOST": "localhost"},
        {"REMOTE_ADDR": "", "HTTP_HOST": "localhost"},
        {"HTTP_HOST": "localhost"},
        {"REMOTE_ADDR": "localhost", "HTTP_HOST": "localhost"},  # a unix socket
    ],
)
def test_anybody_else_is_not(environ: dict[str, str]) -> None:
    assert not is_local(environ, DIRECT)


@pytest.mark.parametrize(
    "mark",
    ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA"],
)
def test_what_a_proxy_passed_on_is_not_local_whatever_it_says(mark: str) -> None:
    assert not is_local(HERE | {mark: "127.0.0.1"}, DIRECT)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8480", "[", ""])
def test_a_browser_tricked_by_another_hosts_name_is_not_local(host: str) -> None:
    assert not is_local(HERE | {"HTTP_HOST": host}, DIRECT)


@pytest.mark.parametrize(
    "config",
    [
        station(BASE, web=f"{PORT}behind_proxy = true"),
        station(BASE, web='listen = "unix:/run/dock-web/page.sock"'),
    ],
    ids=["port", "socket"],
)
def test_where_a_proxy_stands_in_front_nobody_is_local(config: Config) -> None:
    assert not is_local(HERE, config)


def test_http_of_the_kind_that_only_proxies_speak_is_not_local() -> None:
    assert not is_local(HERE | {"SERVER_PROTOCOL": "HTTP/1.0"}, DIRECT)
