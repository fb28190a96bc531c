"""An S3 store as a destination: AWS, Ceph, SeaweedFS, MinIO and the like.

Objects of one part go in one PUT; larger ones in a multipart upload whose id and
parts the caller keeps, so that a restart sends only what is missing. Every part
carries its SHA-256 twice, as signed payload digest and as checksum header: each real
server checks one of the two. Nothing is confirmed for its status alone: a digest that
the store echoes counts where the store was tried and found to check what it takes and
to return what it puts together, and only for bytes that were just sent; else every
byte is read back. Nothing of that name is overwritten.
"""

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from dock_agent.clock import stamp, unstamp
from dock_agent.errors import Barred, NotTaken, Refused
from dock_agent.recording import Proof
from dock_agent.sync.content import Moved, unheard
from dock_agent.sync.destination import (
    NOTHING_KNOWN,
    Capabilities,
    Confirmation,
    Look,
    Object,
    Progress,
    Remember,
)
from dock_agent.sync.s3.answers import ABSENT, THERE, UNKNOWN, expect, welcome
from dock_agent.sync.s3.client import Client, Request, sha256
from dock_agent.sync.s3.handle import Handle, found
from dock_agent.sync.s3.layout import BY_DEFAULT, InParts, Layout
from dock_agent.sync.s3.lock import NO_LOCK, Lock, bucket_has_it, ensure
from dock_agent.sync.s3.object import Entry, entry, read_back
from dock_agent.sync.s3.probe import COST, Objects, Unsound, ask
from dock_agent.sync.s3.put import ABSENT_ONLY, Sending, put_whole, stands
from dock_agent.sync.s3.upload import Upload
from dock_agent.sync.s3.uploads import abort_all
from dock_agent.sync.s3.xml import checksum
from dock_agent.sync.stall import Stall

MARKER = "dock-agent.destination"
ASK_AGAIN = timedelta(days=7)  # servers are updated, and buckets moved
READINGS = 2  # that bring other bytes, until it is another object


class Marker(msgspec.Struct, frozen=True, forbid_unknown_fields=False):
    """What the marker's object says."""

    id: str


