"""A store that keeps nothing: what a sender costs where no store bounds it.

    python _sink.py     prints its endpoint; ends with its standard input

It speaks S3 as far as our own agent, boto3, rclone and `curl -T` do. **It checks
nothing and proves nothing**: the kernel throws away what it is sent, unread, and the
digests that it tells are those that it was told. Only what is small, and what is below
`.probe/`, is kept and checked as a store does (by the tests' store in memory): our
agent tries that, and would read back every byte of a store that fails it.
"""

import base64
import hashlib
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qsl, unquote

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from support.answering import Asked, Said
from support.memory_s3 import MemoryS3, document, error

SMALL = 64 << 10  # bytes of an object that is kept
BLOCK = 4 << 20  # bytes thrown away at a time
SHA = "x-amz-checksum-sha256"
MODIFIED = {"last-modified": "Thu, 05 Mar 2026 08:00:00 GMT"}
WORDS = {200: "OK", 204: "No Content", 206: "Partial Content", 404: "Not Found"}
NO_CONTENT = 204
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Part:
    """What was said of a part."""

    size: int
    etag: str
    told: str  # its SHA-256, if that was said


@dataclass(slots=True)
class Upload:
    """An upload under way: of what, and its parts."""

    key: str
    headers: Mapping[str, str]
    parts: dict[int, Part] = field(default_factory=dict)


@dataclass(slots=True)
class Sink:
    """One bucket; `objects` has the headers of each, and no bytes."""

    small: MemoryS3 = field(default_factory=MemoryS3)
    objects: dict[str, dict[str, str]] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    idents: Iterator[int] = field(default_factory=count)

    def is_kept(self, method: str, path: str, size: int) -> bool:
        """Whether a request is for the store in memory."""
        key, query = _parsed(path)
        if not key or "/.probe/" in f"/{key}":
            return True
        if method == "PUT" and not query:
            return size <= SMALL
        return key not in self.objects and method in {"GET", "HEAD"} and not query

    def answer(self, asked: Asked, size: int) -> Said:
        """Answer what is not kept; `size` bytes were its body."""
        key, query = _parsed(asked.path)
        upload = self.uploads.get(query.get("uploadId", ""))
        if upload is not None:
            return self._about(upload, asked, query, size)
        if "uploadId" in query:
            return error(404, "NoSuchUpload")
        match asked.method:
            case "PUT":
                return self._object(asked, key, size)
            case "POST":
                return self._begin(asked, key)
            case "HEAD":
                return Said(200, self.objects[key])
        return error(404, "NoSuchKey")

    def _about(
        self, upload: Upload, asked: Asked, query: Mapping[str, str], size: int
    ) -> Said:
        match asked.method:
            case "PUT":
                return self._part(asked, upload, int(query["partNumber"]), size)
            case "POST":
                return self._complete(upload, query["uploadId"])
            case "DELETE":
                del self.uploads[query["uploadId"]]
                return Said(NO_CONTENT)
        return _listed(upload)

    def _begin(self, asked: Asked, key: str) -> Said:
        ident = f"upload-{next(self.idents)}"
        self.uploads[ident] = Upload(key, _kept(asked))
        said = document(
            "InitiateMultipartUploadResult",
            f"<Bucket>evidence</Bucket><Key>{key}</Key><UploadId>{ident}</UploadId>",
        )
        names = {n: v for n, v in asked.headers.items() if "checksum-algorithm" in n}
        return Said(200, {**said.headers, **names}, said.body)

    def _part(self, asked: Asked, upload: Upload, number: int, size: int) -> Said:
        size = int(asked.headers.get("x-amz-decoded-content-length", size))
        part = Part(size, _etag(asked.headers), asked.headers.get(SHA, ""))
        upload.parts[number] = part
        return Said(200, {"etag": f'"{part.etag}"', **_checksums(asked)})

    def _object(self, asked: Asked, key: str, size: int) -> Said:
        headers = {**_kept(asked), "etag": f'"{_etag(asked.headers)}"'}
        self.objects[key] = {**headers, "content-length": str(size), **MODIFIED}
        return Said(200, {"etag": headers["etag"], **_checksums(asked)})

    def _complete(self, upload: Upload, ident: str) -> Said:
        parts = [part for _, part in sorted(upload.parts.items())]
        joined = b"".join(bytes.fromhex(part.etag) for part in parts)
        whole = hashlib.md5(joined, usedforsecurity=False).hexdigest()
        headers = {
            **upload.headers,
            **MODIFIED,
            "etag": f'"{whole}-{len(parts)}"',
            "content-length": str(sum(part.size for part in parts)),
        }
        if all(part.told for part in parts):
            headers[SHA] = _composite([part.told for part in parts])
        self.objects[upload.key] = headers
        del self.uploads[ident]
        etag = headers["etag"].replace('"', "&quot;")
        return document("CompleteMultipartUploadResult", f"<ETag>{etag}</ETag>")


