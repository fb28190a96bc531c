"""What S3 speaks: a few XML documents and the digest's headers. Pure.

Whatever a server writes in the place of one, only `Unreachable` comes of it.
"""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from dock_agent.errors import Unreachable
from dock_agent.recording import Digest

CHECKSUM = "x-amz-checksum-sha256"
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
DIGITS = 18  # of the longest number that is believed


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error as the server words it; `region` is the right one, if it says so."""

    code: str = ""
    message: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One part as the server lists it; its ETag is bare, without quotes.

    `told` is its SHA-256 as S3 writes it; empty where that is not told.
    """

    number: int
    size: int
    etag: str
    told: str = ""


@dataclass(frozen=True, slots=True)
class PartsPage:
    """One page of ListParts; `marker` is None on the last one."""

    parts: tuple[Part, ...]
    marker: int | None


def trouble(body: bytes) -> Trouble:
    """Read an error; one that cannot be read has an empty code."""
    try:
        root = _root(body)
    except Unreachable:
        return Trouble()
    return Trouble(*(_text(root, name) for name in ("Code", "Message", "Region")))


def is_called(body: bytes, name: str) -> bool:
    """Whether this is a document of that name.

    AWS sends status 200 first, and may put an error into the body.
    """
    try:
        return _local(_root(body).tag) == name
    except Unreachable:
        return False


def upload_id(body: bytes) -> str:
    """Read the answer to CreateMultipartUpload."""
    found = _text(_root(body), "UploadId")
    if not found:
        raise Unreachable("the server began an upload without naming it")
    return found


def uploads(body: bytes, key: str) -> tuple[str, ...]:
    """Read the uploads of exactly that key from ListMultipartUploads."""
    listed = (each for each in _root(body) if _local(each.tag) == "Upload")
    ids = (_text(each, "UploadId") for each in listed if _text(each, "Key") == key)
    return tuple(ident for ident in ids if ident)


def parts_page(body: bytes) -> PartsPage:
    """Read the answer to ListParts."""
    root = _root(body)
    found = tuple(
        Part(
            _number(element, "PartNumber"),
            _number(element, "Size"),
            bare(_text(element, "ETag")),
            _text(element, "ChecksumSHA256"),
        )
        for element in root
        if _local(element.tag) == "Part"
    )
    more = _text(root, "IsTruncated").lower() == "true"
    return PartsPage(found, _number(root, "NextPartNumberMarker") if more else None)


def completed(body: bytes) -> str | None:
    """Return the ETag in the good answer to CompleteMultipartUpload; None in others."""
    if not is_called(body, "CompleteMultipartUploadResult"):
        return None
    return bare(_text(_root(body), "ETag"))


def completion(
    etags: Sequence[tuple[int, str]], digests: Sequence[Digest] | None
) -> bytes:
    """Write the body of CompleteMultipartUpload.

    `digests` only where the server echoed the checksum algorithm: some refuse
    the element, some refuse its absence.
    """
    root = ET.Element("CompleteMultipartUpload", xmlns=NAMESPACE)
    for number, etag in etags:
        part = ET.SubElement(root, "Part")
        if digests is not None:
            named = ET.SubElement(part, "ChecksumSHA256")
            named.text = b64(digests[number - 1])
        ET.SubElement(part, "ETag").text = f'"{etag}"'
        ET.SubElement(part, "PartNumber").text = str(number)
    return _written(root)


def retention(mode: str, until: str) -> bytes:
    """Write the body of PutObjectRetention; `until` is RFC 3339 UTC."""
    root = ET.Element("Retention", xmlns=NAMESPACE)
    ET.SubElement(root, "Mode").text = mode
    ET.SubElement(root, "RetainUntilDate").text = until
    return _written(root)


def legal_hold() -> bytes:
    """Write the body of PutObjectLegalHold."""
    root = ET.Element("LegalHold", xmlns=NAMESPACE)
    ET.SubElement(root, "Status").text = "ON"
    return _written(root)


def checksum(digest: Digest) -> dict[str, str]:
    """Return the headers that tell a store what the body's SHA-256 is."""
    return {CHECKSUM: b64(digest), "x-amz-sdk-checksum-algorithm": "SHA256"}


def composite(digests: Sequence[Digest]) -> str:
    """Return the SHA-256 of a multipart object as S3 tells it, from its parts'."""
    joined = b"".join(bytes.fromhex(digest) for digest in digests)
    whole = Digest(hashlib.sha256(joined).hexdigest())
    return f"{b64(whole)}-{len(digests)}"


def b64(digest: Digest) -> str:
    """Return a digest as S3's headers carry it."""
    return base64.b64encode(bytes.fromhex(digest)).decode()


def bare(etag: str) -> str:
    """Return an ETag without its quotes: servers are not of one mind about them."""
    return etag.strip().removeprefix("W/").strip('"')


def number(text: str) -> int | None:
    """Read a number of bytes or parts; None if it is none that could be true."""
    plain = text.isascii() and text.isdigit() and len(text) <= DIGITS
    return int(text) if plain else None


def _written(root: ET.Element) -> bytes:
    text: bytes = ET.tostring(root, encoding="utf-8")
    return text


def _root(body: bytes) -> ET.Element:
    try:
        return ET.fromstring(body)  # noqa: S314  our own server; expat bounds entities
    except (ET.ParseError, LookupError, ValueError) as error:
        raise Unreachable(f"an answer that is not XML: {error}") from error


def _text(element: ET.Element, name: str) -> str:
    for child in element:
        if _local(child.tag) == name:
            return child.text or ""
    return ""


def _number(element: ET.Element, name: str) -> int:
    found = number(_text(element, name).strip())
    if found is None:
        raise Unreachable(f"an answer whose {name} is no number")
    return found


def _local(tag: object) -> str:
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
