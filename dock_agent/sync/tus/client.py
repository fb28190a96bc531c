"""Requests to a tus server, and to where it shows what it took."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from urllib.parse import quote, urljoin

from dock_agent.errors import Barred, Busy, Full, NotTaken, Portal, Unreachable
from dock_agent.recording import Digest
from dock_agent.sync.destination import Object
from dock_agent.sync.transport.client import (
    INTERCEPTED,
    Answer,
    Outgoing,
    Transport,
    suspect,
)
from dock_agent.sync.transport.words import host_of
from dock_agent.sync.tus.words import (
    GONE,
    VERSION,
    Upload,
    expect,
    metadata,
    origin,
)

SPOKEN = {"tus-resumable": VERSION}
HIDDEN = GONE | {405, 501}  # it does not show what it took
BODY = {"content-type": "application/offset+octet-stream"}


class Addressing(StrEnum):
    """How an upload gets its URL."""

    COLLECTION = "collection"  # the server names it
    PATH = "path"  # it is created at, and found under, the object's own key


@dataclass(frozen=True, slots=True)
class Site:
    """Where uploads are created, and where finished objects are fetched by key."""

    endpoint: str
    prefix: str = ""
    addressing: Addressing = Addressing.COLLECTION
    read_endpoint: str | None = None


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What was fetched: its SHA-256, and what the server calls this state of it."""

    digest: Digest
    etag: str


