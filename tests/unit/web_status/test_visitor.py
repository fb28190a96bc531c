import pytest

from web_status.visitor import is_local


@pytest.mark.parametrize(
    "environ",
    [
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8480"},
        {"REMOTE_ADDR": "127.3.2.1", "HTTP_HOST": "localhost"},
        {"REMOTE_ADDR": "::1", "HTTP_HOST": "[::1]:8480"},
        {"REMOTE_ADDR": "localhost", "HTTP_HOST": "localhost"},  # a unix socket
    ],
)
def test_somebody_at_the_station_is_local(environ: dict[str, str]) -> None:
    assert is_local(environ)


@pytest.mark.parametrize(
    "environ",
    [
        {"REMOTE_ADDR": "192.0.2.7", "HTTP_HOST": "127.0.0.1"},
        {"REMOTE_ADDR": "2001:db8::7", "HTTP_HOST": "localhost"},
        {"REMOTE_ADDR": "", "HTTP_HOST": "localhost"},
        {"HTTP_HOST": "localhost"},
    ],
)
def test_anybody_else_is_not(environ: dict[str, str]) -> None:
    assert not is_local(environ)


@pytest.mark.parametrize(
    "mark",
    ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA"],
)
def test_what_a_proxy_passed_on_is_not_local_whatever_it_says(mark: str) -> None:
    environ = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost", mark: "127.0.0.1"}

    assert not is_local(environ)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8480", "[", ""])
def test_a_browser_tricked_by_another_hosts_name_is_not_local(host: str) -> None:
    assert not is_local({"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": host})
