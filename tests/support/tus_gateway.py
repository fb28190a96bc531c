"""A tus server of ours on loopback: for what the real ones do not do.

It names uploads in a collection, or by path below /.tus/; `says` answers in its
place, the first time that a method is asked; the other fields are its habits.
"""

import base64
import hashlib
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from dock_agent.custody.chain import canonical
from dock_agent.custody.signing import SigningKey

BY_PATH = "/.tus/"
EXTENSIONS = {"tus-version": "0.2.2,1.0.0", "tus-extension": "creation,termination"}


@dataclass(frozen=True)
class Said:
    """One answer."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    strange: bool = False  # whether it is somebody else's, and no tus server's
    cut: int | None = None  # bytes of the body after which it hangs up


@dataclass(frozen=True)
class Asked:
    """One request, its body read."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Taken:
    """One upload."""

    size: int
    name: str
    data: bytearray = field(default_factory=bytearray)


@dataclass
class Gateway:
    """What it holds, what it was asked, and how it behaves."""

    uploads: dict[str, Taken] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)  # by path: what is whole
    asked: list[Asked] = field(default_factory=list)
    says: dict[str, list[Said | None]] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=lambda: EXTENSIONS)
    location: str | None = None  # what it calls each upload, instead of the truth
    expires: str | None = None
    flips: bool = False  # one bit of each request's last byte
    cuts: int = 0  # as many times it hangs up in the middle of a body
    ranges: bool = True  # whether it goes on in the middle of one
    shows: bool = True  # whether an upload can be fetched
    forgets: bool = False  # an upload as soon as it is whole
    lies: bool = False  # about how much it took
    most: int = 1 << 30  # bytes of the longest request that is taken
    key: SigningKey | None = None  # signs receipts
    receipts: Mapping[str, object] = field(default_factory=dict)  # what they claim
    signs_at: tuple[str, ...] = ("PATCH", "HEAD")
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def endpoint(self) -> str:
        """Return where uploads are created."""
        return f"{self.url}/files"

    def count(self, method: str) -> int:
        """Count the requests of a method."""
        return len([each for each in self.asked if each.method == method])

    def answer(self, asked: Asked) -> Said:
        """Answer one request, as it would or as it was told to."""
        with self.lock:
            self.asked.append(asked)
            told = self.says.get(asked.method)
            said = told.pop(0) if told else None
            return said or getattr(self, f"_{asked.method.lower()}")(asked)

    def _options(self, _: Asked) -> Said:
        return Said(204, self.options)

    def _post(self, asked: Asked) -> Said:
        pairs = dict(
            pair.split(" ") for pair in asked.headers["upload-metadata"].split(",")
        )
        name = base64.b64decode(pairs["key"]).decode()
        if asked.path.startswith(BY_PATH):
            name = unquote(asked.path.removeprefix(BY_PATH))
        path = f"/uploads/{len(self.uploads)}"
        self.uploads[path] = Taken(int(asked.headers["upload-length"]), name)
        return Said(201, {"location": self.location or path, **self._expiry()})

    def _head(self, asked: Asked) -> Said:
        held = self._shown().get(unquote(asked.path.removeprefix("/")))
        if held is not None:
            return Said(200, {"etag": '"e"'}, held)
        upload = self.uploads.get(asked.path)
        if upload is None:
            return Said(404)
        offset = {"upload-length": str(upload.size)}
        return Said(200, {**offset, **self._standing(upload, "HEAD")})

    def _patch(self, asked: Asked) -> Said:
        upload = self.uploads.get(asked.path)
        if upload is None:
            return Said(404)
        if int(asked.headers["upload-offset"]) != len(upload.data):
            return Said(409)
        if len(asked.body) > self.most:
            return Said(413, {"content-type": "text/html"}, b"too large")
        upload.data += self._damaged(asked.body)
        if len(upload.data) == upload.size:
            self.objects[upload.name] = bytes(upload.data)
            if self.forgets:
                del self.uploads[asked.path]
        return Said(204, self._standing(upload, "PATCH"))

    def _get(self, asked: Asked) -> Said:
        if not self.shows:
            return Said(405)
        held = self._shown().get(unquote(asked.path.removeprefix("/")))
        upload = self.uploads.get(asked.path)
        if held is None and upload is not None and len(upload.data) == upload.size:
            held = bytes(upload.data)
        if held is None:
            return Said(404)
        begin = asked.headers.get("range", "") if self.ranges else ""
        offset = int(begin.removeprefix("bytes=").removesuffix("-") or 0)
        body = held[offset:]
        self.cuts, cut = max(self.cuts - 1, 0), len(body) // 2 if self.cuts else None
        return Said(206 if begin else 200, {"etag": '"e"'}, body, cut=cut)

    def _delete(self, asked: Asked) -> Said:
        return Said(404 if self.uploads.pop(asked.path, None) is None else 204)

    def _shown(self) -> dict[str, bytes]:
        return self.objects if self.shows else {}

    def _damaged(self, body: bytes) -> bytes:
        if not self.flips or not body:
            return body
        return body[:-1] + bytes([body[-1] ^ 1])

    def _standing(self, upload: Taken, method: str) -> dict[str, str]:
        took = len(upload.data) + self.lies
        headers = {"upload-offset": str(took), **self._expiry()}
        whole = len(upload.data) == upload.size
        if whole and self.key is not None and method in self.signs_at:
            digest = hashlib.sha256(upload.data).hexdigest()
            says = {"key": upload.name, "sha256": digest, "size": upload.size}
            headers["upload-receipt"] = receipt({**says, **self.receipts}, self.key)
        return headers

    def _expiry(self) -> dict[str, str]:
        return {} if self.expires is None else {"upload-expires": self.expires}


def receipt(says: Mapping[str, object], key: SigningKey) -> str:
    """Return a receipt, signed."""
    said = _url64(canonical(dict(says)).encode())
    return f"{said}.{_url64(key.sign(said.encode()))}"


def _url64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


@contextmanager
def gateway() -> Iterator[Gateway]:
    """Run one for the length of the block."""
    made = Gateway()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            said = made.answer(Asked(self.command, self.path, headers, body))
            self.send_response(said.status)
            spoken = {} if said.strange else {"tus-resumable": "1.0.0"}
            for name, value in {**spoken, **said.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(said.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(said.body[: said.cut])
            self.close_connection |= said.cut is not None

        do_GET = do_HEAD = do_POST = do_PATCH = _answer  # noqa: N815
        do_DELETE = do_OPTIONS = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:  # whoever asked has gone: that is the test
                self.close_connection = True

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.daemon_threads = True
        made.url = f"http://127.0.0.1:{httpd.server_address[1]}"
        thread = threading.Thread(target=httpd.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield made
        finally:
            httpd.shutdown()
            thread.join()