class TokenFile:
    """A bearer token; read again whenever the file changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[tuple[int, int, int], str] | None = None

    def get(self) -> str:
        """Return the token; `Barred` says what is wrong, and never what it is."""
        try:
            facts = self._path.stat()
            version = facts.st_ino, facts.st_size, facts.st_mtime_ns
            known = self._read
            if known is None or known[0] != version:
                known = version, self._path.read_text("utf-8").strip()
        except OSError as error:
            raise Barred(f"token {self._path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise Barred(f"token {self._path} is no text") from error
        token = known[1]
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise Barred(f"token {self._path} must be one word of plain letters")
        self._read = known
        return token


def check(answer: Answer, host: str) -> None:
    """Meet `transport.Check`: a page that is evidence is no portal's.

    A portal neither speaks tus nor names the file that it sends.
    """
    named = {"tus-resumable", "content-disposition"} & answer.headers.keys()
    if not named or answer.status in INTERCEPTED:
        suspect(answer, host)


@dataclass(frozen=True, slots=True)
class Client:
    """Asks as tus wants it. The token goes to the two endpoints, and nowhere else."""

    transport: Transport
    site: Site
    token: TokenFile | None = None

    def name(self, key: str) -> str:
        """Return what an object is called over there."""
        return self.site.prefix + key

    def shown(self, key: str) -> str | None:
        """Return where an object is fetched by its key; None if nowhere."""
        where = self.site.read_endpoint
        return None if where is None else _join(where, self.name(key))

    def options(self) -> frozenset[str]:
        """Return the extensions of the server; `Barred` if it is none of ours."""
        url = self.site.endpoint
        if self.site.addressing is Addressing.PATH:
            url = _join(url, "")
        answer = self.transport.call_again("OPTIONS", url, self._bearer())
        server_error = 500
        if answer.status >= server_error:
            raise Unreachable(f"{url} answered {answer.status}")
        expect(answer, f"asking {url}")
        if VERSION not in _listed(answer, "tus-version"):
            raise Barred(f"{url} is no tus server that speaks {VERSION}")
        return _listed(answer, "tus-extension")

    def create(self, item: Object) -> Upload:
        """Begin an upload (tus, Creation)."""
        url = self.site.endpoint
        if self.site.addressing is Addressing.PATH:
            url = _join(url, self.name(item.key))
        headers = {
            "upload-length": str(item.size),
            "upload-metadata": metadata(self.name(item.key), item),
        }
        answer = self.transport.call("POST", url, {**self._spoken(), **headers})
        _by_tus(expect(answer, f"beginning {item.key}"), url)
        made = urljoin(url, answer.headers.get("location", ""))
        if made == url:
            raise NotTaken(f"beginning {item.key}: it named no upload")
        if origin(made) != origin(url):  # it would be given our token
            raise Barred(
                f"{url} begins uploads at {_site(made)}: it must be told by its proxy"
                " under which scheme and host it is reached"
            )
        return Upload(made).told(answer)

    def head(self, url: str) -> Answer:
        """Ask how an upload stands; whatever a tus server answers is returned."""
        return _by_tus(self.transport.call_again("HEAD", url, self._spoken()), url)

    def patch(self, url: str, offset: int, body: Outgoing) -> Answer:
        """Send bytes from an offset; whatever a tus server answers is returned."""
        headers = {**self._spoken(), **BODY, "upload-offset": str(offset)}
        return _by_tus(self.transport.call("PATCH", url, headers, body), url)

    def delete(self, url: str) -> bool:
        """Ask to take away an upload, or what it became; return whether it says so."""
        return self.transport.call_again("DELETE", url, self._spoken()).good

    def look(self, url: str) -> Answer | None:
        """Return the head of what is there; None if there is nothing."""
        answer = self.transport.call_again("HEAD", url, self._bearer())
        return None if answer.status in GONE else expect(answer, f"looking at {url}")

    def fetch(self, url: str) -> Answer | None:
        """Return a small object whole; None if there is none."""
        answer = self.transport.call_again("GET", url, self._bearer())
        return None if answer.status in GONE else expect(answer, f"reading {url}")

    def read_back(self, url: str, item: Object) -> ReadBack | None:
        """Fetch every byte there is; None if there is nothing, or it is not shown.

        A link that breaks off is gone on with, as long as each try gets further.
        """
        reading = _Reading(item)
        while True:
            before = reading.count
            try:
                return self._read(url, item, reading)
            except (Portal, Busy, Full):
                raise
            except Unreachable:
                if reading.ended or reading.count <= before:
                    raise

    def _read(self, url: str, item: Object, reading: "_Reading") -> ReadBack | None:
        read = self.transport.read
        with read(url, self._bearer(), reading.heard, reading.count) as got:
            if got.answer.status in HIDDEN:
                return None
            expect(got.answer, f"reading {item.key} back")
            etag = got.answer.headers.get("etag", "")
            reading.begin(got.offset, etag)
            for piece in got.pieces:
                if not reading.took(piece):
                    break  # it is longer: it will not become ours
            return ReadBack(reading.digest, etag)

    def _bearer(self) -> Mapping[str, str]:
        if self.token is None:
            return {}
        return {"authorization": f"Bearer {self.token.get()}"}

    def _spoken(self) -> Mapping[str, str]:
        return {**self._bearer(), **SPOKEN}


class _Reading:
    """How far an object was read back, over several answers."""

    def __init__(self, item: Object) -> None:
        self._item = item
        self._whole, self.count, self._etag = hashlib.sha256(), 0, ""
        self.ended = False  # whether it was our own side that ended it

    def heard(self, count: int) -> None:
        self.ended = True
        self._item.moved(count)
        self.ended = False

    def begin(self, offset: int, etag: str) -> None:
        """Go on from `offset`; a server that knows no ranges begins anew.

        The halves of two objects may be ours where neither of them is.
        """
        if offset == 0:
            self._whole, self.count, self._etag = hashlib.sha256(), 0, etag
        elif not etag or etag != self._etag:
            raise NotTaken("while it was read back, it may have become another object")

    def took(self, piece: bytes) -> bool:
        """Hash a piece; whether there may be more."""
        self._item.keep(self.count, piece)
        self._whole.update(piece)
        self.count += len(piece)
        return self.count <= self._item.size

    @property
    def digest(self) -> Digest:
        return Digest(self._whole.hexdigest())


def _by_tus(answer: Answer, url: str) -> Answer:
    """Raise `Portal` if it was no tus server that took it, or knows of no upload.

    Each answer of one says so (tus, Tus-Resumable). Else a proxy that has lost its
    way, for a moment, would let a whole upload begin again.
    """
    said = answer.good or answer.status in GONE
    if said and "tus-resumable" not in answer.headers:
        host = host_of(url)  # who knows the rest of it could end the upload
        raise Portal(f"{host} answered {answer.status}, and not as a tus server does")
    return answer


def _site(url: str) -> str:
    return f"{url.partition('://')[0]}://{host_of(url)}"


def _join(base: str, name: str) -> str:
    return f"{base.rstrip('/')}/{quote(name, safe='/')}"


def _listed(answer: Answer, header: str) -> frozenset[str]:
    words = answer.headers.get(header, "").split(",")
    return frozenset(word.strip() for word in words if word.strip())
