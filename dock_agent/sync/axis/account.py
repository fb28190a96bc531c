"""Calls to the account at an Axis content destination, and what its answers mean.

A token is asked for once and kept until the destination says that it is good no
longer (README, "Access token API").
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from dock_agent.errors import (
    Barred,
    DockError,
    Full,
    NotTaken,
    Portal,
    Refused,
    Unreachable,
)
from dock_agent.sync.axis.capabilities import EVERYTHING, NOTHING, supported
from dock_agent.sync.axis.connection import Connection, ConnectionFile, safe
from dock_agent.sync.content import Moved
from dock_agent.sync.transport.client import (
    INTERCEPTED,
    Answer,
    Incoming,
    Outgoing,
    Transport,
    again,
)
from dock_agent.sync.transport.words import line_of, shown

CAPABILITIES = ("System", "Capabilities.json")
OK, UNAUTHORIZED, ABSENT = 200, 401, 404
BROKEN = 500
SILENT = frozenset({400, 403, 405, 501})  # to HEAD or GET: it is not offered
OWN = frozenset({"x-auth-token", "x-trans-id", "x-openstack-request-id"})


class Rejected(Refused):
    """The content destination can never store this as it stands."""

    def __init__(self, message: str = "", reason: str = "") -> None:
        """`reason` is in the server's own words."""
        super().__init__(message)
        self.reason = reason


