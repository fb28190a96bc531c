"""A tus server as a destination (tus 1.0.0), whatever stands behind it.

An upload goes on at the byte that the server says it has. That every byte was taken
proves nothing: no tus server that was tried checks a digest, some forget an upload
once it is whole, and one that expired looks the same. What confirms is a read-back
of every byte, or a receipt that the gateway signed.
"""

import json
from functools import partial

from dock_agent import config
from dock_agent.clock import Clock, stamp
from dock_agent.errors import Barred, ConfigError, NotTaken, Refused
from dock_agent.recording import Proof
from dock_agent.sync.destination import (
    NOTHING_KNOWN,
    Capabilities,
    Confirmation,
    Look,
    Object,
    Progress,
    Remember,
)
from dock_agent.sync.transport.client import Answer, Transport
from dock_agent.sync.tus.client import Addressing, Client, Site, TokenFile, check
from dock_agent.sync.tus.content import blame, note
from dock_agent.sync.tus.receipt import Receipt, Receipts, fault
from dock_agent.sync.tus.send import Sending, unreceipted
from dock_agent.sync.tus.words import GONE, Upload, count, expect

MARKER = "dock-agent.destination"
PROBE = b"dock-agent wrote this to see whether it can.\n"
TERMINATION = "termination"


class Tus:
    """Meets `destination.Destination`.

    With collection addressing names cannot collide, so an object that was sent and
    forgotten is simply there twice; and a place whose URLs the server makes up cannot
    be marked: `marker` is always None, and `mark` does nothing.

    A valid receipt is `Proof.ECHOED`: the gateway computed that digest itself, and
    signed it. It counts right after `send` only, and if it came in an answer of that
    very call; later every byte is fetched again.
    """

    def __init__(
        self, client: Client, clock: Clock, receipts: Receipts | None = None
    ) -> None:
        self._client, self._clock, self._receipts = client, clock, receipts
        self._known = NOTHING_KNOWN

    def close(self) -> None:
        self._client.transport.close()

    @property
    def capabilities(self) -> Capabilities:
        return self._known

    def probe(self) -> None:
        self._client.options()

    def check(self) -> str:
        extensions = self._client.options()
        item = note(f".probe-{self._clock.entropy(8).hex()}", PROBE)
        done = self.send(item, Progress(), _forget)
        try:
            told = self.confirm(item, done, sent=True)
        finally:  # it is tried again each hour, and would leave one each time
            left = self._left(item, done, terminates=TERMINATION in extensions)
        if told is None:
            raise Barred(
                "it takes objects and does not give back what it took: nothing that is"
                " sent there could be confirmed. Let it show them, or sign receipts"
                + left
            )
        read = told.proof is Proof.READ_BACK
        self._known = Capabilities(
            objects=False,
            parts=False,
            whole=True if read else None,
            conditional=False,
            locks=False,
            asked_at=stamp(self._clock.now().utc),
        )
        how = "everything is read back" if read else "it signs receipts"
        return f"writable; {how}, it checks nothing{left}"

    def marker(self) -> str | None:
        where = self._shown(MARKER)
        answer = None if where is None else self._client.fetch(where)
        if answer is None:
            return None
        try:
            ident = json.loads(answer.body)["id"]
        except (ValueError, KeyError, TypeError) as error:
            raise Barred(f"{where} is there, and no mark of a station's") from error
        return str(ident)

    def mark(self, ident: str) -> None:
        if self._shown(MARKER) is None:
            return
        known = self.marker()
        if known is None:
            mark = note(MARKER, json.dumps({"id": ident}).encode())
            done = self.send(mark, Progress(), _forget)
            if self.confirm(mark, done) is None:
                raise NotTaken("the place did not keep its mark")
        elif known != ident:
            raise Barred(f"this place is marked as {known}, and not as {ident}")

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        done, found = unreceipted(done), partial(self._found, item)
        if found():
            return Progress(done.upload, done.generation, done.parts, item.size)
        now = self._clock.now()
        sending = Sending(
            client=self._client,
            item=item,
            remember=remember,
            proved=partial(self._proved, item),
            found=found,
            now=now.utc if now.trusted else None,
        )
        return sending.send(done)

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        said = self._receipt(item, done) if sent else None
        if said is None:
            return self._read_back(item, done)
        wrong = self._fault(said, item)
        if wrong:
            blame(item)
            raise NotTaken(f"{item.key}: {wrong}")
        return Confirmation(Proof.ECHOED, item.digest)

    def look(self, item: Object, done: Progress) -> Look | None:
        where = self._shown(item.key)
        if where is not None:
            answer, counted = self._client.look(where), "content-length"
        else:
            answer, counted = self._head(item, done), "upload-offset"
            if answer is None and Upload.of(done.upload) is not None:
                # Servers forget uploads that are over: that says nothing of the bytes.
                raise NotTaken(f"{item.key}: its upload is over, and cannot be asked")
        size = None if answer is None else count(answer, counted)
        if answer is None or size is None:
            return None
        return Look(size, answer.headers.get("etag", ""))

    def _shown(self, key: str) -> str | None:
        """Return where an object is fetched by its key; None in a collection."""
        if self._client.site.addressing is Addressing.COLLECTION:
            return None
        return self._client.shown(key)

    def _found(self, item: Object) -> bool:
        """Whether our bytes are there under that name; others are `Refused`."""
        where = self._shown(item.key)
        answer = None if where is None else self._client.look(where)
        if answer is None or where is None:
            return False
        if count(answer, "content-length") in {None, item.size}:
            read = self._client.read_back(where, item)
            if read is None:
                raise NotTaken(f"{item.key} is there, and is not shown")
            if read.digest == item.digest:
                return True
        raise Refused(f"another object is already called {item.key}")

    def _proved(self, item: Object, done: Progress) -> bool:
        """Whether what was taken whole is there, by whatever proof there is."""
        said = self._receipt(item, done)
        if said is not None:
            return not self._fault(said, item)
        return self._read_back(item, done) is not None

    def _read_back(self, item: Object, done: Progress) -> Confirmation | None:
        upload = Upload.of(done.upload)
        where = self._shown(item.key) or (None if upload is None else upload.url)
        read = None if where is None else self._client.read_back(where, item)
        if read is None:
            return None
        if read.digest != item.digest:
            blame(item)
            return None
        return Confirmation(Proof.READ_BACK, item.digest, read.etag)

    def _receipt(self, item: Object, done: Progress) -> Receipt | None:
        """Return what a receipt for this upload says, if there is one."""
        upload = Upload.of(done.upload)
        if self._receipts is None or upload is None:
            return None
        if upload.receipt is None:
            answer = self._head(item, done)
            upload = upload if answer is None else upload.told(answer)
        return None if upload.receipt is None else self._receipts.read(upload.receipt)

    def _head(self, item: Object, done: Progress) -> Answer | None:
        """Ask how the upload stands; None if there is none."""
        upload = Upload.of(done.upload)
        answer = None if upload is None else self._client.head(upload.url)
        if answer is None or answer.status in GONE:
            return None
        return expect(answer, f"asking for {item.key}")

    def _fault(self, said: Receipt, item: Object) -> str:
        return fault(said, self._client.name(item.key), item)

    def _left(self, item: Object, done: Progress, *, terminates: bool) -> str:
        """Take a probe away again; return what must be said if it is still there."""
        upload, where = Upload.of(done.upload), self._shown(item.key)
        gone = (
            terminates and upload is not None and self._client.delete(upload.url)
        )  # of what it became, that says nothing
        if where is not None and self._client.look(where) is not None:
            gone = self._client.delete(where) and self._client.look(where) is None
        return "" if gone else f"; it keeps {self._client.name(item.key)}"


def open_tus(whole: config.Config, table: config.Destination, clock: Clock) -> Tus:
    """Return the destination of a table; nothing is sent or looked for yet.

    Raises `ConfigError` for what is missing, or is no receipt key.
    """
    if table.endpoint is None:
        raise ConfigError(f"destination {table.name} is tus and needs `endpoint`")
    addressing = Addressing(table.addressing)
    if addressing is Addressing.PATH and table.read_endpoint is None:
        raise ConfigError(
            f"destination {table.name} is tus by path and needs `read_endpoint`:"
            " without it another's object could be replaced"
        )
    ca_file, token, key = (
        None if path is None else whole.resolve(path)
        for path in (table.ca_file, table.token_file, table.receipt_key_file)
    )
    site = Site(table.endpoint, table.prefix, addressing, table.read_endpoint)
    client = Client(
        Transport(ca_file, check=check),
        site,
        None if token is None else TokenFile(token),
    )
    return Tus(client, clock, None if key is None else Receipts.of(key))


def _forget(progress: Progress) -> None:
    """Keep nothing: it is small, and begun anew if need be."""
    del progress
