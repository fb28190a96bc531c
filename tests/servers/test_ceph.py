"""Ceph's own ways: what it does with a lock, and with "only if absent"."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dock_agent.errors import Barred, Refused
from dock_agent.recording import PART_SIZE
from dock_agent.sync.destination import Progress
from dock_agent.sync.s3.lock import Lock
from support.ceph import LOCKED, Ceph
from support.place_s3 import Reach, fetched
from support.s3_program import BUCKET
from support.sending import Memory, item, sha256

SMALL, LARGE = 1000, PART_SIZE + 5
BOTH = Lock(retention_days=30, legal_hold=True)
THEIRS = b"theirs"


def test_it_drops_the_lock_of_an_upload_in_parts_without_a_word(
    ceph: Ceph, tmp_path: Path
) -> None:
    """If this fails, Ceph has been mended: our own look at the lock stays."""
    where = {"Bucket": LOCKED, "Key": tmp_path.name}
    until = datetime.now(UTC) + timedelta(days=30)

    begun = ceph.judge.create_multipart_upload(
        **where,
        ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=until,
        ObjectLockLegalHoldStatus="ON",
    )
    where["UploadId"] = begun["UploadId"]
    part = ceph.judge.upload_part(**where, PartNumber=1, Body=b"x")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    ceph.judge.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})

    head = ceph.judge.head_object(Bucket=LOCKED, Key=tmp_path.name)
    assert "ObjectLockMode" not in head
    assert "ObjectLockLegalHoldStatus" not in head


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_what_was_sent_to_it_is_locked_all_the_same(
    ceph: Ceph, tmp_path: Path, size: int
) -> None:
    reach = Reach(ceph.endpoint, tmp_path, f"{tmp_path.name}/", LOCKED, lock=BOTH)
    sent = item(tmp_path, size)

    with closing(reach.s3()) as station:
        station.check()
        done = station.send(sent, Progress(), Memory())
        told = station.confirm(sent, done, sent=True)

        assert station.capabilities.locks is True
    assert told is not None
    key = f"{tmp_path.name}/{sent.key}"
    head: Any = ceph.judge.head_object(Bucket=LOCKED, Key=key)
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert head["ObjectLockLegalHoldStatus"] == "ON"
    ends = head["ObjectLockRetainUntilDate"] - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < ends <= timedelta(days=30)
    with pytest.raises(ClientError, match="AccessDenied"):
        ceph.judge.delete_object(Bucket=LOCKED, Key=key, VersionId=head["VersionId"])
    assert sha256(fetched(ceph.judge, key, LOCKED) or b"") == sent.digest


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_bucket_of_it_without_lock_bars_the_place(
    ceph: Ceph, tmp_path: Path, size: int
) -> None:
    reach = Reach(ceph.endpoint, tmp_path, f"{tmp_path.name}/", lock=BOTH)

    with closing(reach.s3()) as station:
        with pytest.raises(Barred, match="lock"):
            station.check()
        with pytest.raises(Barred, match="lock"):
            station.send(item(tmp_path, size), Progress(), Memory())


def test_it_keeps_to_only_if_absent_for_an_object_and_not_for_an_upload(
    ceph: Ceph, tmp_path: Path
) -> None:
    """If this fails, Ceph has been mended: our own look before Complete stays."""
    where = {"Bucket": BUCKET, "Key": tmp_path.name}
    ceph.judge.put_object(**where, Body=THEIRS)

    with pytest.raises(ClientError, match="PreconditionFailed"):
        ceph.judge.put_object(**where, Body=b"ours", IfNoneMatch="*")
    begun = ceph.judge.create_multipart_upload(**where)
    upload = {**where, "UploadId": begun["UploadId"]}
    part = ceph.judge.upload_part(**upload, PartNumber=1, Body=b"ours")
    parts = [{"PartNumber": 1, "ETag": part["ETag"]}]
    ceph.judge.complete_multipart_upload(
        **upload, MultipartUpload={"Parts": parts}, IfNoneMatch="*"
    )

    assert fetched(ceph.judge, tmp_path.name) == b"ours"


def test_an_object_that_came_while_ours_was_sent_is_kept_all_the_same(
    ceph: Ceph, tmp_path: Path
) -> None:
    sent = item(tmp_path, LARGE)
    key = f"{tmp_path.name}/{sent.key}"

    def remember(progress: Progress) -> None:
        if progress.sent == LARGE:
            ceph.judge.put_object(Bucket=BUCKET, Key=key, Body=THEIRS)

    with closing(Reach(ceph.endpoint, tmp_path, f"{tmp_path.name}/").s3()) as station:
        station.check()  # it learns that the store keeps to "only if absent"
        assert station.capabilities.conditional is True

        with pytest.raises(Refused, match="already called"):
            station.send(sent, Progress(), remember)

        assert station.confirm(sent, Progress()) is None
    assert fetched(ceph.judge, key) == THEIRS
