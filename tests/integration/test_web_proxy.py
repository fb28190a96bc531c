"""The proxy that docs/web.md describes, as it stands there."""

import http.client
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dock_agent.simulated.object_store import free_ports
from support.boards import station
from support.process import wait_until
from web_status.serve import serve

ROOT = Path(__file__).parents[2]
AROUND = """\
user root;
daemon off;
pid {here}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {here}/body;
    proxy_temp_path {here}/proxy;
    fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi;
    scgi_temp_path {here}/scgi;
{server}
}}
"""


def documented(port: int, page: str) -> str:
    """Return the documentation's server, on a port of ours and without TLS."""
    text = (ROOT / "docs/web.md").read_text("utf-8")
    server = re.findall(r"```nginx\n(.*?)```", text, re.DOTALL)[0]
    server = re.sub(r" *ssl_certificate.*\n", "", server)
    server = server.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    return server.replace("http://unix:/run/dock-web/page.sock", page)


@contextmanager
def nginx(here: Path, page: str) -> Iterator[int]:
    """Run it before the page for the length of the block; give its port."""
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("no nginx here: apt install nginx-light")
    (port,) = free_ports(1)
    file = here / "nginx.conf"
    file.write_text(AROUND.format(here=here, server=documented(port, page)), "utf-8")
    command = [program, "-e", str(here / "nginx.log"), "-c", str(file)]
    running = subprocess.Popen(command)
    try:
        wait_until(lambda: answers(port))
        yield port
    finally:
        running.terminate()
        running.wait(30)


def answers(port: int) -> bool:
    try:
        return get(port, "/") > 0
    except ConnectionError:
        return False


def get(port: int, path: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as conn:
        conn.request("GET", path)
        return conn.getresponse().status


@pytest.mark.parametrize(
    "web",
    [
        'listen = "unix:page.sock"',
        'listen = "127.0.0.1:0"',
        'listen = "127.0.0.1:0"\nbehind_proxy = true',
    ],
    ids=["socket", "port", "port with its key"],
)
def test_the_documented_proxy_shows_the_board_and_nothing_but_the_board(
    tmp_path: Path, web: str
) -> None:
    with closing(serve(station(tmp_path, web=web))) as serving:
        unix = f"http://unix:{serving.where}"
        page = unix if serving.port is None else serving.where.rstrip("/")
        with nginx(tmp_path, page) as port:
            seen = {path: get(port, path) for path in ("/", "/it", "/metrics")}

    assert seen == {"/": 200, "/it": 403, "/metrics": 403}
