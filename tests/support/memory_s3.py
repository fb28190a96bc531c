"""An S3 store in memory that can be told to be old, forgetful, or a liar.

It answers through `support.answering.server`. It checks no signature.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from support.answering import Asked, Said

SHA = "x-amz-checksum-sha256"
LOCKS = "x-amz-object-lock-"
KEPT = ("x-amz-meta-", LOCKS)
XML = "http://s3.amazonaws.com/doc/2006-03-01/"
HANGS_UP = Said(0, hangs_up=True)

Fault = Callable[[Asked], Said | None]
"""Answers in the store's place, or leaves it to the store."""


@dataclass(frozen=True)
class Kept:
    """One object: its bytes, and its headers."""

    body: bytes
    headers: dict[str, str]
    told: str  # SHA-256 as S3 writes it, as the store tells it


@dataclass
class Upload:
    """One upload under way."""

    key: str
    headers: dict[str, str]
    parts: dict[int, tuple[bytes, str]] = field(default_factory=dict)


@dataclass
class MemoryS3:
    """One bucket. What it is told to do wrong is in its fields."""

    checks_objects: bool = True
    checks_parts: bool = True
    echoes: bool = True  # tells SHA-256s: its own, or those that it was told
    conditional: bool = True
    keeps_locks: bool = True  # else they are dropped without a word
    takes_locks_later: bool = True  # by PutObjectRetention and its like
    returns: Callable[[Kept], bytes] = lambda kept: kept.body
    objects: dict[str, Kept] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    _ids: Iterable[int] = field(default_factory=count)

    def __call__(self, asked: Asked) -> Said:
        self.asked.append(asked)
        for fault in [*self.faults]:
            said = fault(asked)
            if said is not None:
                return said
        return self.answer(asked)

    def answer(self, asked: Asked) -> Said:
        """Answer as a store does, whatever faults there are."""
        path, _, text = asked.path.partition("?")
        key = unquote(path).removeprefix("/evidence").removeprefix("/")
        query = dict(parse_qsl(text, keep_blank_values=True))
        said = self._about_the_bucket(query) if not key else None
        said = said or self._about_uploads(asked, key, query)
        said = said or self._about_objects(asked, key, query)
        return Said(
            said.status,
            {"x-amz-request-id": "1", **said.headers},
            said.body,
            said.length,
        )

    def made(self, method: str, words: str = "") -> list[Asked]:
        """Return the requests of that method in whose URL the words are."""
        return [a for a in self.asked if a.method == method and words in a.path]

    def _about_the_bucket(self, query: dict[str, str]) -> Said:
        if "uploads" not in query:
            return Said(200, {}, b"<ListBucketResult/>")
        listed = "".join(
            f"<Upload><Key>{escape(upload.key)}</Key><UploadId>{ident}</UploadId>"
            "</Upload>"
            for ident, upload in self.uploads.items()
            if upload.key.startswith(query.get("prefix", ""))
        )
        return document("ListMultipartUploadsResult", listed)

    def _about_uploads(
        self, asked: Asked, key: str, query: dict[str, str]
    ) -> Said | None:
        if "uploads" in query:
            return self._begin(asked, key)
        upload = self.uploads.get(query.get("uploadId", ""))
        if upload is None or upload.key != key:
            return error(404, "NoSuchUpload") if "uploadId" in query else None
        return self._about_an_upload(asked, upload, query)

    def _about_an_upload(
        self, asked: Asked, upload: Upload, query: dict[str, str]
    ) -> Said:
        match asked.method:
            case "PUT":
                return self._part(asked, upload, int(query["partNumber"]))
            case "GET":
                return self._list(upload, query)
            case "DELETE":
                del self.uploads[query["uploadId"]]
                return Said(204)
        return self._complete(asked, query["uploadId"], upload)

    def _begin(self, asked: Asked, key: str) -> Said:
        ident = f"u{next(iter(self._ids))}"
        self.uploads[ident] = Upload(key, kept(asked, locks=self.keeps_locks))
        told = {"x-amz-checksum-algorithm": "SHA256"} if self.echoes else {}
        said = document(
            "InitiateMultipartUploadResult", f"<UploadId>{ident}</UploadId>"
        )
        return Said(200, told, said.body)

    def _part(self, asked: Asked, upload: Upload, number: int) -> Said:
        if self.checks_parts and asked.headers[SHA] != sha(asked.body):
            return error(400, "BadDigest")
        upload.parts[number] = (asked.body, asked.headers[SHA])
        return Said(200, {"etag": f'"{md5(asked.body)}"'})

    @staticmethod
    def _list(upload: Upload, query: dict[str, str]) -> Said:
        """Return three parts a page."""
        after = int(query.get("part-number-marker", 0))
        there = sorted(number for number in upload.parts if number > after)
        page, more = there[:3], there[3:]
        text = "".join(
            f"<Part><PartNumber>{number}</PartNumber>"
            f"<Size>{len(upload.parts[number][0])}</Size>"
            f'<ETag>"{md5(upload.parts[number][0])}"</ETag></Part>'
            for number in page
        )
        if more:
            text += f"<NextPartNumberMarker>{page[-1]}</NextPartNumberMarker>"
        return document(
            "ListPartsResult",
            f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated>{text}",
        )

    def _complete(self, asked: Asked, ident: str, upload: Upload) -> Said:
        if self._is_taken(asked, upload.key):
            return error(412, "PreconditionFailed")
        root = ET.fromstring(asked.body)  # noqa: S314  it is our own
        named = [
            (int(part.findtext(f"{{{XML}}}PartNumber", "0")), part) for part in root
        ]
        for number, part in named:
            known = upload.parts.get(number)
            etag = part.findtext(f"{{{XML}}}ETag", "").strip('"')
            if known is None or md5(known[0]) != etag:
                return error(400, "InvalidPart")
            if self.echoes and part.findtext(f"{{{XML}}}ChecksumSHA256") != known[1]:
                return error(400, "InvalidPart")
        parts = [upload.parts[number] for number, _ in named]
        joined = b"".join(base64.b64decode(told) for _, told in parts)
        told = f"{sha(joined)}-{len(parts)}" if self.echoes else ""
        body = b"".join(body for body, _ in parts)
        self.objects[upload.key] = Kept(body, upload.headers, told)
        del self.uploads[ident]
        etag = f"<ETag>{escape(etag_of(self.objects[upload.key]))}</ETag>"
        return document("CompleteMultipartUploadResult", etag)

    def _about_objects(self, asked: Asked, key: str, query: dict[str, str]) -> Said:
        if asked.method == "PUT" and not query:
            return self._put(asked, key)
        there = self.objects.get(key)
        if there is None:
            return error(404, "NoSuchKey")
        match asked.method:
            case "PUT":
                return self._lock(asked, there, query)
            case "DELETE":
                del self.objects[key]
                return Said(204)
        return self._show(asked, there)

    def _is_taken(self, asked: Asked, key: str) -> bool:
        absent_only = self.conditional and "if-none-match" in asked.headers
        return absent_only and key in self.objects

    def _put(self, asked: Asked, key: str) -> Said:
        if self._is_taken(asked, key):
            return error(412, "PreconditionFailed")
        if self.checks_objects and asked.headers[SHA] != sha(asked.body):
            return error(400, "BadDigest")
        headers = kept(asked, locks=self.keeps_locks)
        told = asked.headers[SHA] if self.echoes else ""
        self.objects[key] = Kept(asked.body, headers, told)
        return Said(200, {"etag": etag_of(self.objects[key])})

    def _lock(self, asked: Asked, there: Kept, query: dict[str, str]) -> Said:
        if self.takes_locks_later and "retention" in query:
            root = ET.fromstring(asked.body)  # noqa: S314  it is our own
            there.headers[LOCKS + "mode"] = root.findtext(f"{{{XML}}}Mode", "")
            until = root.findtext(f"{{{XML}}}RetainUntilDate", "")
            there.headers[LOCKS + "retain-until-date"] = until
        if self.takes_locks_later and "legal-hold" in query:
            there.headers[LOCKS + "legal-hold"] = "ON"
        return Said(200)

    def _show(self, asked: Asked, there: Kept) -> Said:
        headers = {"etag": etag_of(there), **there.headers}
        body = self.returns(there)
        if there.told and "x-amz-checksum-mode" in asked.headers:
            headers[SHA] = there.told
        if asked.method == "HEAD":
            return Said(200, headers, length=len(there.body))
        if asked.headers.get("if-match", headers["etag"]) != headers["etag"]:
            return error(412, "PreconditionFailed")
        asks = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range", ""))
        if asks is None:
            return Said(200, headers, body)
        at = int(asks[1])
        headers["content-range"] = f"bytes {at}-{len(body) - 1}/{len(body)}"
        return Said(206, headers, body[at:])


