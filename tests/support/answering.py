"""Whoever answers in a store's place: tiny HTTP servers on loopback."""

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Flag, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    length: int | None = None  # what it claims; None: the truth


@dataclass(frozen=True)
class Asked:
    """One request, its body read."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Answering = Callable[[Asked], Said]
BEGUN = (
    b"<InitiateMultipartUploadResult><UploadId>u</UploadId>"
    b"</InitiateMultipartUploadResult>"
)
COMPLETED = b"<CompleteMultipartUploadResult/>"


@contextmanager
def server(answer: Answering) -> Iterator[str]:
    """Run a server that answers so; yield its base URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("content-length", 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            said = answer(Asked(self.command, self.path, headers, body))
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            claimed = len(said.body) if said.length is None else said.length
            self.send_header("content-length", str(claimed))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(said.body)
            self.close_connection = self.command != "HEAD" and claimed > len(said.body)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.daemon_threads = True
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{httpd.server_address[1]}"
        finally:
            httpd.shutdown()
            thread.join()


class Checks(Flag):
    """What a liar hashes before it takes it."""

    NOTHING = 0
    OBJECTS = auto()
    PARTS = auto()


@dataclass
class Liar:
    """Takes everything with an ETag and our own digest, and keeps other bytes.

    It answers every question about an object as if it were there, whole.
    """

    checks: Checks = Checks.NOTHING
    echoes: bool = True  # whether it repeats the digests that it was told
    sizes: dict[str, int] = field(default_factory=dict)
    digests: dict[str, list[bytes]] = field(default_factory=dict)

    def __call__(self, asked: Asked) -> Said:
        path, _, query = asked.path.partition("?")
        headers = {"etag": '"e"', "content-type": "application/xml"}
        match asked.method:
            case "PUT":
                return self._taken(path, query, asked, headers)
            case "POST":
                return Said(200, headers, BEGUN if query == "uploads=" else COMPLETED)
            case "GET" if query:
                return Said(200, headers, b"<ListPartsResult/>")
            case "GET" | "HEAD":
                return self._shown(path, headers)
        return Said(204)

    def _shown(self, path: str, headers: dict[str, str]) -> Said:
        if path not in self.sizes:
            return Said(404)
        if self.echoes:
            headers["x-amz-checksum-sha256"] = _echo(self.digests[path])
        return Said(200, headers, bytes(self.sizes[path]))

    def _taken(
        self, path: str, query: str, asked: Asked, headers: Mapping[str, str]
    ) -> Said:
        checked = Checks.PARTS if query else Checks.OBJECTS
        if checked in self.checks and asked.body == b"probe":
            return Said(400, {}, b"<Error><Code>BadDigest</Code></Error>")
        told = base64.b64decode(asked.headers.get("x-amz-checksum-sha256", ""))
        known = self.digests.get(path, []) if query else []
        self.sizes[path] = (self.sizes.get(path, 0) if query else 0) + len(asked.body)
        self.digests[path] = [*known, told]
        return Said(200, headers)


def _echo(digests: list[bytes]) -> str:
    if len(digests) == 1:
        return base64.b64encode(digests[0]).decode()
    joined = hashlib.sha256(b"".join(digests)).digest()
    return f"{base64.b64encode(joined).decode()}-{len(digests)}"
