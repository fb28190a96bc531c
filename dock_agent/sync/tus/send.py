"""One object on its way into one tus upload: begun, gone on with, or begun again."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import msgspec
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_result,
    stop_after_attempt,
    wait_random_exponential,
)

from dock_agent.errors import NotTaken, Refused
from dock_agent.recording import PART_SIZE
from dock_agent.sync.destination import Object, Progress, Remember
from dock_agent.sync.transport.client import Answer, Outgoing
from dock_agent.sync.tus.client import Addressing, Client
from dock_agent.sync.tus.content import Proven, blame
from dock_agent.sync.tus.words import (
    GONE,
    LEAST,
    MOVES,
    Seen,
    Then,
    Upload,
    count,
    due,
    expect,
    origin,
    seen,
)

CONFLICT, TOO_LARGE, LOCKED, DAMAGED = 409, 413, 423, 460
PATIENCE = 5  # tries while a request of ours that was cut still holds the upload
IDLE = 3  # requests in a row that bring nothing on
LAST = 3  # as often as an object is taken whole and never shown


@dataclass(frozen=True, slots=True)
class Sending:
    """Sends `item` through `client`.

    `proved` says whether an upload that was taken whole is there, as far as can be
    found out. `found` says whether the object is there already, under its name;
    another one of that name is `Refused`. `now` is None where the clock is not to be
    trusted.
    """

    client: Client
    item: Object
    remember: Remember
    proved: Callable[[Progress], bool]
    found: Callable[[], bool]
    now: datetime | None

    def send(self, done: Progress) -> Progress:
        """Send what is missing; return how it stands when the last byte is taken.

        A receipt in what is returned came in an answer of this call. None is
        remembered: of what the server has next time it says nothing.
        """
        if not self.item.size:
            blame(self.item)  # no byte of it will be read when it is sent
        then, done = self.standing(done)
        if then is Then.DONE or (then is Then.PROVE and self.proved(done)):
            return done
        if then is not Then.GO_ON:
            done = self._begun(done, self._unproven(then, done))
        return self._filled(done)

    def standing(self, done: Progress) -> tuple[Then, Progress]:
        """Return what is to be done, from what is remembered and what is there."""
        upload = Upload.of(done.upload)
        if upload is None or not self._usable(upload, done):
            return Then.AGAIN, done
        answer = self.client.head(upload.url)
        if answer.status not in GONE:
            expect(answer, f"resuming {self.item.key}")
        found = seen(answer, self.item.size)
        if found in {Seen.OPEN, Seen.WHOLE}:
            offset = count(answer, "upload-offset") or 0
            handle = upload.told(answer).handle()
            return self._then(found, done), replace(done, upload=handle, sent=offset)
        return self._then(found, done), done

    def _then(self, found: Seen, done: Progress) -> Then:
        if found is Seen.WHOLE and not self.item.size:
            return Then.GO_ON  # nothing is missing, and it may not be finished
        return MOVES[found, done.sent == self.item.size]

    def _usable(self, upload: Upload, done: Progress) -> bool:
        """Whether it is worth asking for: not elsewhere, and not half and expired.

        One that has expired may vanish under our hands; what is whole is asked for
        in any case.
        """
        if origin(upload.url) != origin(self.client.site.endpoint):
            return False
        if self.now is None or upload.expires is None:
            return True
        return self.now < upload.expires or done.sent == self.item.size

    def _unproven(self, then: Then, done: Progress) -> int:
        """Count how often it was taken whole and not shown; there is an end to it."""
        upload = Upload.of(done.upload)
        before = 0 if upload is None else upload.unproven
        if then is not Then.PROVE:
            return before
        if before + 1 == LAST:
            raise Refused(
                f"{self.item.key} was taken whole {LAST} times, and nothing shows that"
                " it is there"
            )
        return before + 1

    def _begun(self, done: Progress, unproven: int) -> Progress:
        made = self.client.create(self.item)
        handle = msgspec.structs.replace(made, unproven=unproven).handle()
        begun = Progress(handle, done.generation + 1)
        self.remember(begun)
        return begun

    def _filled(self, done: Progress) -> Progress:
        """Send request after request until the server has every byte.

        An empty object takes one request, too: some servers finish it only then.
        """
        first, size, most, idle = done, self.item.size, PART_SIZE, 0
        while idle < IDLE:
            length = self._due(done, most)
            closes = done.sent + length == size
            if closes and done is not first and self.found():
                return replace(done, sent=size)
            answer = self._patch(done, length)
            if answer.status == TOO_LARGE and length > LEAST:
                most = length // 2  # a proxy's own limit: nginx has one of 1 MiB
                continue
            before, done = done, self._after(answer, done, length)
            self.remember(unreceipted(done))
            if done.sent == size and (size or answer.good):
                return done
            idle = 0 if done.sent > before.sent else idle + 1
        raise NotTaken(f"{self.item.key}: it takes no more than {done.sent} bytes")

    def _due(self, done: Progress, most: int) -> int:
        by_path = self.client.site.addressing is Addressing.PATH
        return due(done.sent, self.item.size, most, closing=by_path)

    def _patch(self, done: Progress, length: int) -> Answer:
        item = self.item
        body = Outgoing(Proven(item), done.sent, length, item.moved)
        tries = Retrying(
            stop=stop_after_attempt(PATIENCE),
            wait=wait_random_exponential(multiplier=0.2, max=2),
            retry=retry_if_result(_locked),
            retry_error_callback=_last,
        )
        return tries(self.client.patch, _upload(done).url, done.sent, body)

    def _after(self, answer: Answer, done: Progress, length: int) -> Progress:
        """Return how it stands after a request was answered."""
        if answer.status == DAMAGED:
            return done  # it is sent again
        if answer.status in GONE:
            raise NotTaken(f"{self.item.key}: the upload is gone; it is begun again")
        if answer.status == CONFLICT:
            return self._where_it_is(done)
        expect(answer, f"sending {self.item.key}")
        offset = count(answer, "upload-offset")
        if offset is None or not done.sent <= offset <= done.sent + length:
            raise NotTaken(f"{self.item.key}: it does not say how much it took")
        handle = _upload(done).told(answer).handle()
        return replace(done, upload=handle, sent=offset)

    def _where_it_is(self, done: Progress) -> Progress:
        then, now = self.standing(done)
        if then not in {Then.GO_ON, Then.DONE}:
            raise NotTaken(f"{self.item.key}: the upload is no longer ours")
        return now


def unreceipted(done: Progress) -> Progress:
    """Return it without the receipt of an earlier call."""
    upload = Upload.of(done.upload)
    if upload is None or upload.receipt is None:
        return done
    handle = msgspec.structs.replace(upload, receipt=None).handle()
    return replace(done, upload=handle)


def _locked(answer: Answer) -> bool:
    return answer.status == LOCKED


def _last(state: RetryCallState) -> Answer:
    assert state.outcome is not None  # noqa: S101  it was tried
    answer: Answer = state.outcome.result()
    return answer


def _upload(done: Progress) -> Upload:
    upload = Upload.of(done.upload)
    assert upload is not None  # noqa: S101  it was begun just now, or asked for
    return upload
