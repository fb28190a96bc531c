"""An Axis content destination on loopback, written from the published API.

What it is asked beyond the API (HEAD, GET of any object, DELETE, 422, If-None-Match) it
answers as a standard Swift does, unless it is told not to. Everything is in memory:
what is there is what the tests look at.
"""

import base64
import json
import re
import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from support import axis_rules
from support.axis_boxes import Blob, Box, Can, md5, told
from support.axis_certificate import certificate, served_with

USER, KEY = "station", "the key of the station"
ACCOUNT = "/v1/AUTH_evidence"
AUTH = "/auth/v1.0"
READS = re.compile(r"System/[^/]+")  # what the published subset lists GET for


@dataclass(frozen=True)
class Request:
    """One request, as a test may look at it."""

    method: str
    path: str  # below the account; the whole path for the token
    headers: dict[str, str]


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Fault = Callable[[Request], Reply | None]
"""Answers in the server's place; None: let it answer itself."""


@dataclass
class AxisServer:
    """What it holds and how it behaves; tests may change both at any time.

    `refused` lists what it answered 400, so that a test sees no broken rule slip by.
    `garbles` changes a body on its way, `damages` what is kept of it. Without `lengths`
    an answer to HEAD tells none. `lose` cuts the connection instead of
    answering, after the request was carried out. `deaf`: a fault hangs up unread.
    """

    can: Can = Can.ALL
    boxes: dict[str, Box] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    damages: Callable[[str, bytes], bytes] = lambda _, data: data
    garbles: Callable[[str, bytes], bytes] = lambda _, data: data
    lengths: bool = True
    lose: Callable[[Request], bool] = lambda _: False
    deaf: bool = False
    key: str = KEY
    url: str = ""
    storage: str = ""
    certificate: bytes = b""  # PEM

    @property
    def uri(self) -> str:
        """Return where a token is asked for."""
        return self.url + AUTH

    def connection(self, **other: object) -> dict[str, object]:
        """Return its connection file; `other` changes keys, None takes one away."""
        told: dict[str, object] = {
            "ConnectionFileVersion": "1.0",
            "SiteName": "Harbour",
            "ApplicationName": "Evidence",
            "ApplicationVersion": "1.6.13",
            "ContentDestinationAsNTPServer": False,
            "AuthenticationTokenURI": [self.uri],
            "BlobAPIKey": KEY,
            "BlobAPIUserName": USER,
            "ContainerType": "mkv",
            "FullStoreAndReadSupport": True,
            "WantEncryption": False,
        }
        if self.certificate:
            told["HTTPSCertificate"] = [base64.b64encode(self.certificate).decode()]
        return {key: v for key, v in (told | other).items() if v is not None}

    def write(self, folder: Path, **other: object) -> Path:
        """Write its connection file; return where."""
        path = folder / f"connection-{secrets.token_hex(4)}.json"
        path.write_text(json.dumps(self.connection(**other)), "utf-8")
        return path

    def supports(self, **groups: dict[str, bool]) -> None:
        """Publish capabilities."""
        body = json.dumps(groups).encode()
        self.boxes.setdefault("System", Box()).blobs["Capabilities.json"] = Blob(body)

    def count(self, method: str, path: str = "") -> int:
        """Count the requests whose path has `path` in it."""
        return sum(r.method == method and path in r.path for r in self.asked)

    def answer(self, request: Request, read: Callable[[], bytes | None]) -> Reply:
        """Carry a request out. `read` returns the body, None if it was cut."""
        for fault in self.faults:
            said = fault(request)
            if said is not None:
                return said
        if request.path == AUTH:
            return self._token(request)
        if request.headers.get("x-auth-token") not in self.tokens:
            return Reply(401, body=b"Unauthorized")
        body = read()
        if body is None:
            return Reply(499)
        body = self.garbles(request.path, body)
        container, slash, name = request.path.partition("/")
        if "/" in name or not container:
            return self._never("subdirectories aren't supported")
        answers = self._object if slash else self._container
        return answers(request, container, name, body)

    def _token(self, request: Request) -> Reply:
        who = request.headers.get("x-auth-user"), request.headers.get("x-auth-key")
        if request.method != "GET" or who != (USER, self.key):
            return Reply(401, body=b"Unauthorized")
        token = secrets.token_hex(16)
        self.tokens.add(token)
        storage = self.storage or self.url + ACCOUNT
        # Swift's own says that it is a page, with nothing on it.
        kind = "text/html; charset=UTF-8"
        told = {"X-Auth-Token": token, "X-Storage-Url": storage, "Content-Type": kind}
        return Reply(200, told)

    def _container(self, request: Request, name: str, _: str, body: bytes) -> Reply:
        del body
        box = self.boxes.get(name)
        if request.method == "HEAD" and Can.HEAD in self.can:
            return Reply(404) if box is None else Reply(204, box.headers())
        if request.method == "POST":
            return Reply(404) if box is None else self._note(request, name, 204)
        if request.method == "PUT":
            return self._note(request, name, 201 if box is None else 202)
        return Reply(405)

    def _note(self, request: Request, name: str, status: int) -> Reply:
        kept = told(request.headers, "x-container-meta-")
        if kept is None:
            return self._never("metadata out of bounds")
        known = {f"{c}/{n}" for c in self.boxes for n in self.boxes[c].blobs}
        broken = axis_rules.container(name, kept, known)
        if broken:
            return self._never(broken)
        box = self.boxes.setdefault(name, Box())
        if box.complete:
            return self._never(f"{name} is complete")
        box.told |= kept
        return Reply(status)

    def _object(
        self, request: Request, container: str, name: str, body: bytes
    ) -> Reply:
        box = self.boxes.get(container)
        match request.method:
            case "GET" | "HEAD":
                return self._shown(request, box, name)
            case "PUT":
                return self._put(request, box, name, body)
            case "DELETE" if Can.DELETE in self.can and box is not None:
                return Reply(204 if box.blobs.pop(name, None) else 404)
        return Reply(405)

    def _shown(self, request: Request, box: Box | None, name: str) -> Reply:
        open_to_all = READS.fullmatch(request.path)
        if request.method == "HEAD" and Can.HEAD not in self.can:
            return Reply(405)
        if request.method == "GET" and not (open_to_all or Can.GET in self.can):
            return Reply(403)
        if box is None or name not in box.blobs:
            return Reply(404)
        blob = box.blobs[name]
        etag = {"ETag": md5(blob.data)} if open_to_all or Can.ETAG in self.can else {}
        return Reply(200, blob.headers() | etag, blob.data)

    def _put(self, request: Request, box: Box | None, name: str, body: bytes) -> Reply:
        kept, etag = (
            told(request.headers, "x-object-meta-"),
            request.headers.get("etag"),
        )
        if box is None:
            return Reply(404)
        if kept is None or box.complete:
            return self._never(f"{request.path}: out of bounds, or after Complete")
        broken = axis_rules.thing(request.path, kept)
        if broken:
            return self._never(broken)
        conditional = Can.CONDITION in self.can and "if-none-match" in request.headers
        if conditional and name in box.blobs:
            return Reply(412)
        if Can.DIGEST in self.can and etag not in {None, md5(body)}:
            return Reply(422, body=b"Unprocessable Entity")
        kind = request.headers.get("content-type", "")
        box.blobs[name] = Blob(self.damages(request.path, body), kept, kind)
        said = md5(body) if Can.ETAG in self.can else etag
        return Reply(201, {"ETag": said} if said else {})

    def _never(self, why: str) -> Reply:
        self.refused.append(why)
        return Reply(400, {"Content-Type": "text/plain"}, why.encode())


