"""An Axis content destination: its published API, as a client (README, v1.6.13).

The API is a small part of OpenStack Swift. No object in it goes on from its middle:
one that was cut is sent anew. What goes where is in `names`, what is told of it
in `metadata`; see docs/axis.md.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from dock_agent import config
from dock_agent.clock import Clock, stamp
from dock_agent.errors import Barred, ConfigError, NotTaken, Refused, Unreachable
from dock_agent.recording import Proof
from dock_agent.sync.axis import metadata, names
from dock_agent.sync.axis.account import Account, Rejected, Seen, meant
from dock_agent.sync.axis.body import Handle, Stage, Steps, is_whole
from dock_agent.sync.axis.capabilities import plain
from dock_agent.sync.axis.connection import ConnectionFile
from dock_agent.sync.axis.identity import Identity
from dock_agent.sync.axis.people import People
from dock_agent.sync.axis.proof import Findings, find_out
from dock_agent.sync.axis.rejected import Rejects
from dock_agent.sync.axis.shelf import Shelf
from dock_agent.sync.axis.upload import Upload, called
from dock_agent.sync.content import kept
from dock_agent.sync.destination import (
    NOTHING_KNOWN,
    Capabilities,
    Confirmation,
    Look,
    Object,
    Progress,
    Remember,
)

log = logging.getLogger(__name__)

OK, BROKEN = 200, 500


class Axis:
    """Meets `destination.Destination`.

    With the docking's signature there, and proved, its containers become Complete.
    """

    def __init__(
        self,
        account: Account,
        shelf: Shelf,
        identity: Identity,
        clock: Clock,
        known: Capabilities = NOTHING_KNOWN,
    ) -> None:
        self._account, self._shelf, self._identity = account, shelf, identity
        self._upload = Upload(account, shelf)
        self._rejects = Rejects(account, shelf.station, shelf.anybody, clock)
        self._clock, self._known = clock, known
        self._found: Findings | None = None

    def close(self) -> None:
        self._account.close()

    @property
    def capabilities(self) -> Capabilities:
        return self._known

    def probe(self) -> None:
        with _as_a_whole():
            self._account.ask_capable()

    def check(self) -> str:
        self._account.ask_capable()
        found = self._find_out()
        expected = self._account.connection.container_type
        return f"writable; {found}; it expects video as {expected}"

    def marker(self) -> str | None:
        with _as_a_whole():
            return self._identity.marker()

    def mark(self, ident: str) -> None:
        with _as_a_whole():
            self._identity.mark(ident)

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        steps = Steps(done, remember)
        try:
            handle = self._sent(item, steps)
        except Rejected as refusal:
            handle = self._kept_apart(item, steps, refusal)
        sent = steps.at(handle, item.size)
        if item.about.seal:
            self._complete(item, sent)
        return sent

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        handle = Handle.parse(done.upload)
        given = [self._read_back(item, spot) for spot in self._spots(item, handle)]
        for told in given:
            if told is not None and told.proof is Proof.READ_BACK:
                return told
        if any(given) or not sent or handle is None:
            return None
        if handle.stage is not Stage.ECHOED or not self._echoes():
            return None
        if self._seen(handle.spot).there is False:
            return None
        return _proof(Proof.ECHOED, item, handle.md5, handle.spot)

    def look(self, item: Object, done: Progress) -> Look | None:
        handle = Handle.parse(done.upload)
        for spot in self._spots(item, handle):
            seen = self._seen(spot)
            if seen.there:
                return _look(item, seen)
            if seen.there is None and handle and handle.stage is not Stage.MEASURED:
                return Look(done.sent, handle.md5)  # what it said when it took it
        return None

    def _seen(self, spot: names.Spot) -> Seen:
        return self._account.seen((spot.container, spot.name))

    def _spots(self, item: Object, handle: Handle | None) -> tuple[names.Spot, ...]:
        """Return where an object can be; where it went, if that is known."""
        if handle is not None:
            return (handle.spot,)
        first = names.spot(item.about, self._shelf.anybody)
        return tuple(dict.fromkeys((first, names.late(item.about))))

    def _sent(self, item: Object, steps: Steps) -> Handle:
        """Send an object to its container, unless it is there."""
        known = steps.known
        spot = known.spot if known else names.spot(item.about, self._shelf.anybody)
        seen = self._seen(spot)
        if not seen.there:
            placed = self._shelf.place(item.about)
            seen = seen if placed == spot else self._seen(placed)
            spot = placed
        handle = steps.begun(item, spot)
        return self._arrived(item, steps, handle, seen)

    def _kept_apart(self, item: Object, steps: Steps, refusal: Rejected) -> Handle:
        """Send what its container is never to have to one for rejected content."""
        spot = self._rejects.spot(item.about, steps.known, refusal)
        handle = steps.begun(item, spot)
        steps.at(handle)  # before it is made: a restart makes no second one
        self._rejects.make(item.about, spot, refusal)
        log.warning("object rejected key=%s to=%s %s", item.key, called(spot), refusal)
        absent = Seen(there=False, headers={})
        return self._arrived(item, steps, handle, absent)

    def _arrived(self, item: Object, steps: Steps, begun: Handle, seen: Seen) -> Handle:
        """Return how an object is there; what is there is never replaced."""
        handle = begun
        if not seen.there:
            steps.at(begun)
            seen, handle = self._upload.put(item, begun)
        if not seen.there:
            return handle
        if not self._is_ours(item, handle, seen):
            raise Refused(f"another object is already called {called(handle.spot)}")
        return handle.found_again(steps.known, plain(seen.headers.get("etag", "")))

    def _is_ours(self, item: Object, handle: Handle, seen: Seen) -> bool:
        """Whether what is there can be what is sent; `confirm` proves it."""
        etag = plain(seen.headers.get("etag", ""))
        if etag:
            return etag == handle.md5
        told = metadata.told_digest(seen.headers)
        if told:
            return told == item.digest
        back = self._read_back(item, handle.spot)
        return back is not None and back.proof is Proof.READ_BACK

    def _complete(self, item: Object, sent: Progress) -> None:
        """Complete the docking, once its signature is proved to be there."""
        if self.confirm(item, sent, sent=True) is None:
            raise NotTaken(f"{item.key}: it is not there, whole: nothing is complete")
        self._shelf.complete(item.about)

    def _read_back(self, item: Object, spot: names.Spot) -> Confirmation | None:
        """Fetch every byte; None if it gives none, no proof if they are others."""
        with self._account.read((spot.container, spot.name), item.moved) as incoming:
            answer = incoming.answer
            if answer.status >= BROKEN:
                raise meant(answer, f"reading {called(spot)} back")
            if answer.status != OK:
                return None
            if not is_whole(item, kept(item.keep, incoming.pieces)):
                return Confirmation(Proof.NONE, item.digest)
            etag = plain(answer.headers.get("etag", ""))
            return _proof(Proof.READ_BACK, item, etag, spot)

    def _echoes(self) -> bool:
        """Whether an ETag is proof: it is not where objects are given back."""
        if self._account.connection.full:
            return False
        try:
            found = self._found or self._find_out()
        except (NotTaken, Refused):
            return False  # it does not let us try
        return found.echoes and not found.reads

    def _find_out(self) -> Findings:
        found = self._found = find_out(self._account, self._identity.system)
        self._known = Capabilities(
            objects=found.echoes,
            parts=False,
            conditional=found.conditional,
            locks=False,
            asked_at=stamp(self._clock.now().utc),
        )
        return found


def open_axis(
    whole: config.Config,
    table: config.Destination,
    clock: Clock,
    known: Capabilities = NOTHING_KNOWN,
) -> Axis:
    """Return the destination; nothing is read, sent or looked for yet.

    `known` is what was learnt of the place before.
    """
    if table.connection_file is None:
        raise ConfigError(f"destination {table.name} needs a `connection_file`")
    path, insecure = whole.resolve(table.connection_file), table.insecure
    account = Account(ConnectionFile(path, insecure=insecure), insecure=insecure)
    station = whole.station.id
    shelf = Shelf(account, People(account, table.user_id), station)
    identity = Identity(account, names.system_id(station, table.name), station)
    return Axis(account, shelf, identity, clock, known)


def _proof(proof: Proof, item: Object, etag: str, spot: names.Spot) -> Confirmation:
    """Return a proof; what the place rejected is there, and a person is to know."""
    rejected = names.rejected_at(spot.container) is not None
    apart = f"the place rejected it: {spot.container}" if rejected else ""
    return Confirmation(proof, item.digest, etag, apart=apart)


def _look(item: Object, seen: Seen) -> Look:
    etag = plain(seen.headers.get("etag", ""))
    length = seen.headers.get("content-length", "")
    size = int(length) if length.isascii() and length.isdigit() else 0
    if not (size or etag) and metadata.told_digest(seen.headers) == item.digest:
        size = item.size  # it tells what it was told, and no length
    return Look(size, etag)


@contextmanager
def _as_a_whole() -> Iterator[None]:
    """Let what is about no object rest the destination, and never an object."""
    try:
        yield
    except NotTaken as error:
        raise Unreachable(str(error)) from error
    except Refused as error:
        raise Barred(str(error)) from error
