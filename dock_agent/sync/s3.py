"""An S3 store as a destination: AWS, Ceph, SeaweedFS, MinIO and the like.

Objects of one part go in one PUT; larger ones in a multipart upload whose id
and parts the caller keeps, so that a restart sends only what is missing. Every
part carries its SHA-256 twice, as signed payload digest and as checksum header:
each real server checks one of the two. Nothing is confirmed for its status
alone: the server's own digest counts where the server was seen to refuse a
wrong one, else every byte is read back.
"""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import replace

from dock_agent.errors import FixityError, Refused, Unreachable
from dock_agent.recording import PART_SIZE, Digest, Proof
from dock_agent.sync.destination import (
    Acknowledged,
    Confirmation,
    Object,
    Progress,
    Remember,
)
from dock_agent.sync.s3_client import Client, expect
from dock_agent.sync.s3_xml import (
    b64,
    completed,
    completion,
    parts_page,
    trouble,
    upload_id,
)
from dock_agent.sync.transport import Answer, Window

OK, NOT_FOUND = 200, 404
CHECKSUM, ALGORITHM = "x-amz-checksum-sha256", "x-amz-checksum-algorithm"
GONE = frozenset({"NoSuchUpload", "NoSuchKey"})
WRONG = frozenset({"BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest"})


class S3:
    """Meets `destination.Destination`."""

    def __init__(self, client: Client, prefix: str) -> None:
        self._client, self._prefix = client, prefix
        self._verifies: bool | None = None  # not probed yet

    def close(self) -> None:
        self._client.transport.close()

    def check(self) -> str:
        """Write a tiny object, see whether a wrong digest is refused, read it back."""
        answer = self._client.call("GET", "", {"list-type": "2", "max-keys": "1"})
        expect(answer, "listing the bucket")
        honest = self._probed()
        how = "checks SHA-256 itself" if honest else "is read back, it checks nothing"
        return f"writable; {how}"

    def send(self, item: Object, done: Progress, remember: Remember) -> Confirmation:
        if done.upload is None:
            there = self.confirm(item)
            if there is not None:
                return there  # an earlier answer was lost
            if self._head(item) is not None:
                raise Refused(f"another object is already called {item.key}")
        if item.size <= PART_SIZE:
            self._put(item)
        else:
            self._multipart(item, done, remember)
        found = self.confirm(item)
        if found is None:
            raise Unreachable(f"{item.key} arrived other than it was sent")
        return found

    def confirm(self, item: Object) -> Confirmation | None:
        head = self._head(item)
        if head is None or int(head.headers.get("content-length", -1)) != item.size:
            return None
        etag = head.headers.get("etag", "")
        version = head.headers.get("x-amz-version-id", "")
        if head.headers.get(CHECKSUM) in _echoes(item) and self._probed():
            return Confirmation(Proof.ECHOED, item.digest, etag, version)
        if self._read_back(item) == item.digest:
            return Confirmation(Proof.READ_BACK, item.digest, etag, version)
        return None

    def _head(self, item: Object) -> Answer | None:
        headers = {"x-amz-checksum-mode": "ENABLED"}
        answer = self._client.call("HEAD", self._key(item), headers=headers)
        if answer.status == NOT_FOUND:
            return None
        return expect(answer, f"looking for {item.key}")

    def _read_back(self, item: Object) -> Digest:
        whole = hashlib.sha256()
        for piece in self._client.read(self._key(item)):
            if isinstance(piece, memoryview):
                whole.update(piece)
            else:
                expect(piece, f"reading {item.key} back")
        return Digest(whole.hexdigest())

    def _put(self, item: Object) -> None:
        answer = self._client.put(
            self._key(item),
            {},
            _checksum(item.digest) | {"x-amz-meta-sha256": item.digest},
            Window(item.path, 0, item.size),
            item.digest,
        )
        self._took(answer, item, Window(item.path, 0, item.size), item.digest)

    def _multipart(self, item: Object, done: Progress, remember: Remember) -> None:
        done = self._resumed(item, done)
        if done.upload is None:
            done = self._begin(item, done)
            remember(done)
        have = {part.number for part in done.parts}
        for number, window in _windows(item):
            if number not in have:
                done = self._part(item, done, number, window)
                remember(done)
        self._complete(item, done)

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
        marker = "0"
        while marker:
            query = {"uploadId": _id(done), "part-number-marker": marker}
            answer = self._client.call("GET", self._key(item), query)
            if answer.status == NOT_FOUND and trouble(answer.body).code in GONE:
                return Progress(generation=done.generation)
            page = parts_page(expect(answer, f"resuming {item.key}").body)
            sizes = {number: window.length for number, window in _windows(item)}
            listed |= {
                part.number: part.etag
                for part in page.parts
                if sizes.get(part.number) == part.size
            }
            marker = page.marker
        kept = tuple(p for p in done.parts if listed.get(p.number) == p.etag)
        return replace(done, parts=kept)

    def _part(
        self, item: Object, done: Progress, number: int, window: Window
    ) -> Progress:
        digest = item.parts[number - 1]
        query = {"partNumber": str(number), "uploadId": _id(done)}
        answer = self._client.put(
            self._key(item), query, _checksum(digest), window, digest
        )
        etag = self._took(answer, item, window, digest)
        return replace(done, parts=(*done.parts, Acknowledged(number, etag)))

    def _took(self, answer: Answer, item: Object, window: Window, sha: Digest) -> str:
        """Return the ETag of what was taken; find out whose fault a refusal is."""
        if trouble(answer.body).code in WRONG:
            if _hashed(window) != sha:
                raise FixityError(f"{item.path} is no longer what it was")
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

    def _probed(self) -> bool:
        """Whether this server refuses a body that is not what its digest says."""
        if self._verifies is None:
            key = f"{self._prefix}.probe/{secrets.token_hex(8)}"
            other = Digest(hashlib.sha256(b"another").hexdigest())
            answer = self._client.call("PUT", key, None, _checksum(other), b"probe")
            self._verifies = trouble(answer.body).code in WRONG
            if answer.status == OK:
                self._client.call("DELETE", key)
        return self._verifies

    def _key(self, item: Object) -> str:
        return self._prefix + item.key


def _echoes(item: Object) -> set[str]:
    """Return what a server that hashed these bytes itself may echo."""
    if item.size <= PART_SIZE:
        return {b64(item.digest)}
    joined = b"".join(bytes.fromhex(part) for part in item.parts)
    return {f"{b64(_sha256(joined))}-{len(item.parts)}", b64(item.digest)}


def _windows(item: Object) -> Iterator[tuple[int, Window]]:
    for number, offset in enumerate(range(0, item.size, PART_SIZE), 1):
        length = min(PART_SIZE, item.size - offset)
        yield number, Window(item.path, offset, length)


def _checksum(digest: Digest) -> dict[str, str]:
    return {CHECKSUM: b64(digest), "x-amz-sdk-checksum-algorithm": "SHA256"}


def _id(done: Progress) -> str:
    return (done.upload or "").partition(":")[2]


def _hashed(window: Window) -> Digest:
    with window.path.open("rb") as file:
        file.seek(window.offset)
        return _sha256(file.read(window.length))


def _sha256(content: bytes) -> Digest:
    return Digest(hashlib.sha256(content).hexdigest())