@contextmanager
def axis_server(*, tls: bool = False, can: Can = Can.ALL) -> Iterator[AxisServer]:
    """Run one for the length of the block."""
    server = AxisServer(can=can)

    class Handler(_Handler):
        axis = server

    with _Quiet(("127.0.0.1", 0), Handler) as httpd:
        if tls:
            server.certificate, held = certificate()
            httpd.socket = served_with(held, httpd.socket)
        scheme = "https" if tls else "http"
        server.url = f"{scheme}://127.0.0.1:{httpd.server_address[1]}"
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            httpd.shutdown()
            thread.join()


class _Quiet(ThreadingHTTPServer):
    """Says nothing of a client that went away; what else goes wrong it does say."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # a head and a body are two writes
    axis: AxisServer
    timeout = 60

    def _answer(self) -> None:
        path = unquote(urlsplit(self.path).path).removeprefix(f"{ACCOUNT}/")
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, path, headers)
        self.axis.asked.append(request)
        length, unread = int(headers.get("content-length", 0)), [True]

        def read() -> bytes | None:
            unread.clear()
            body = self.rfile.read(length)
            return body if len(body) == length else None

        reply = self.axis.answer(request, read)
        if unread and not self.axis.deaf:
            read()
        self.close_connection = self.axis.lose(request) or reply.status == 499
        if not self.close_connection:
            self._say(reply)
        self.close_connection |= bool(unread) and self.axis.deaf

    def _say(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if reply.status != 204 and (self.axis.lengths or self.command != "HEAD"):
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""
