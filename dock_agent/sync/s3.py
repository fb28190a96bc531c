"""An S3 store as a destination: AWS, Ceph, SeaweedFS, MinIO and the like.

Objects of one part go in one PUT; larger ones in a multipart upload whose id
and parts the caller keeps, so that a restart sends only what is missing. Every
part carries its SHA-256 twice, as signed payload digest and as checksum header:
each real server checks one of the two. Nothing is confirmed for its status
alone: the server's own digest counts where the server was seen to refuse a
wrong one, else every byte is read back. Nothing of that name is overwritten.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NoReturn

from dock_agent.errors import FixityError, Refused, Unreachable
from dock_agent.recording import PART_SIZE, Digest, Proof
from dock_agent.sync.destination import (
    Acknowledged,
    Confirmation,
    Object,
    Progress,
    Pulse,
    Remember,
)
from dock_agent.sync.s3_client import Client, expect
from dock_agent.sync.s3_probe import (
    ALGORITHM,
    WRONG,
    refuses_a_wrong_object,
    refuses_a_wrong_part,
)
from dock_agent.sync.s3_xml import (
    CHECKSUM,
    b64,
    checksum,
    completed,
    completion,
    parts_page,
    trouble,
    upload_id,
)
from dock_agent.sync.transport import Answer, Window

NOT_FOUND = 404
GONE = frozenset({"NoSuchUpload", "NoSuchKey"})

Beat = Callable[[], None]


class S3:
    """Meets `destination.Destination`."""

    def __init__(self, client: Client, prefix: str) -> None:
        self._client, self._prefix = client, prefix
        self._verifies: dict[bool, bool] = {}  # parts or not; empty: not probed yet

    def close(self) -> None:
        self._client.transport.close()

    def check(self) -> str:
        """Write a tiny object, see whether a wrong digest is refused, read it back."""
        answer = self._client.call("GET", "", {"list-type": "2", "max-keys": "1"})
        expect(answer, "listing the bucket")
        honest = self._probed(parts=False) and self._probed(parts=True)
        how = "checks SHA-256 itself" if honest else "is read back, it checks nothing"
        return f"writable; {how}"

    def send(self, item: Object, done: Progress, remember: Remember) -> Confirmation:
        there = self._free(item, lambda: remember(done))
        if there is not None:
            return there  # an earlier answer was lost
        if item.size <= PART_SIZE:
            self._put(item)
        else:
            done = self._multipart(item, done, remember)
        head = self._head(item)
        if head is not None:
            found = self._proved(item, head, lambda: remember(done))
            if found is not None:
                return found
        return _blamed(item)

    def confirm(self, item: Object) -> Confirmation | None:
        head = self._head(item)
        return None if head is None else self._proved(item, head, lambda: None)

    def _free(self, item: Object, beat: Beat) -> Confirmation | None:
        """Return None if the name is free; raise if it is another object's."""
        head = self._head(item)
        if head is None:
            return None
        found = self._proved(item, head, beat)
        if found is None:
            raise Refused(f"another object is already called {item.key}")
        return found

    def _proved(self, item: Object, head: Answer, beat: Beat) -> Confirmation | None:
        if head.headers.get("content-length") != str(item.size):
            return None
        etag = head.headers.get("etag", "")
        version = head.headers.get("x-amz-version-id", "")
        parts = item.size > PART_SIZE
        if head.headers.get(CHECKSUM) == _echo(item) and self._probed(parts=parts):
            return Confirmation(Proof.ECHOED, item.digest, etag, version)
        if self._read_back(item, beat) == item.digest:
            return Confirmation(Proof.READ_BACK, item.digest, etag, version)
        return None

    def _head(self, item: Object) -> Answer | None:
        headers = {"x-amz-checksum-mode": "ENABLED"}
        answer = self._client.call("HEAD", self._key(item), headers=headers)
        if answer.status == NOT_FOUND:
            return None
        return expect(answer, f"looking for {item.key}")

    def _read_back(self, item: Object, beat: Beat) -> Digest:
        whole, pulse = hashlib.sha256(), Pulse(beat)
        for piece in self._client.read(self._key(item)):
            if isinstance(piece, Answer):
                expect(piece, f"reading {item.key} back")
                continue
            whole.update(piece)
            pulse.moved(len(piece))
        return Digest(whole.hexdigest())

    def _put(self, item: Object) -> None:
        window = Window(item.path, 0, item.size)
        headers = checksum(item.digest) | {"x-amz-meta-sha256": item.digest}
        answer = self._client.put(self._key(item), {}, headers, window, item.digest)
        self._took(answer, item, window, item.digest)

    def _multipart(self, item: Object, done: Progress, remember: Remember) -> Progress:
        done = self._resumed(item, done)
        if done.upload is None:
            done = self._begin(item, done)
            remember(done)
        have = {part.number for part in done.parts}
        for number, window in _windows(item):
            if number not in have:
                done = self._part(item, done, number, window)
                remember(done)
        if self._free(item, lambda: remember(done)) is None:
            self._complete(item, done)
        return done

    def _begin(self, item: Object, done: Progress) -> Progress:
        headers = {
            ALGORITHM: "SHA256",
            "x-amz-meta-sha256": item.digest,
            "x-amz-meta-part-size": str(PART_SIZE),
        }
        answer = self._client.call("POST", self._key(item), {"uploads": ""}, headers)
        expect(answer, f"beginning {item.key}")
        # The mark is kept in the handle: whether Complete must name the digests.
        echoed = "1" if answer.headers.get(ALGORITHM) else "0"
        handle = f"{echoed}:{upload_id(answer.body)}"
        return Progress(handle, done.generation + 1)

    def _resumed(self, item: Object, done: Progress) -> Progress:
        """Hold what we remember against what the server lists."""
        if done.upload is None:
            return done
        listed: dict[int, str] = {}
        sizes = {number: window.length for number, window in _windows(item)}
        marker: int | None = 0
        while marker is not None:
            query = {"uploadId": _id(done), "part-number-marker": str(marker)}
            answer = self._client.call("GET", self._key(item), query)
            if answer.status == NOT_FOUND and trouble(answer.body).code in GONE:
                return Progress(generation=done.generation)
            page = parts_page(expect(answer, f"resuming {item.key}").body)
            listed |= {
                part.number: part.etag
                for part in page.parts
                if sizes.get(part.number) == part.size
            }
            if page.marker is not None and page.marker <= marker:
                raise Unreachable(f"resuming {item.key}: a list without an end")
            marker = page.marker
        kept = tuple(p for p in done.parts if listed.get(p.number) == p.etag)
        return replace(done, parts=kept)

    def _part(
        self, item: Object, done: Progress, number: int, window: Window
    ) -> Progress:
        digest = item.parts[number - 1]
        query = {"partNumber": str(number), "uploadId": _id(done)}
        answer = self._client.put(
            self._key(item), query, checksum(digest), window, digest
        )
        etag = self._took(answer, item, window, digest)
        return replace(done, parts=(*done.parts, Acknowledged(number, etag)))

    def _took(self, answer: Answer, item: Object, window: Window, sha: Digest) -> str:
        """Return the ETag of what was taken; find out whose fault a refusal is."""
        if trouble(answer.body).code in WRONG:
            _checked(window, sha)
            raise Unreachable(f"{item.key}: it was damaged on the way")
        if answer.status == NOT_FOUND and trouble(answer.body).code in GONE:
            raise Unreachable(f"{item.key}: the store forgot the upload")
        expect(answer, f"sending {item.key}")
        etag = answer.headers.get("etag")
        if not etag:
            raise Unreachable(f"{item.key}: taken, but without an ETag")
        return etag

    def _complete(self, item: Object, done: Progress) -> None:
        etags = sorted((part.number, part.etag) for part in done.parts)
        digests = item.parts if (done.upload or "").startswith("1:") else None
        body = completion(etags, digests)
        query = {"uploadId": _id(done)}
        answer = self._client.call("POST", self._key(item), query, {}, body)
        if answer.status == NOT_FOUND and trouble(answer.body).code in GONE:
            return  # an earlier answer was lost, perhaps; the proof decides
        expect(answer, f"completing {item.key}")
        if not completed(answer.body):
            raise Unreachable(f"completing {item.key}: {trouble(answer.body).code}")

    def _probed(self, *, parts: bool) -> bool:
        """Whether this server refuses a body that is not what its digest says."""
        if parts not in self._verifies:
            probe = refuses_a_wrong_part if parts else refuses_a_wrong_object
            self._verifies[parts] = probe(self._client, self._prefix)
        return self._verifies[parts]

    def _key(self, item: Object) -> str:
        return self._prefix + item.key


def _echo(item: Object) -> str:
    """Return what a server that hashed these bytes itself echoes."""
    if item.size <= PART_SIZE:
        return b64(item.digest)
    joined = b"".join(bytes.fromhex(part) for part in item.parts)
    composite = Digest(hashlib.sha256(joined).hexdigest())
    return f"{b64(composite)}-{len(item.parts)}"


def _windows(item: Object) -> Iterator[tuple[int, Window]]:
    for number, offset in enumerate(range(0, item.size, PART_SIZE), 1):
        length = min(PART_SIZE, item.size - offset)
        yield number, Window(item.path, offset, length)


def _id(done: Progress) -> str:
    return (done.upload or "").partition(":")[2]


def _blamed(item: Object) -> NoReturn:
    """Find out whose fault it is that other bytes are over there."""
    _checked(Window(item.path, 0, item.size), item.digest)
    raise Unreachable(f"{item.key} arrived other than it was sent")


def _checked(window: Window, sha: Digest) -> None:
    whole = hashlib.sha256()
    for block in window.blocks():
        whole.update(block)
    if whole.hexdigest() != sha:
        raise FixityError(f"{window.path} is no longer what it was")
