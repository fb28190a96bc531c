"""What S3 speaks: a few XML documents and the digest's headers. Pure."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from dock_agent.errors import Unreachable
from dock_agent.recording import Digest

CHECKSUM = "x-amz-checksum-sha256"
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error as the server words it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Part:
    """One part as the server lists it."""

    number: int
    size: int
    etag: str


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
        return Trouble("", "")
    return Trouble(_text(root, "Code"), _text(root, "Message"))


def upload_id(body: bytes) -> str:
    """Read the answer to CreateMultipartUpload."""
    found = _text(_root(body), "UploadId")
    if not found:
        raise Unreachable("the server began an upload without naming it")
    return found


def parts_page(body: bytes) -> PartsPage:
    """Read the answer to ListParts."""
    root = _root(body)
    found = tuple(
        Part(
            _number(element, "PartNumber"),
            _number(element, "Size"),
            _text(element, "ETag"),
        )
        for element in root
        if _local(element.tag) == "Part"
    )
    more = _text(root, "IsTruncated").lower() == "true"
    return PartsPage(found, _number(root, "NextPartNumberMarker") if more else None)


def completed(body: bytes) -> bool:
    """Whether this is the good answer to CompleteMultipartUpload.

    AWS sends status 200 first and may put an error into the body.
    """
    try:
        return _local(_root(body).tag) == "CompleteMultipartUploadResult"
    except Unreachable:
        return False


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
            checksum = ET.SubElement(part, "ChecksumSHA256")
            checksum.text = b64(digests[number - 1])
        ET.SubElement(part, "ETag").text = etag
        ET.SubElement(part, "PartNumber").text = str(number)
    text: bytes = ET.tostring(root, encoding="utf-8")
    return text


def checksum(digest: Digest) -> dict[str, str]:
    """Return the headers that tell a store what the body's SHA-256 is."""
    return {CHECKSUM: b64(digest), "x-amz-sdk-checksum-algorithm": "SHA256"}


def b64(digest: Digest) -> str:
    """Return a digest as S3's headers carry it."""
    return base64.b64encode(bytes.fromhex(digest)).decode()


def _root(body: bytes) -> ET.Element:
    try:
        return ET.fromstring(body)  # noqa: S314  our own server; expat bounds entities
    except ET.ParseError as error:
        raise Unreachable(f"an answer that is not XML: {error}") from error


def _text(element: ET.Element, name: str) -> str:
    for child in element:
        if _local(child.tag) == name:
            return child.text or ""
    return ""


def _number(element: ET.Element, name: str) -> int:
    text = _text(element, name)
    if not (text.isascii() and text.isdigit()):
        raise Unreachable(f"an answer whose {name} is no number")
    return int(text)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