MEANING: Final[Mapping[int, tuple[type[DockError], str]]] = {
    400: (Rejected, "it can never store this"),
    401: (Barred, "it wants another name or key"),
    # Of one user or one camera: the others have theirs, and go on.
    402: (NotTaken, "it has no licence left for that"),
    403: (Barred, "this station may not do that there"),
    404: (Barred, "there is no such place in the account"),
    413: (Refused, "it takes nothing so large (a standard Swift: 5 GiB)"),
    422: (NotTaken, "what arrived there is not what was sent"),
    507: (Full, "it has no room left"),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a thing told. `there` is None where it does not say."""

    there: bool | None
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Way:
    """How to speak to whom one reading of the connection file names."""

    connection: Connection
    transport: Transport
    certificates: Path | None


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    storage: str


class Account:
    """One account; several threads may use it. Methods raise as a destination does.

    A path is a container, or a container and an object in it.
    """

    def __init__(self, file: ConnectionFile, *, insecure: bool = False) -> None:
        self._file, self._insecure = file, insecure
        self._ways: dict[Connection, _Way] = {}
        self._tokens: dict[Connection, _Token] = {}
        self._capable: dict[Connection, frozenset[str]] = {}

    @property
    def connection(self) -> Connection:
        """Return what the connection file says now; `Barred` if it is not sound."""
        return self._file.get()

    def close(self) -> None:
        for way in self._ways.values():
            way.transport.close()
            if way.certificates is not None:
                os.close(int(way.certificates.name))
        self._ways.clear()

    def call(
        self,
        method: str,
        path: tuple[str, ...],
        headers: Mapping[str, str] | None = None,
        body: bytes | Outgoing = b"",
    ) -> Answer:
        """Send a request, with a new token if the old one is good no longer.

        What is small is sent a few times within seconds.
        """

        def asked(way: _Way, token: _Token) -> Answer:
            url, told = _request(token, path, headers or {})
            if isinstance(body, Outgoing):
                return way.transport.call(method, url, told, body)
            return again(lambda: way.transport.call(method, url, told, body))

        way, token = self._entered()
        answer = asked(way, token)
        if answer.status == UNAUTHORIZED:
            answer = asked(way, self._renewed(way, token))
        return answer

    @contextmanager
    def read(self, path: tuple[str, ...], moved: Moved) -> Iterator[Incoming]:
        """Fetch an object, within the block."""
        way, token = self._entered()
        url, told = _request(token, path, {})
        with way.transport.read(url, told, moved) as incoming:
            if incoming.answer.status != UNAUTHORIZED:
                yield incoming
                return
        url, told = _request(self._renewed(way, token), path, {})
        with way.transport.read(url, told, moved) as incoming:
            yield incoming

    def capable(self) -> frozenset[str]:
        """Return what the destination says it supports; it is asked once."""
        connection = self.connection
        if connection.full:
            return EVERYTHING
        known = self._capable.get(connection)
        return self.ask_capable() if known is None else known

    def ask_capable(self) -> frozenset[str]:
        """Ask what the destination says it supports."""
        answer = self.call("GET", CAPABILITIES)
        if answer.status == UNAUTHORIZED or answer.status >= BROKEN:
            raise meant(answer, "reading System/Capabilities.json")
        etag = answer.headers.get("etag", "")
        found = supported(answer.body, etag) if answer.status == OK else NOTHING
        self._capable[self.connection] = found
        return EVERYTHING if self.connection.full else found

    def seen(self, path: tuple[str, ...]) -> Seen:
        """Look at a container or an object; by GET where HEAD is not offered."""
        answer = self.call("HEAD", path)
        if answer.status in SILENT and len(path) > 1:
            with self.read(path, _unheard) as incoming:
                answer = incoming.answer
        if answer.good:
            return Seen(there=True, headers=answer.headers)
        if answer.status == ABSENT:
            return Seen(there=False, headers={})
        if answer.status in SILENT:
            return Seen(there=None, headers={})
        raise meant(answer, f"looking at {'/'.join(path)}")

    def _entered(self) -> tuple[_Way, _Token]:
        way = self._way(self.connection)
        token = self._tokens.get(way.connection)
        return way, token or self._renewed(way, None)

    def _renewed(self, way: _Way, old: _Token | None) -> _Token:
        """Return a token that is not `old`; another thread may have got it already."""
        known = self._tokens.get(way.connection)
        if known is None or known is old:
            known = self._tokens[way.connection] = self._asked(way)
        return known

    def _asked(self, way: _Way) -> _Token:
        failure: Unreachable | None = None
        for uri in way.connection.uris:
            try:
                return self._given(way, uri)
            except Unreachable as error:
                failure = failure or error
        assert failure is not None  # noqa: S101  there is at least one URI
        raise failure

    def _given(self, way: _Way, uri: str) -> _Token:
        where = shown(uri)
        who = {"X-Auth-User": way.connection.user, "X-Auth-Key": way.connection.key}
        answer = way.transport.call_again("GET", uri, who)
        if answer.status >= BROKEN:
            raise Unreachable(f"{where}: {answer.status} {words(answer)}")
        if not answer.good:
            raise meant(answer, f"asking {where} for a token")
        text = answer.headers.get("x-auth-token", "")
        storage = answer.headers.get("x-storage-url", "").rstrip("/")
        if not text or not storage:
            raise Portal(f"{where} answered {answer.status}, and gave no token")
        secure = urlsplit(storage).scheme == "https"
        allowed = secure or urlsplit(uri).scheme != "https"  # never back to http
        if not allowed or not safe(storage, insecure=self._insecure):
            raise Barred(f"{where} sends us to {shown(storage)}, which is not secure")
        return _Token(text, storage)

    def _way(self, connection: Connection) -> _Way:
        way = self._ways.get(connection)
        if way is None:
            pinned = _pinned(connection)
            made = _Way(connection, Transport(pinned, check=_check), pinned)
            way = self._ways.setdefault(connection, made)
        return way


def expect(answer: Answer, doing: str, *due: int) -> Answer:
    """Return the answer if it is one that was due; raise what any other means."""
    if answer.status in due:
        return answer
    raise meant(answer, doing)


def meant(answer: Answer, doing: str) -> DockError:
    """Return what an answer means (README, "Error response descriptions")."""
    if answer.good:
        return Portal(f"{doing}: {answer.status} is no answer of a content destination")
    kind, why = MEANING.get(answer.status, (NotTaken, "it failed"))
    told = words(answer)
    message = f"{doing}: {answer.status}, {why}{': ' if told else ''}{told}"
    return Rejected(message, told) if kind is Rejected else kind(message)


def words(answer: Answer) -> str:
    """Return what a server says, as one line."""
    text = answer.body.decode("utf-8", "replace")
    if answer.headers.get("content-type", "").startswith("text/html"):
        text = re.sub(r"<[^>]*>", " ", text)
    return line_of(text)


def _request(
    token: _Token, path: tuple[str, ...], headers: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    url = "/".join((token.storage, *(quote(part, safe="") for part in path)))
    return url, {**headers, "X-Auth-Token": token.text}


def _check(answer: Answer, host: str) -> None:
    """Tell a portal's page from a Swift's answers, which say that they are pages."""
    page = answer.headers.get("content-type", "").startswith("text/html")
    strange = answer.status == OK and page and not OWN & answer.headers.keys()
    if answer.status in INTERCEPTED or strange:
        raise Portal(f"{host} answered {answer.status} with somebody else's page")


def _pinned(connection: Connection) -> Path | None:
    """Return a file of the certificates that lies on no disk."""
    if connection.certificates is None:
        return None
    fd = os.memfd_create("axis-certificates", os.MFD_CLOEXEC)
    os.write(fd, connection.certificates.encode())  # memory: it takes all at once
    return Path(f"/proc/self/fd/{fd}")


def _unheard(count: int) -> None:
    del count
