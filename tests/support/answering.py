"""Whoever answers in a destination's place: tiny HTTP servers on loopback."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None  # what it claims; None: the truth; SILENT: nothing
    hangs_up: bool = False  # without a word


@dataclass(frozen=True)
class Asked:
    """One request, its body read."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


SILENT = -1
Answering = Callable[[Asked], Said]


@contextmanager
def server(answer: Answering) -> Iterator[str]:
    """Run a server that answers so; yield its base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _answer(self) -> None:
            length = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            self.close_connection = True
            if len(body) < length:
                return  # whoever asked hung up
            said = answer(Asked(self.command, self.path, headers, body))
            if not said.hangs_up:
                self.close_connection = not _said(self, said)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            """Say nothing of whoever hangs up."""

    with Server(("127.0.0.1", 0), Handler) as httpd:
        httpd.daemon_threads = True
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{httpd.server_address[1]}"
        finally:
            httpd.shutdown()
            thread.join()


def _said(handler: BaseHTTPRequestHandler, said: Said) -> bool:
    """Write an answer; return whether it was all that it claimed to be."""
    handler.send_response_only(said.status)
    for name, value in {"date": formatdate(usegmt=True), **said.headers}.items():
        handler.send_header(name, value)
    claimed = len(said.body) if said.length is None else said.length
    if claimed != SILENT:
        handler.send_header("content-length", str(claimed))
    handler.end_headers()
    if handler.command == "HEAD":
        return True
    handler.wfile.write(said.body)
    return claimed == len(said.body)
