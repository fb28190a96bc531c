"""Object lock: asked for with each object, and never believed before it is seen.

Some stores drop the headers without a word (Ceph 16 and 18, of multipart uploads).
Source: Amazon S3 user guide, "Locking objects with Object Lock".
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NoReturn

from dock_agent.errors import Barred, NotTaken
from dock_agent.recording import Digest
from dock_agent.sync.s3.answers import UNKNOWN, expect
from dock_agent.sync.s3.client import Client, Request
from dock_agent.sync.s3.object import Entry, entry
from dock_agent.sync.s3.xml import (
    checksum,
    is_called,
    legal_hold,
    retention,
    trouble,
)
from dock_agent.sync.transport.client import Answer

MODE, UNTIL, HOLD = (
    "x-amz-object-lock-mode",
    "x-amz-object-lock-retain-until-date",
    "x-amz-object-lock-legal-hold",
)
COMPLIANCE = "COMPLIANCE"  # nobody can take it back, whatever key they stole
MODES = frozenset({COMPLIANCE, "GOVERNANCE"})  # a bucket's own rule may say another
SLACK = timedelta(days=1)  # between the sending and the object's own time
UNLOCKED = frozenset({"InvalidRequest", "ObjectLockConfigurationNotFoundError"})


@dataclass(frozen=True, slots=True)
class Lock:
    """What the configuration asks for."""

    retention_days: int = 0
    legal_hold: bool = False

    @property
    def wanted(self) -> bool:
        """Whether anything is asked for."""
        return self.retention_days > 0 or self.legal_hold

    def headers(self, now: datetime) -> dict[str, str]:
        """Return what goes with a PUT or the begin of an upload."""
        found = {HOLD: "ON"} if self.legal_hold else {}
        if self.retention_days:
            found |= {MODE: COMPLIANCE, UNTIL: self.until(now)}
        return found

    def until(self, now: datetime) -> str:
        """Return the end of retention, as S3 writes it."""
        try:
            end = now + timedelta(days=self.retention_days)
        except OverflowError as error:
            raise Barred(f"retention_days = {self.retention_days}: too long") from error
        return end.strftime("%Y-%m-%dT%H:%M:%SZ")

    def lacks(self, headers: Mapping[str, str], now: datetime) -> list[str]:
        """Return which of the two is missing, in the store's own answer to HEAD."""
        missing = []
        if self.retention_days and not self._retained(headers, now):
            missing.append("retention")
        if self.legal_hold and headers.get(HOLD, "").upper() != "ON":
            missing.append("legal-hold")
        return missing

    def _retained(self, headers: Mapping[str, str], now: datetime) -> bool:
        begin = _last_modified(headers) or now
        try:
            until = datetime.fromisoformat(headers.get(UNTIL, ""))
            aware = until if until.tzinfo else until.replace(tzinfo=UTC)
            enough = begin + timedelta(days=self.retention_days) - SLACK
        except (ValueError, OverflowError):
            return False
        return headers.get(MODE, "").upper() in MODES and aware >= enough


NO_LOCK = Lock()


def refused(answer: Answer, lock: Lock) -> None:
    """Raise `Barred` where a PUT or Create was refused for its lock."""
    code = trouble(answer.body).code
    if lock.wanted and (code in UNLOCKED or answer.status in UNKNOWN):
        raise Barred(f"the bucket has no object lock: {answer.status} {code}")


def ensure(client: Client, key: str, lock: Lock) -> None:
    """See that an object is locked; lock it where it is not; `Barred` if it cannot."""
    found = _there(client, key)
    missing = lock.lacks(found.answer.headers, client.now())
    for kind in missing:
        _put(client, key, found, kind, lock)
    if missing:
        found = _there(client, key)
        if lock.lacks(found.answer.headers, client.now()):
            client.knowledge.learn(locks=False)
            _unlocked(" and ".join(missing))
    client.knowledge.learn(locks=True)


def bucket_has_it(client: Client) -> bool | None:
    """Whether the bucket has object lock; None where it does not say."""
    answer = client.call("GET", "", {"object-lock": ""})
    if answer.good:
        return is_called(answer.body, "ObjectLockConfiguration") or None
    return False if trouble(answer.body).code in UNLOCKED else None


def _put(client: Client, key: str, found: Entry, kind: str, lock: Lock) -> None:
    body = legal_hold()
    if kind == "retention":
        body = retention(COMPLIANCE, lock.until(client.now()))
    digest = Digest(hashlib.sha256(body).hexdigest())
    md5 = hashlib.md5(body, usedforsecurity=False).digest()
    headers = checksum(digest) | {"content-md5": base64.b64encode(md5).decode()}
    query = {kind: ""} | ({"versionId": found.version} if found.version else {})
    answer = client.once(Request("PUT", key, query, headers, digest), body)
    refused(answer, lock)
    expect(answer, f"locking {key}", Barred)


def _there(client: Client, key: str) -> Entry:
    found = entry(client, key)
    if found is None:
        raise NotTaken(f"{key} was sent, and is not there")
    return found


def _unlocked(missing: str) -> NoReturn:
    raise Barred(
        f"the store keeps no {missing}: has the bucket object lock,"
        " and may this key read and set it?"
    )


def _last_modified(headers: Mapping[str, str]) -> datetime | None:
    try:
        found = parsedate_to_datetime(headers.get("last-modified", ""))
    except (ValueError, TypeError):
        return None
    return found.replace(tzinfo=UTC)
