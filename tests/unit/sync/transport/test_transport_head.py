"""An answer to HEAD has no body, whatever its server believes (RFC 9112, 6.3)."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dock_agent.sync.transport.client import Transport

CHUNKED = "Transfer-Encoding", "chunked"
END = b"0\r\n\r\n"  # of a body in chunks


class _Talkative(BaseHTTPRequestHandler):
    """Answers HEAD as GET, in one write, as OpenStack Swift's S3 side does."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and end go together

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response_only(404 if self.command == "HEAD" else 200)
        self.send_header("X-Method", self.command)
        self.send_header(*CHUNKED)
        self.end_headers()
        self.wfile.write(END)
        self.wfile.flush()

    do_GET = do_HEAD = do_PUT = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@contextmanager
def talkative() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Talkative) as httpd:
        httpd.daemon_threads = True
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{httpd.server_address[1]}/"
        finally:
            httpd.shutdown()
            thread.join()


@pytest.mark.parametrize("method", ["HEAD", "GET", "PUT"])
def test_what_comes_behind_an_answer_to_head_is_not_taken_for_the_next_one(
    method: str,
) -> None:
    with talkative() as url, closing(Transport()) as transport:
        for _ in range(20):
            head = transport.call("HEAD", url, {})
            told = transport.call(method, url, {}, b"x" if method == "PUT" else b"")

            assert (head.status, head.headers["x-method"]) == (404, "HEAD")
            assert told.headers["x-method"] == method
