"""Send an object in parts, so that a restart sends only what is missing.

What the store lists decides what is there, before anything is sent on and again
before it is put together. An upload that it forgot, or cannot put together, is begun
again as another generation, twice at most.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from dock_agent.errors import NotTaken, StoreError, SyncError, Unreachable
from dock_agent.sync.destination import Acknowledged, Progress, Remember
from dock_agent.sync.s3.answers import MISMATCHED, THERE, expect
from dock_agent.sync.s3.client import Client, Request
from dock_agent.sync.s3.handle import Handle, found, sent, under_way
from dock_agent.sync.s3.layout import Piece
from dock_agent.sync.s3.lock import refused
from dock_agent.sync.s3.object import Heard, entry
from dock_agent.sync.s3.put import Sending, forgot, never_heard_of_it, stands
from dock_agent.sync.s3.xml import (
    completed,
    completion,
    parts_page,
    trouble,
    upload_id,
    uploads,
)
from dock_agent.sync.transport.client import Answer

ALGORITHM = "x-amz-checksum-algorithm"
BEGINNINGS = 3  # in one call: the first, and two generations more
ROUNDS = 2 * BEGINNINGS
CUTS = 3  # in a row, without a part that got through
PUT_TOGETHER_S = 600.0  # AWS takes minutes, and sends blanks meanwhile


class End(StrEnum):
    """How a round ended."""

    WHOLE = "whole"  # put together, or there already
    VANISHED = "vanished"  # the store does not know the upload any more
    DIFFERS = "differs"  # the store has other parts than we believe


@dataclass(slots=True)
class Upload:
    """One object in parts, within one call."""

    sending: Sending
    remember: Remember
    done: Progress
    begun: int = 0

    def send(self) -> Progress:
        """Send what is missing and have it put together; return how it stands."""
        differed = ""
        for _ in range(ROUNDS):
            if self._id is None:
                self._begin()
            match self._round():
                case End.WHOLE:
                    return self.done
                case End.DIFFERS if differed != self._id:
                    differed = self._id or ""  # what it lists decides, once
                    continue
                case End.VANISHED if entry(self.sending.client, self.sending.key):
                    return self._found()  # put together, and the answer was lost
            self._give_up()
        raise NotTaken(f"{self.sending.key}: its parts are not put together")

    @property
    def _id(self) -> str | None:
        return Handle.read(self.done.upload).upload_id

    @property
    def _query(self) -> dict[str, str]:
        return {"uploadId": self._id or ""}

    def _begin(self) -> None:
        sending = self.sending
        if self.begun == BEGINNINGS:
            raise NotTaken(f"{sending.key}: the store forgets the upload each time")
        sending.item.moved(0)  # raises if others have it: then theirs is not ended
        abort_all(sending.client, sending.key)  # of a beginning whose answer was lost
        headers = {ALGORITHM: "SHA256", **sending.about()}
        answer = sending.client.post(sending.key, {"uploads": ""}, headers)
        refused(answer, sending.lock)
        expect(answer, f"beginning {sending.key}")
        echoed = answer.headers.get(ALGORITHM, "").upper() == "SHA256"
        ident = upload_id(answer.body)
        self.begun += 1
        try:
            handle = under_way(ident, names_digests=echoed)
            self._keep(Progress(handle, self.done.generation + 1))
        except StoreError:  # another worker has it now: nobody will know of this one
            abort(sending.client, sending.key, ident)
            raise

    def _give_up(self) -> None:
        abort(self.sending.client, self.sending.key, self._id)
        self.done = Progress(generation=self.done.generation)

    def _round(self) -> End:
        """Send what the store does not list, through a few cuts; put it together."""
        cuts = 0
        while True:
            known = len(self.done.parts)
            heard = Heard(self.sending.item.moved)
            try:
                return self._sent_on(heard)
            except Unreachable as error:
                cuts = cuts + 1 if len(self.done.parts) <= known else 1
                if type(error) is not Unreachable or heard.ended or cuts >= CUTS:
                    raise

    def _sent_on(self, heard: Heard) -> End:
        if not self._listed():
            return End.VANISHED
        have = {part.number for part in self.done.parts}
        item = replace(self.sending.item, moved=heard)
        sending = replace(self.sending, layout=replace(self.sending.layout, item=item))
        for piece in sending.layout.pieces():
            if piece.number not in have and not self._part(sending, piece):
                return End.VANISHED
        return self._put_together()

    def _part(self, sending: Sending, piece: Piece) -> bool:
        """Send one part; False if the store forgot the upload."""
        query = {"partNumber": str(piece.number), **self._query}
        trusted = sending.client.known.parts
        answer = sending.put(piece, query, {}, trusted=trusted)
        if forgot(answer):
            return False
        part = Acknowledged(piece.number, sending.took(answer, piece))
        parts, sent_now = (*self.done.parts, part), self.done.sent + piece.length
        self._keep(replace(self.done, parts=parts, sent=sent_now))
        return True

    def _listed(self) -> bool:
        """Hold what we remember against what the store lists; False: it forgot."""
        listed: dict[int, tuple[int, str]] = {}
        marker: int | None = 0
        while marker is not None:
            query = {"part-number-marker": str(marker), **self._query}
            answer = self.sending.client.call("GET", self.sending.key, query)
            if forgot(answer):
                return False
            page = parts_page(expect(answer, f"resuming {self.sending.key}").body)
            listed |= {part.number: (part.size, part.etag) for part in page.parts}
            if page.marker is not None and page.marker <= marker:
                raise Unreachable(f"resuming {self.sending.key}: a list without an end")
            marker = page.marker
        sizes = {p.number: p.length for p in self.sending.layout.pieces()}
        kept = tuple(
            part
            for part in self.done.parts
            if listed.get(part.number) == (sizes.get(part.number), part.etag)
        )
        there = sum(sizes[part.number] for part in kept)
        self.done = replace(self.done, parts=kept, sent=there)
        return True

    def _put_together(self) -> End:
        sending, client = self.sending, self.sending.client
        if not self._listed():
            return End.VANISHED
        if len(self.done.parts) < len(sending.layout.pieces()):
            return End.DIFFERS
        sending.item.moved(0)
        abort_all(client, sending.key, but=self._id)  # of a beginning that came late
        # Whatever the condition: Ceph 16 and 18 keep to it for objects, not for this.
        if entry(client, sending.key):
            return self._found_whole()
        condition = sending.absent_only()
        answer = self._complete(condition)
        if condition and never_heard_of_it(answer):
            client.knowledge.learn(conditional=False)
            return self._put_together()
        return self._judged(answer)

    def _complete(self, condition: dict[str, str]) -> Answer:
        layout = self.sending.layout
        digests = None
        if Handle.read(self.done.upload).names_digests:
            digests = [layout.digest(piece) for piece in layout.pieces()]
        etags = sorted((part.number, part.etag) for part in self.done.parts)
        body = completion(etags, digests)
        self.sending.item.moved(0)  # the last sign of life for minutes
        return self.sending.client.post(
            self.sending.key, self._query, condition, body, PUT_TOGETHER_S
        )

    def _judged(self, answer: Answer) -> End:
        """Find out what Complete came to: its status alone says nothing."""
        sending, code = self.sending, trouble(answer.body).code
        if code in MISMATCHED:
            return End.DIFFERS
        if forgot(answer):
            return End.VANISHED
        if answer.status in THERE and entry(sending.client, sending.key):
            return self._found_whole()
        doing = f"completing {sending.key}"
        expect(answer, doing, NotTaken)
        etag = completed(answer.body)
        if etag is None:
            expect(Answer(500, answer.headers, answer.body), doing, NotTaken)
        self.done = stands(self.done, sent(etag or ""), sending)
        return End.WHOLE

    def _found_whole(self) -> End:
        self.done = self._found()
        return End.WHOLE

    def _found(self) -> Progress:
        """Return how it stands where an object is there that may be ours."""
        abort(self.sending.client, self.sending.key, self._id)
        return stands(self.done, found(), self.sending)

    def _keep(self, done: Progress) -> None:
        self.done = done
        self.remember(done)


def abort(client: Client, key: str, ident: str | None) -> None:
    """Let the store forget an upload; a key that may not leaves it to the bucket."""
    if ident is not None:
        client.once(Request("DELETE", key, {"uploadId": ident}))


def abort_all(client: Client, key: str, but: str | None = None) -> None:
    """Let the store forget every upload of exactly this key: they are all ours.

    `but` is one that is kept.

    Stores that do not list them keep them, until the bucket's own rule ends them.
    """
    answer = client.call("GET", "", {"uploads": "", "prefix": key})
    if not answer.good:
        return
    try:
        idents = uploads(answer.body, key)
    except SyncError:
        return
    for ident in idents:
        if ident != but:
            abort(client, key, ident)