class S3:
    """Meets `destination.Destination`."""

    def __init__(
        self,
        client: Client,
        prefix: str,
        known: Capabilities = NOTHING_KNOWN,
        *,
        lock: Lock = NO_LOCK,
        parts: InParts = BY_DEFAULT,
    ) -> None:
        self._client, self._prefix, self._lock = client, prefix, lock
        self._parts = parts
        self._asking: list[Moved] = []  # by whom the store is tried just now
        client.knowledge.learn(**msgspec.structs.asdict(known))

    @property
    def capabilities(self) -> Capabilities:
        return self._client.known

    def close(self) -> None:
        self._client.transport.close()

    def probe(self) -> None:
        self._client.visit(self._prefix)

    def check(self) -> str:
        self.probe()
        # Nobody else hears of these bytes: a trickle would hold the thread for days.
        said = self._ask(Stall(self._client.clock, unheard))
        if not self._lock.wanted:
            return said
        held = bucket_has_it(self._client)
        self._client.knowledge.learn(locks=held)
        if held is False:
            raise Barred("the bucket has no object lock, and objects are to have it")
        return f"{said}; object lock"

    def marker(self) -> str | None:
        answer = self._client.call("GET", self._prefix + MARKER)
        if answer.status == ABSENT:
            self.probe()  # or there is no bucket
            return None
        welcome(answer, "reading the marker")
        try:
            return msgspec.json.decode(answer.body, type=Marker).id
        except (msgspec.DecodeError, UnicodeError) as error:
            raise Barred(f"the marker {MARKER} cannot be read: {error}") from error

    def mark(self, ident: str) -> None:
        if self.marker() is None:
            self._write_marker(msgspec.json.encode(Marker(ident)))
        found_there = self.marker()
        if found_there != ident:
            raise Barred(f"this place is marked {found_there}, not {ident}")

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        sending = self._sending(item)
        there = entry(self._client, sending.key)
        if there is None and sending.layout.single:
            done = put_whole(sending, done)
        elif there is None:
            done = Upload(sending, remember, done, self._parts.ahead).send()
        if there is None and Handle.read(done.upload).was_found:
            there = entry(self._client, sending.key)  # it came in between
        if there is not None:
            done = self._already(sending, done, there)
        if self._lock.wanted:
            ensure(self._client, sending.key, self._lock)
        return done

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        sending, handle = self._sending(item), Handle.read(done.upload)
        there = self._there(sending.key)
        if there is None:
            return None
        if sent and self._echoes(sending, handle, there):
            return Confirmation(Proof.ECHOED, item.digest, there.etag, there.version)
        proved = self._proved(item, there)
        if proved is None and sent and handle.was_found:
            raise another(item)
        return proved

    def look(self, item: Object, done: Progress) -> Look | None:
        del done  # a key says it all
        there = self._there(self._prefix + item.key)
        if there is None:
            return None
        if there.size is None:
            raise NotTaken(f"{item.key}: the store does not say how long it is")
        return Look(there.size, there.etag, there.version)

    def _already(self, sending: Sending, done: Progress, there: Entry) -> Progress:
        """Take an object that is there for ours, if it is; its bytes decide.

        One that says it is ours is read back by `confirm`, and not twice.
        """
        item = sending.item
        if there.size not in {None, item.size}:
            raise another(item)
        if there.ours != item.digest and self._proved(item, there) is None:
            raise another(item)
        if not sending.layout.single:
            abort_all(self._client, sending.key)
        return stands(done, found(), sending)

    def _proved(self, item: Object, there: Entry) -> Confirmation | None:
        """Read it back; other bytes twice, as it may be the way that changed them."""
        for _ in range(READINGS):
            read = read_back(self._client, self._prefix + item.key, item, there)
            if read is None:
                return None
            if read.digest == item.digest:
                return Confirmation(
                    Proof.READ_BACK, read.digest, read.etag, read.version
                )
        return None

    def _echoes(self, sending: Sending, handle: Handle, there: Entry) -> bool:
        """Whether what was just sent is there, by a digest that can be believed."""
        item = sending.item
        same = there.etag == handle.sent_etag and there.size == item.size
        if not (same and there.checksum and there.checksum == sending.layout.echo()):
            return False
        # While another thread tries it, this one reads back: one try is enough.
        if not self._asked_lately() and item.size > COST and not self._asking:
            self._ask_in_passing(item.moved)
        known = self._client.known
        if not self._asked_lately():
            return False
        if sending.layout.single:
            return known.objects is True
        return known.parts is True and known.whole is True

    def _asked_lately(self) -> bool:
        try:
            at = unstamp(self._client.known.asked_at or "")
            return abs(self._client.clock.now().utc - at) < ASK_AGAIN
        except (ValueError, TypeError):
            return False

    def _ask(self, moved: Moved) -> str:
        """Try the store, and say in a line what it does."""
        self._asking.append(moved)
        try:
            tried = ask(self._client, self._prefix, moved)
        finally:
            self._asking.remove(moved)
        self._asked()
        left = "" if tried.deletes else "; may not delete, .probe/ is left there"
        return f"writable; {_told(self._client.known, tried)}{left}"

    def _ask_in_passing(self, moved: Moved) -> None:
        """Try the store; where it will not be tried, what is sent is read back.

        One that returns other bytes than it was sent is `Barred`.
        """
        try:
            self._ask(moved)
        except Unsound:
            raise
        except (Barred, NotTaken, Refused):
            self._asked()

    def _asked(self) -> None:
        now = stamp(self._client.clock.now().utc)
        self._client.knowledge.learn(asked_at=now)

    def _there(self, key: str) -> Entry | None:
        """Return the entry; None only where the bucket is there without it."""
        there = entry(self._client, key)
        if there is None:
            self.probe()  # to HEAD, a bucket that is gone is no other answer
        return there

    def _write_marker(self, body: bytes) -> None:
        """Write it where there is none, as far as the store can see to that."""
        key, digest = self._prefix + MARKER, sha256(body)
        known = self._client.known.conditional
        condition: Mapping[str, str] = {} if known is False else ABSENT_ONLY
        headers = {**checksum(digest), "content-type": "application/json"}
        put = Request("PUT", key, {}, {**headers, **condition}, digest)
        answer = self._client.once(put, body)
        if condition and answer.status in UNKNOWN:
            put = Request("PUT", key, {}, headers, digest)
            answer = self._client.once(put, body)
        if answer.status not in THERE:
            expect(answer, "writing the marker", Barred)

    def _sending(self, item: Object) -> Sending:
        layout = Layout(item, self._parts.most)
        return Sending(self._client, self._prefix + item.key, layout, self._lock)


def another(item: Object) -> Refused:
    """Return what is raised where a name is taken: nothing is ever replaced."""
    return Refused(f"another object is already called {item.key}")


def _told(known: Capabilities, tried: Objects) -> str:
    if known.whole is False:
        return "what it puts together of parts is not what was sent: read back"
    if not (known.objects and known.parts):
        return "is read back, it does not check all that it takes"
    if not tried.tells:
        return "is read back, it tells no SHA-256"
    return "checks SHA-256 itself"
