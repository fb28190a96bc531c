"""One object on its way into a container that is open for it.

What has no room in its headers goes there before it, and so does the mark of its
recording: where the object is, what is told of it is there, too.
"""

import logging
from dataclasses import dataclass

from dock_agent.errors import Barred, NotTaken, Refused
from dock_agent.sync.axis import metadata, names
from dock_agent.sync.axis.account import Account, Seen, expect
from dock_agent.sync.axis.body import Handle, Held, Stage
from dock_agent.sync.axis.capabilities import BOOKMARKS, plain
from dock_agent.sync.axis.proof import md5
from dock_agent.sync.axis.shelf import Shelf
from dock_agent.sync.destination import Object
from dock_agent.sync.transport.client import Answer, Outgoing

log = logging.getLogger(__name__)

CREATED, ABSENT, EXISTS = 201, 404, 412
ONLY_NEW = {"If-None-Match": "*"}
TYPES = {"mp4": "video/mp4", "mkv": "video/x-matroska"}
TEXT = "text/plain; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Upload:
    """Puts objects there; several threads may use it. Raises as a destination."""

    account: Account
    shelf: Shelf

    def put(self, item: Object, handle: Handle) -> tuple[Seen, Handle]:
        """Send an object; return how it is there, if somebody was first, and how."""
        spot = handle.spot
        headers = self._described(item, spot) | {"ETag": handle.md5} | ONLY_NEW
        self._mark(item, spot)
        body = Outgoing(Held(item), 0, item.size, item.moved)
        answer = self.account.call("PUT", (spot.container, spot.name), headers, body)
        if answer.status == EXISTS:
            return self.account.seen((spot.container, spot.name)), handle
        self._taken(answer, spot)
        etag = plain(answer.headers.get("etag", ""))
        if etag not in {"", handle.md5}:
            raise NotTaken(f"{called(spot)}: it took other bytes than were sent")
        stage = Stage.ECHOED if etag else Stage.TAKEN
        return Seen(there=None, headers={}), Handle(spot, handle.md5, stage)

    def _taken(self, answer: Answer, spot: names.Spot) -> None:
        doing = f"sending {called(spot)}"
        if answer.status == ABSENT:
            self.shelf.forget(spot.container)
            raise NotTaken(f"{doing}: its container is gone")
        expect(answer, doing, CREATED)

    def _described(self, item: Object, spot: names.Spot) -> dict[str, str]:
        """Return an object's headers; what has no room in them goes there first."""
        fields = self._fields(item, spot)
        if metadata.headers(metadata.OBJECT, fields).left:
            beside = names.story(item.about)
            fields[metadata.STORY] = beside
            origin = metadata.headers(metadata.OBJECT, self._origin(item, spot))
            body, path = metadata.story(fields, spot), (spot.container, beside)
            answer = self.account.call("PUT", path, origin.headers, body)
            self._taken(answer, names.Spot(*path))
        kind = TYPES.get(_ending(spot), "application/octet-stream")
        told = metadata.headers(metadata.OBJECT, fields).headers
        return {**told, "Content-Type": kind}

    def _fields(self, item: Object, spot: names.Spot) -> dict[str, str]:
        """Return all that is told of an object."""
        fields = dict(metadata.of_object(item.about, item.digest, item.size))
        found = names.recorded(item.about, self.shelf.anybody)
        if found is None:
            return fields
        apart = self._origin(item, spot)
        if not apart and spot.container != names.container(found):
            return {**fields, **metadata.of_late(names.container(found))}
        if _ending(spot) in names.CLIPS:
            fields |= metadata.of_clip(item.about, found.begin, _ending(spot))
        return {**fields, **apart}

    def _origin(self, item: Object, spot: names.Spot) -> metadata.Fields:
        """Return where rejected content comes from; nothing for any other."""
        if names.rejected_at(spot.container) is None:
            return {}
        usual = names.spot(item.about, self.shelf.anybody)
        return metadata.came_from(usual.container)

    def _mark(self, item: Object, spot: names.Spot) -> None:
        """Mark the recording there, where that is supported, before its marked files.

        No footage waits for a mark that is refused: its own headers tell of it, too.
        """
        found = names.recorded(item.about, self.shelf.anybody)
        mark = names.bookmark(item.about, self.shelf.anybody)
        if not item.about.marked or found is None or mark is None:
            return
        if mark.container != spot.container or BOOKMARKS not in self.account.capable():
            return
        path = mark.container, mark.name
        if self.account.seen(path).there:
            return
        told = metadata.headers(metadata.OBJECT, metadata.of_bookmark(found.begin))
        headers = {**told.headers, **ONLY_NEW, "Content-Type": TEXT, "ETag": md5(b"")}
        answer = self.account.call("PUT", path, headers)
        try:
            if answer.status != EXISTS:
                self._taken(answer, mark)
        except (Refused, Barred) as error:  # the footage itself will tell
            log.warning("bookmark refused key=%s %s", item.key, error)


def called(spot: names.Spot) -> str:
    """Return an object's name as people read it."""
    return f"{spot.container}/{spot.name}"


def _ending(spot: names.Spot) -> str:
    return spot.name.rpartition(".")[2]
