"""Send an object in parts, so that a restart sends only what is missing.

What the store lists decides what is there, before anything is sent on and again
before it is put together. An upload that it forgot, or cannot put together, is begun
again as another generation, twice at most.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_exponential

from dock_agent.errors import NotTaken, StoreError, Unreachable
from dock_agent.sync.content import Moved
from dock_agent.sync.destination import Acknowledged, Progress, Remember
from dock_agent.sync.s3.answers import MISMATCHED, THERE, expect
from dock_agent.sync.s3.handle import Handle, found, sent, under_way
from dock_agent.sync.s3.layout import AHEAD, Piece
from dock_agent.sync.s3.lock import refused
from dock_agent.sync.s3.object import Heard, entry
from dock_agent.sync.s3.put import Sending, forgot, never_heard_of_it, stands
from dock_agent.sync.s3.relay import Relay
from dock_agent.sync.s3.uploads import abort, abort_all, listed_parts
from dock_agent.sync.s3.xml import (
    Part,
    b64,
    completed,
    completion,
    trouble,
    upload_id,
)
from dock_agent.sync.transport.client import Answer

ALGORITHM = "x-amz-checksum-algorithm"
BEGINNINGS = 3  # in one call: the first, and two generations more
ROUNDS = 2 * BEGINNINGS
LOOKS, FIRST_LOOK_S = 4, 0.1  # for a part without an answer: 0.7 s in all
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
    ahead: int = AHEAD  # parts on their way at a time
    begun: int = 0
    # Numbers of the parts that were sent whole and not answered: it may have them.
    unanswered: set[int] = field(default_factory=set)

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
        self.unanswered.clear()
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
        sure = (p for p in self._missing() if p.number not in self.unanswered)
        if not self._sent_parts(sure, heard):
            return End.VANISHED
        if self.unanswered and not self._settled():
            return End.VANISHED
        if not self._sent_parts(self._missing(), heard):
            return End.VANISHED
        return self._put_together()

    def _missing(self) -> list[Piece]:
        have = {part.number for part in self.done.parts}
        pieces = self.sending.layout.pieces()
        return [piece for piece in pieces if piece.number not in have]

    def _settled(self) -> bool:
        """Ask some times within seconds for parts that were sent and not answered.

        A store may work on them still. What it does not list then is sent again, and
        from now on no part before the last one is answered: a cut is to cost one.
        False if it forgot the upload.
        """
        tries = Retrying(
            stop=stop_after_attempt(LOOKS),
            wait=wait_exponential(multiplier=FIRST_LOOK_S),
            retry=retry_if_result(lambda there: there and bool(self.unanswered)),
            retry_error_callback=lambda _: True,
        )
        there = tries(self._listed)
        if self.unanswered:
            self.ahead = 1
            self.unanswered.clear()
        return there

    def _sent_parts(self, pieces: Iterable[Piece], heard: Heard) -> bool:
        """Send some parts; False if the store forgot the upload."""

        def taken(piece: Piece) -> None:
            self.unanswered.add(piece.number)

        sending = _heard(self.sending, heard)
        relay = Relay(self._put, heard, taken, partial(self._took, sending), self.ahead)
        return relay.send(pieces)

    def _put(self, piece: Piece, moved: Moved, taken: Callable[[], None]) -> Answer:
        """Send one part, in a thread of its own."""
        query = {"partNumber": str(piece.number), **self._query}
        sending = _heard(self.sending, moved)
        trusted = sending.client.known.parts
        return sending.put(piece, query, {}, trusted=trusted, taken=taken)

    def _took(self, sending: Sending, piece: Piece, answer: Answer) -> bool:
        """Remember a part; False if the store forgot the upload."""
        self.unanswered.discard(piece.number)
        if forgot(answer):
            return False
        part = Acknowledged(piece.number, sending.took(answer, piece))
        parts, sent_now = (*self.done.parts, part), self.done.sent + piece.length
        self._keep(replace(self.done, parts=parts, sent=sent_now))
        return True

    def _listed(self) -> bool:
        """Hold what we remember against what the store lists; False: it forgot."""
        sending = self.sending
        listed = listed_parts(sending.client, sending.key, self._query)
        if listed is None:
            return False
        self._believe(listed)
        return True

    def _believe(self, listed: Mapping[int, Part]) -> None:
        """Keep the parts that we remember as they are listed, and our unanswered ones.

        Of these the answer was lost, and not they. What they are is proved later, as
        it is of every part.
        """
        known = {part.number: part.etag for part in self.done.parts}
        kept, there = [], 0
        for piece in self.sending.layout.pieces():
            part = listed.get(piece.number)
            if part is None or part.size != piece.length:
                continue
            if known.get(piece.number) == part.etag or self._is_ours(part, piece):
                kept.append(Acknowledged(piece.number, part.etag))
                there += piece.length
        self.unanswered -= {part.number for part in kept}
        self.done = replace(self.done, parts=tuple(kept), sent=there)

    def _is_ours(self, part: Part, piece: Piece) -> bool:
        """Whether it was sent, whole, and not answered; nothing speaks against it."""
        if piece.number not in self.unanswered or not part.etag:
            return False
        return part.told in {"", b64(self.sending.digest(piece))}

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


def _heard(sending: Sending, moved: Moved) -> Sending:
    """Return the same, with somebody else who hears of its bytes."""
    item = replace(sending.item, moved=moved)
    return replace(sending, layout=replace(sending.layout, item=item))