def kept(asked: Asked, *, locks: bool) -> dict[str, str]:
    """Return the headers that are kept with an object."""
    found = {n: v for n, v in asked.headers.items() if n.startswith(KEPT)}
    return {n: v for n, v in found.items() if locks or not n.startswith(LOCKS)}


def once(method: str, words: str, said: Said) -> Fault:
    """Answer so once, to the first request of that method with those words."""
    left = [said]

    def fault(asked: Asked) -> Said | None:
        if left and asked.method == method and words in asked.path:
            return left.pop()
        return None

    return fault


def always(method: str, words: str, said: Said) -> Fault:
    """Answer so each time."""

    def fault(asked: Asked) -> Said | None:
        return said if asked.method == method and words in asked.path else None

    return fault


def lost_reply(store: MemoryS3, method: str, words: str) -> Fault:
    """Do what is asked, once, and hang up instead of saying so."""
    left = [True]

    def fault(asked: Asked) -> Said | None:
        if left and asked.method == method and words in asked.path:
            left.pop()
            store.answer(asked)
            return HANGS_UP
        return None

    return fault


def error(status: int, code: str, more: str = "") -> Said:
    """Return an error as stores word it."""
    body = f"<Error><Code>{code}</Code><Message>so it is</Message>{more}</Error>"
    return Said(
        status,
        {"content-type": "application/xml", "x-amz-request-id": "1"},
        body.encode(),
    )


def document(name: str, inner: str) -> Said:
    """Return a good answer."""
    text = f'<{name} xmlns="{XML}">{inner}</{name}>'
    return Said(200, {"content-type": "application/xml"}, text.encode())


def sha(body: bytes) -> str:
    """Return a SHA-256 as S3 writes it."""
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def md5(body: bytes) -> str:
    """Return what S3's ETags are, mostly."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


def etag_of(there: Kept) -> str:
    """Return an object's ETag, in quotes."""
    return f'"{md5(there.body)}"'
