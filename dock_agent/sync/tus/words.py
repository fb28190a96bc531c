"""What is said to a tus server, and what its answers mean: tables and texts.

The protocol is tus 1.0.0 (https://tus.io/protocols/resumable-upload).
"""

import base64
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from urllib.parse import quote, urlsplit

import msgspec

from dock_agent.errors import Barred, Full, NotTaken, Refused, SyncError
from dock_agent.recording import PART_SIZE
from dock_agent.sync.destination import Object
from dock_agent.sync.transport.client import Answer
from dock_agent.sync.transport.words import line_of

VERSION = "1.0.0"
LEAST = 512 << 10  # bytes: a proxy that takes no request of that size takes none
CLOSING = 1 << 20  # bytes of the request that closes an upload, where names collide
GONE = frozenset({404, 410})
PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
PORTS = {"http": 80, "https": 443}
DIGITS = 19  # more of them are no number of bytes

MEANS: Mapping[int, type[SyncError]] = {
    401: Barred,
    402: Full,
    403: Barred,
    404: Barred,  # where uploads are created
    405: Barred,
    408: NotTaken,
    409: NotTaken,
    410: NotTaken,
    412: Barred,
    415: Barred,
    423: NotTaken,
    425: NotTaken,
    460: NotTaken,
    507: Full,
}
"""What a status means. Any other below 500 is `Refused`, above it `NotTaken`."""


class Seen(StrEnum):
    """What an upload looks like over there."""

    OPEN = "open"  # some of the bytes are missing
    WHOLE = "whole"  # it has as many as it should
    STRANGE = "strange"  # it is of another length: not ours
    GONE = "gone"  # expired, taken away, or cleared up because it was whole


class Then(StrEnum):
    """What follows."""

    GO_ON = "go on"  # from the server's offset, whatever we remember
    DONE = "done"
    AGAIN = "again"  # from the beginning, as a new upload
    PROVE = "prove"  # it must be proved, or be begun again


MOVES: Mapping[tuple[Seen, bool], Then] = {
    (Seen.OPEN, False): Then.GO_ON,
    (Seen.OPEN, True): Then.GO_ON,
    (Seen.WHOLE, False): Then.DONE,
    (Seen.WHOLE, True): Then.PROVE,  # a proof was wanted before, and did not come
    (Seen.STRANGE, False): Then.AGAIN,
    (Seen.STRANGE, True): Then.AGAIN,
    (Seen.GONE, False): Then.AGAIN,
    (Seen.GONE, True): Then.PROVE,  # expired, or complete: nobody can tell from here
}
"""By what is seen, and whether every byte was acknowledged before."""


class Upload(msgspec.Struct, frozen=True, omit_defaults=True):
    """An upload that was begun, as `Progress.upload` keeps it: JSON.

    `expires` is when the server may forget it. `receipt` is what it gave for the
    last byte, not checked yet. `unproven` counts the uploads before this one that
    were taken whole, and then not shown.
    """

    url: str
    expires: datetime | None = None
    receipt: str | None = None
    unproven: int = 0

    @classmethod
    def of(cls, handle: str | None) -> "Upload | None":
        """Read a handle; None if there is none, or it is no handle of ours."""
        try:
            return msgspec.json.decode(handle or "", type=cls)
        except msgspec.DecodeError:
            return None

    def handle(self) -> str:
        """Return it as `Progress.upload` keeps it."""
        return msgspec.json.encode(self).decode()

    def told(self, answer: Answer) -> "Upload":
        """Return it with what an answer says of it."""
        receipt = answer.headers.get("upload-receipt", self.receipt)
        expires = moment(answer.headers.get("upload-expires")) or self.expires
        return msgspec.structs.replace(self, expires=expires, receipt=receipt)


def metadata(name: str, item: Object) -> str:
    """Return Upload-Metadata: keys, each with its value in base64.

    `key` is the whole name. `filename` is for people, and has nothing but ASCII: the
    official server cannot show an upload whose file name has more.
    """
    pairs = {
        "filename": quote(name, safe=PLAIN),
        "key": name,
        "sha256": item.digest,
        "docking": item.about.docking,
        "size": str(item.size),
    }
    return ",".join(
        f"{key} {base64.b64encode(value.encode()).decode()}"
        for key, value in pairs.items()
        if value
    )


def seen(answer: Answer, size: int) -> Seen:
    """Return what the answer to HEAD shows of an upload of `size` bytes.

    One without an offset says nothing: `NotTaken`.
    """
    if answer.status in GONE:
        return Seen.GONE
    offset, length = count(answer, "upload-offset"), count(answer, "upload-length")
    if offset is None:
        raise NotTaken("it does not say how much of the upload it has")
    if offset > size or length not in {None, size}:
        return Seen.STRANGE
    return Seen.WHOLE if offset == size else Seen.OPEN


def due(offset: int, size: int, most: int, *, closing: bool) -> int:
    """Return how many bytes the next request has.

    A request ends with a part, so that each part is held against its digest. With
    `closing`, the last one is small: where an object gets its name by being whole,
    what is looked at just before has little time to change.
    """
    end = min(offset - offset % PART_SIZE + PART_SIZE, size)
    length = min(end - offset, most)
    if closing and offset + length == size and length > CLOSING:
        return length - CLOSING
    return length


def count(answer: Answer, header: str) -> int | None:
    """Return a header that is a number of bytes; None if it is not."""
    text = answer.headers.get(header, "")
    known = text.isascii() and text.isdigit() and len(text) <= DIGITS
    return int(text) if known else None


def moment(text: str | None) -> datetime | None:
    """Read Upload-Expires, an HTTP date (RFC 9110, 5.6.7); None if it is none."""
    try:
        found = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return found if found.tzinfo else None


def origin(url: str) -> tuple[str, str, int | None]:
    """Return whom a URL asks: scheme, host and port; no host if it is no URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:
        return "", "", None
    return parts.scheme, parts.hostname or "", port


def expect(answer: Answer, doing: str) -> Answer:
    """Return a good answer; raise what a bad one means, in the server's words."""
    if answer.good:
        return answer
    what = f"{doing}: {answer.status} {_words(answer)}".rstrip()
    if _wants_another_version(answer):
        raise Barred(f"{what}; it speaks another tus than {VERSION}")
    raise _meaning(answer.status)(what)


def _meaning(status: int) -> type[SyncError]:
    server_error = 500
    return MEANS.get(status, Refused if status < server_error else NotTaken)


def _wants_another_version(answer: Answer) -> bool:
    """Whether 400 or 412 is about the version; no key of ours is then at fault."""
    spoken = answer.headers.get("tus-version", VERSION).replace(" ", "").split(",")
    named = "tus-resumable" in _words(answer).lower()
    return answer.status in {400, 412} and (named or VERSION not in spoken)


def _words(answer: Answer) -> str:
    return line_of(answer.body.decode("utf-8", "replace"))