def _composite(told: list[str]) -> str:
    whole = hashlib.sha256(b"".join(base64.b64decode(each) for each in told)).digest()
    return f"{base64.b64encode(whole).decode()}-{len(told)}"


def _listed(upload: Upload) -> Said:
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><Size>{part.size}</Size>"
        f"<ETag>{part.etag}</ETag></Part>"
        for number, part in sorted(upload.parts.items())
    )
    inner = f"<IsTruncated>false</IsTruncated>{parts}"
    return document("ListPartsResult", inner)


def _etag(headers: Mapping[str, str]) -> str:
    """Return the MD5 that was said of a body (rclone looks at it), or any other."""
    said = headers.get("content-md5")
    if said:
        return base64.b64decode(said).hex()
    return hashlib.md5(repr(headers).encode(), usedforsecurity=False).hexdigest()


def _kept(asked: Asked) -> dict[str, str]:
    return {n: v for n, v in asked.headers.items() if n.startswith("x-amz-meta-")}


def _checksums(asked: Asked) -> dict[str, str]:
    told = {n: v for n, v in asked.headers.items() if n.startswith("x-amz-checksum-")}
    return {n: v for n, v in told.items() if "algorithm" not in n}


def _parsed(path: str) -> tuple[str, dict[str, str]]:
    name, _, text = path.partition("?")
    key = unquote(name).removeprefix("/evidence").removeprefix("/")
    query = dict(parse_qsl(text, keep_blank_values=True))
    query.pop("x-id", None)  # some tools name the call with it
    return key, query


def serve(sink: Sink, sock: socket.socket) -> None:
    """Answer what comes over one connection."""
    waste, held = bytearray(BLOCK), bytearray()
    with sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while b"\r\n\r\n" in held or _more(sock, held):
            if b"\r\n\r\n" not in held:
                continue
            end = held.index(b"\r\n\r\n") + 4
            asked = _read(bytes(held[:end]))
            del held[:end]
            size = int(asked.headers.get("content-length", 0))
            if "100-continue" in asked.headers.get("expect", "").lower():
                sock.sendall(CONTINUE)
            if sink.is_kept(asked.method, asked.path, size):
                while len(held) < size and _more(sock, held):
                    pass
                body = bytes(held[:size])
                said = sink.small.answer(
                    Asked(asked.method, asked.path, asked.headers, body)
                )
            else:
                _wasted(sock, size - len(held), waste)
                said = sink.answer(asked, size)
            del held[:size]
            sock.sendall(_written(asked, said))


def _more(sock: socket.socket, held: bytearray) -> bool:
    try:
        came = sock.recv(SMALL)
    except ConnectionError:
        return False
    held += came
    return bool(came)


def _wasted(sock: socket.socket, left: int, waste: bytearray) -> None:
    """Let the kernel throw so many bytes away: MSG_TRUNC copies nothing (tcp(7))."""
    while left > 0:
        came = sock.recv_into(waste, min(left, BLOCK), socket.MSG_TRUNC)
        if not came:
            return
        left -= came


def _read(head: bytes) -> Asked:
    first, *lines = head.decode("latin-1").rstrip().split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Asked(method, path, headers, b"")


def _written(asked: Asked, said: Said) -> bytes:
    headers = {"x-amz-request-id": "1", **said.headers}
    if said.status != NO_CONTENT:
        length = len(said.body) if said.length is None else said.length
        headers.setdefault("content-length", str(length))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    first = f"HTTP/1.1 {said.status} {WORDS.get(said.status, 'Well')}\r\n"
    body = b"" if asked.method == "HEAD" else said.body
    return f"{first}{lines}\r\n".encode() + body


def main() -> None:
    """Listen on loopback until standard input ends."""
    sink = Sink()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    Thread(target=_accept, args=(sink, listener), daemon=True).start()
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    sys.stdin.read()


def _accept(sink: Sink, listener: socket.socket) -> None:
    while True:
        sock, _ = listener.accept()
        Thread(target=serve, args=(sink, sock), daemon=True).start()


if __name__ == "__main__":
    main()
