"""A destination in memory, with weather.

It keeps objects and uploads as a store does, and misbehaves as told: it is out
for some calls or for some time, loses its replies, answers as a portal, is cut
in mid-part, will not have us, keeps other bytes than it was sent. Equal weather
gives equal scenarios.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from dock_agent.clock import Clock, stamp
from dock_agent.errors import Barred, FixityError, NotTaken, Refused
from dock_agent.recording import PART_SIZE, Digest, Proof
from dock_agent.simulated.weather import Lie, Wait, Weather
from dock_agent.sync.content import PIECE
from dock_agent.sync.destination import (
    NOTHING_KNOWN,
    Acknowledged,
    Capabilities,
    Confirmation,
    Look,
    Object,
    Progress,
    Remember,
)

__all__ = ["Lie", "SimulatedCloud", "Weather"]


def no_time(seconds: float) -> None:
    """Take none."""
    del seconds


@dataclass(slots=True)
class SimulatedCloud:
    """Meets `destination.Destination`.

    `objects` is what it keeps, `written` how often each key was written, `calls`
    how often it was asked anything, `part_calls` how often it was sent a part, and
    `ident` the id it was given. `echoes`: it computes digests itself, as `check` then
    finds out. `part_size`: smaller ones make many parts of little. `wait` is how time
    passes where it is slow.
    """

    clock: Clock
    weather: Weather = field(default_factory=Weather)
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    written: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    part_calls: int = 0
    ident: str | None = None
    echoes: bool = False
    part_size: int = PART_SIZE
    wait: Wait = no_time
    known: Capabilities = NOTHING_KNOWN
    _digests: dict[str, tuple[bytes, Digest]] = field(default_factory=dict)

    @property
    def capabilities(self) -> Capabilities:
        return self.known

    def close(self) -> None:
        """Nothing is left open."""

    def forget(self, key: str) -> None:
        """Lose an object that was there."""
        self.objects.pop(key, None)

    def probe(self) -> None:
        self._asked()
        self._answered()

    def check(self) -> str:
        self._asked()
        self.known = Capabilities(
            objects=self.echoes,
            parts=self.echoes,
            whole=True,
            conditional=True,
            locks=False,
            asked_at=stamp(self.clock.now().utc),
        )
        self._answered()
        how = "checks SHA-256 itself" if self.echoes else "is read back"
        return f"writable; {how}"

    def marker(self) -> str | None:
        self._asked()
        self._answered()
        return self.ident

    def mark(self, ident: str) -> None:
        self._asked_to_keep()
        if self.ident not in {None, ident}:
            raise Barred(f"this is another place: its id is {self.ident}")
        self.ident = ident
        self._changed()

    def send(self, item: Object, done: Progress, remember: Remember) -> Progress:
        if self._is_there(item):
            return Progress(generation=done.generation, sent=item.size)
        self.weather.takes(item.key)
        if item.size > self.part_size:
            return self._multipart(item, done, remember)
        content = self._part(item, 1)
        self._require_whole(item, content)
        self._keep(item.key, content)
        return Progress(f"{item.key}#whole", done.generation, (), item.size)

    def confirm(
        self, item: Object, done: Progress, *, sent: bool = False
    ) -> Confirmation | None:
        self._asked()
        self._answered()
        if item.key not in self.objects:
            return None
        match self.weather.lies:
            case Lie.TAKEN:
                return Confirmation(Proof.NONE, item.digest)
            case Lie.WHOLE:
                return Confirmation(Proof.READ_BACK, self._digest(item.key))
        if sent and self._echo(item, done) == item.digest:
            return Confirmation(Proof.ECHOED, item.digest)
        same = self._fetched(item) == item.digest
        return Confirmation(Proof.READ_BACK, item.digest) if same else None

    def look(self, item: Object, done: Progress) -> Look | None:
        del done
        self._asked()
        self._answered()
        found = self.objects.get(item.key)
        return None if found is None else Look(len(found))

    def _is_there(self, item: Object) -> bool:
        """Whether our bytes are there already; raise if others are."""
        self._asked()
        self._answered()
        found = self.objects.get(item.key)
        if found is None:
            return False
        if len(found) != item.size or self._fetched(item) != item.digest:
            raise Refused(f"another object is already called {item.key}")
        return True

    def _multipart(self, item: Object, done: Progress, remember: Remember) -> Progress:
        held = self.uploads.get(done.upload or "")
        if held is None:
            done = self._begin(item, done)
            remember(done)
            held = self._held(item, done)
        parts = tuple(part for part in done.parts if part.number in held)
        known = {part.number for part in parts}
        sent = sum(len(held[number]) for number in known)
        done = replace(done, parts=parts, sent=sent)
        for number in range(1, -(-item.size // self.part_size) + 1):
            if number not in known:
                done = self._send_part(item, number, done)
                remember(done)
        content = b"".join(part for _, part in sorted(held.items()))
        self._require_whole(item, content)
        self._keep(item.key, content)
        self.uploads.pop(done.upload or "", None)
        return done

    def _held(self, item: Object, done: Progress) -> dict[int, bytes]:
        """Return the parts of an upload; another who sends it may have ended that."""
        held = self.uploads.get(done.upload or "")
        if held is None:
            raise NotTaken(f"{item.key}: the upload is gone")
        return held

    def _begin(self, item: Object, done: Progress) -> Progress:
        self._asked_to_keep()
        generation = done.generation + 1
        upload = f"{item.key}#{generation}.{self.calls}"
        self.uploads[upload] = {}
        self._changed()
        return Progress(upload, generation)

    def _send_part(self, item: Object, number: int, done: Progress) -> Progress:
        self.part_calls += 1
        self._asked_to_keep()
        part = self._part(item, number)
        self._held(item, done)[number] = part
        self._changed()
        taken = Acknowledged(number, _sha256(part)[:8])
        return replace(done, parts=(*done.parts, taken), sent=done.sent + len(part))

    def _part(self, item: Object, number: int) -> bytes:
        """Take a part of our own file; whether it is what it was shows at the end."""
        at = (number - 1) * self.part_size
        blocks = item.content.blocks(at, min(self.part_size, item.size - at))
        return b"".join(self._passing(item, blocks))

    def _passing(self, item: Object, blocks: Iterator[bytes]) -> Iterator[bytes]:
        for block in blocks:
            item.moved(len(block))
            self.weather.carries(len(block), self.wait)
            yield block

    def _require_whole(self, item: Object, content: bytes) -> None:
        if len(content) != item.size or _sha256(content) != item.digest:
            raise FixityError(f"our copy of {item.key} is no longer what it was")

    def _keep(self, key: str, content: bytes) -> None:
        """Keep an object under a name that is free; ours may be there by now."""
        self._asked_to_keep()
        if self.objects.get(key, content) != content:
            raise Refused(f"another object is already called {key}")
        if key not in self.objects:
            if self.weather.lies not in {None, Lie.SHORT}:
                content = bytes(byte ^ 1 for byte in content[:1]) + content[1:]
            self.objects[key] = content
            self.written[key] += 1
        self._changed()

    def _echo(self, item: Object, done: Progress) -> Digest | None:
        """Return the digest that it says it computed of what was sent just now."""
        if self.weather.lies is Lie.ECHOED:
            return item.digest
        computes = self.known.objects and self.known.parts
        return self._digest(item.key) if computes and done.upload else None

    def _fetched(self, item: Object) -> Digest:
        """Return the digest of what comes back, piece by piece."""
        found = self.objects[item.key]
        short = self.weather.lies is Lie.SHORT
        length = len(found) - 1 if short else len(found)
        for at in range(0, length, PIECE):
            count = min(PIECE, length - at)
            self.weather.carries(count, self.wait)
            item.moved(count)
            item.keep(at, found[at : at + count])
        return _sha256(found[:-1]) if short else self._digest(item.key)

    def _digest(self, key: str) -> Digest:
        """Return the digest of what it keeps; it is computed once."""
        found = self.objects[key]
        kept = self._digests.get(key)
        if kept is None or kept[0] is not found:
            kept = self._digests[key] = (found, _sha256(found))
        return kept[1]

    def _asked(self) -> None:
        self.calls += 1
        self.weather.meets(self.calls, self.clock)

    def _asked_to_keep(self) -> None:
        self._asked()
        self.weather.has_room(self.clock)

    def _answered(self) -> None:
        self.weather.answers(self.calls)

    def _changed(self) -> None:
        self.weather.answers_a_change(self.calls)


def _sha256(content: bytes) -> Digest:
    return Digest(hashlib.sha256(content).hexdigest())
