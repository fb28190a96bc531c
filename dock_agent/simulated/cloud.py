"""A destination in memory, with weather.

It keeps objects and uploads as a store does, and misbehaves as told: it is out
for some calls or for some time, loses its replies, answers as a portal, keeps
other bytes than it was sent. Equal weather gives equal scenarios.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from dock_agent.clock import Clock
from dock_agent.errors import FixityError, Refused, Unreachable
from dock_agent.recording import PART_SIZE, Digest, Proof
from dock_agent.sync.destination import (
    Acknowledged,
    Confirmation,
    Object,
    Portal,
    Progress,
    Remember,
)
from dock_agent.sync.transport import Window


class Lie(StrEnum):
    """What a destination says of bytes that it did not keep as they were sent."""

    TAKEN = "taken"  # our own digest, and that nobody looked
    WHOLE = "whole"  # that it read them, and the digest of what it has
    MISSING = "missing"  # nothing: it looks, and finds that they are other bytes


@dataclass(slots=True)
class Weather:
    """What is wrong with a cloud. Change it while the cloud is in use.

    `outages`: numbers of the calls, from 1, that nobody answers. `out_until`:
    nobody answers before then. `lost_replies`: as many of the next calls that
    change something do so and are not answered. `portal`: somebody else's page
    comes back. `refuses`: keys it will not take. `lies`: it keeps other bytes.
    """

    outages: set[int] = field(default_factory=set)
    out_until: datetime | None = None
    lost_replies: int = 0
    portal: bool = False
    refuses: set[str] = field(default_factory=set)
    lies: Lie | None = None


@dataclass(slots=True)
class SimulatedCloud:
    """Meets `destination.Destination`.

    `objects` is what it keeps, `written` how often each key was written, `calls`
    how often it was asked anything, `part_calls` how often it was sent a part.
    """

    clock: Clock
    weather: Weather = field(default_factory=Weather)
    objects: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    written: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    part_calls: int = 0

    def close(self) -> None:
        """Nothing is left open."""

    def check(self) -> str:
        self._asked()
        return "writable; everything in memory is read back"

    def send(self, item: Object, done: Progress, remember: Remember) -> Confirmation:
        there = self._free(item)
        if there is not None:
            return there
        if item.key in self.weather.refuses:
            raise Refused(f"{item.key} is not wanted here")
        if item.size <= PART_SIZE:
            self._keep(item.key, _part(item, 1))
        else:
            self._multipart(item, done, remember)
        return self._told(item)

    def confirm(self, item: Object) -> Confirmation | None:
        return self._there(item)

    def _free(self, item: Object) -> Confirmation | None:
        there = self._there(item)
        if there is None and item.key in self.objects:
            raise Refused(f"another object is already called {item.key}")
        return there

    def _there(self, item: Object) -> Confirmation | None:
        self._asked()
        found = self.objects.get(item.key)
        if found is None or _sha256(found) != item.digest:
            return None
        return Confirmation(Proof.READ_BACK, item.digest)

    def _multipart(self, item: Object, done: Progress, remember: Remember) -> None:
        held = self.uploads.get(done.upload or "")
        if held is None:
            done = self._begin(item, done)
            remember(done)
            held = self.uploads[done.upload or ""]
        known = {part.number for part in done.parts} & held.keys()
        done = replace(done, parts=tuple(p for p in done.parts if p.number in known))
        for number in range(1, len(item.parts) + 1):
            if number not in known:
                done = self._send_part(item, number, done)
                remember(done)
        if self._free(item) is None:
            self._keep(item.key, b"".join(part for _, part in sorted(held.items())))
        del self.uploads[done.upload or ""]

    def _begin(self, item: Object, done: Progress) -> Progress:
        self._asked()
        generation = done.generation + 1
        upload = f"{item.key}#{generation}"
        self.uploads[upload] = {}
        return Progress(upload, generation)

    def _send_part(self, item: Object, number: int, done: Progress) -> Progress:
        self.part_calls += 1
        self._asked()
        part = _part(item, number)
        self.uploads[done.upload or ""][number] = part
        self._reply()
        taken = Acknowledged(number, _sha256(part)[:8])
        return replace(done, parts=(*done.parts, taken))

    def _keep(self, key: str, content: bytes) -> None:
        self._asked()
        if self.weather.lies is not None:
            content = bytes(byte ^ 1 for byte in content[:1]) + content[1:]
        self.objects[key] = content
        self.written[key] += 1
        self._reply()

    def _told(self, item: Object) -> Confirmation:
        """Answer with what was proved; a liar does not, and says so or not."""
        self._asked()
        found = _sha256(self.objects[item.key])
        match self.weather.lies:
            case Lie.TAKEN:
                return Confirmation(Proof.NONE, item.digest)
            case Lie.WHOLE:
                return Confirmation(Proof.READ_BACK, found)
        if found != item.digest:
            raise Unreachable(f"{item.key} arrived other than it was sent")
        return Confirmation(Proof.READ_BACK, found)

    def _asked(self) -> None:
        self.calls += 1
        weather, now = self.weather, self.clock.now().utc
        out = weather.out_until is not None and now < weather.out_until
        if out or self.calls in weather.outages:
            raise Unreachable("the cloud does not answer")
        if weather.portal:
            raise Portal("a page to sign in came back")

    def _reply(self) -> None:
        if self.weather.lost_replies:
            self.weather.lost_replies -= 1
            raise Unreachable("the reply was lost")


def _part(item: Object, number: int) -> bytes:
    """Read a part of our own file; it must be what it was."""
    at = (number - 1) * PART_SIZE
    window = Window(item.path, at, min(PART_SIZE, item.size - at))
    found = b"".join(window.blocks())
    whole = item.size <= PART_SIZE
    if _sha256(found) != (item.digest if whole else item.parts[number - 1]):
        raise FixityError(f"{item.path} is no longer what it was")
    return found


def _sha256(content: bytes) -> Digest:
    return Digest(hashlib.sha256(content).hexdigest())
