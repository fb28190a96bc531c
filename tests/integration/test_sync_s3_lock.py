"""Object lock: asked for, looked for, set afterwards, or said to be missing."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dock_agent.errors import Barred
from dock_agent.recording import PART_SIZE
from dock_agent.sync.destination import Progress
from dock_agent.sync.s3.lock import Lock
from support.juicefs import juicefs
from support.memory_s3 import LOCKS, MemoryS3, always, error
from support.place_s3 import Reach, reached
from support.seaweed import LOCKED, Seaweed, seaweed
from support.sending import Memory, item, sha256

SMALL, LARGE = 1000, PART_SIZE + 5
BOTH = Lock(retention_days=30, legal_hold=True)
LOCK_OF = {
    "retention": Lock(retention_days=30),
    "legal hold": Lock(legal_hold=True),
    "both": BOTH,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with seaweed(tmp_path_factory.mktemp("weed")) as made:
        made.make_locked()
        yield made


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_real_store_keeps_what_was_sent_to_it_locked(
    store: Seaweed, tmp_path: Path, size: int
) -> None:
    reach = Reach(store.endpoint, tmp_path, f"{tmp_path.name}/", LOCKED, lock=BOTH)
    sent, judge = item(tmp_path, size), store.judge

    with closing(reach.s3()) as station:
        done = station.send(sent, Progress(), Memory())
        told = station.confirm(sent, done, sent=True)

        assert station.capabilities.locks is True
    assert told is not None
    key = f"{tmp_path.name}/{sent.key}"
    head: Any = judge.head_object(Bucket=LOCKED, Key=key)
    assert head["ObjectLockMode"] == "COMPLIANCE"
    assert head["ObjectLockLegalHoldStatus"] == "ON"
    ends = head["ObjectLockRetainUntilDate"] - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < ends <= timedelta(days=30)
    with pytest.raises(ClientError, match="AccessDenied"):
        judge.delete_object(Bucket=LOCKED, Key=key, VersionId=head["VersionId"])
    body = judge.get_object(Bucket=LOCKED, Key=key)["Body"].read()
    assert sha256(body) == sent.digest


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_real_bucket_without_lock_bars_the_place(
    store: Seaweed, tmp_path: Path, size: int
) -> None:
    reach = Reach(store.endpoint, tmp_path, f"{tmp_path.name}/", lock=BOTH)

    with closing(reach.s3()) as station, pytest.raises(Barred, match="lock"):
        station.send(item(tmp_path, size), Progress(), Memory())


def test_a_real_store_that_knows_no_lock_bars_the_place(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    folder.mkdir()
    with (
        juicefs(folder) as store,
        closing(Reach(store.endpoint, tmp_path, lock=BOTH).s3()) as station,
    ):
        for size in (SMALL, LARGE):
            with pytest.raises(Barred, match="lock"):
                station.send(item(tmp_path, size), Progress(), Memory())


def locks(store: MemoryS3) -> list[set[str]]:
    """Return which locks each object has."""
    return [
        {name.removeprefix(LOCKS) for name in there.headers if name.startswith(LOCKS)}
        for there in store.objects.values()
    ]


EXPECTED = {
    "retention": {"mode", "retain-until-date"},
    "legal hold": {"legal-hold"},
    "both": {"mode", "retain-until-date", "legal-hold"},
}


@pytest.mark.parametrize("kind", LOCK_OF)
@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("keeps", [True, False])
def test_a_store_that_drops_the_lock_is_told_again_once_the_object_is_there(
    tmp_path: Path, kind: str, size: int, *, keeps: bool
) -> None:
    store = MemoryS3(keeps_locks=keeps)

    with reached(store, tmp_path, lock=LOCK_OF[kind]) as station:
        station.send(item(tmp_path, size), Progress(), Memory())

        assert station.capabilities.locks is True
    assert locks(store) == [EXPECTED[kind]]
    again = store.made("PUT", "?retention=") + store.made("PUT", "?legal-hold=")
    assert len(again) == (0 if keeps else len(EXPECTED[kind]) - (kind != "legal hold"))
    assert all("content-md5" in asked.headers for asked in again)


@pytest.mark.parametrize("kind", LOCK_OF)
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_store_that_keeps_no_lock_at_all_bars_the_place(
    tmp_path: Path, kind: str, size: int
) -> None:
    store = MemoryS3(keeps_locks=False, takes_locks_later=False)

    with reached(store, tmp_path, lock=LOCK_OF[kind]) as station:
        with pytest.raises(Barred, match="has the bucket object lock"):
            station.send(item(tmp_path, size), Progress(), Memory())

        assert station.capabilities.locks is False


def test_a_key_that_may_not_lock_is_barred_with_the_stores_words(
    tmp_path: Path,
) -> None:
    no = error(403, "AccessDenied")
    store = MemoryS3(keeps_locks=False, faults=[always("PUT", "retention", no)])

    with (
        reached(store, tmp_path, lock=BOTH) as station,
        pytest.raises(Barred, match=r"locking .* AccessDenied"),
    ):
        station.send(item(tmp_path, SMALL), Progress(), Memory())


def test_an_object_that_was_there_without_its_lock_is_locked(tmp_path: Path) -> None:
    store, sent = MemoryS3(), item(tmp_path, SMALL)
    with reached(store, tmp_path) as station:
        station.send(sent, Progress(), Memory())

    with reached(store, tmp_path, lock=BOTH) as station:
        station.send(sent, Progress(), Memory())

    assert locks(store) == [EXPECTED["both"]]


@pytest.mark.parametrize(
    "headers",
    [
        {"mode": "COMPLIANCE", "retain-until-date": "2000-01-01T00:00:00Z"},
        {"mode": "COMPLIANCE", "retain-until-date": "soon"},
        {"mode": "COMPLIANCE"},
        {"mode": "NONE", "retain-until-date": "2100-01-01T00:00:00Z"},
        {"retain-until-date": "2100-01-01T00:00:00Z"},
    ],
)
def test_a_lock_that_ends_too_soon_is_none(
    tmp_path: Path, headers: dict[str, str]
) -> None:
    store, sent = MemoryS3(takes_locks_later=False), item(tmp_path, SMALL)
    with reached(store, tmp_path) as station:
        station.send(sent, Progress(), Memory())
    for there in store.objects.values():
        there.headers.update({LOCKS + name: value for name, value in headers.items()})

    lock = Lock(retention_days=30)
    with reached(store, tmp_path, lock=lock) as station, pytest.raises(Barred):
        station.send(sent, Progress(), Memory())


@pytest.mark.parametrize("mode", ["COMPLIANCE", "GOVERNANCE"])
def test_a_lock_that_the_bucket_has_by_its_own_rule_counts(
    tmp_path: Path, mode: str
) -> None:
    store, sent = MemoryS3(takes_locks_later=False), item(tmp_path, SMALL)
    with reached(store, tmp_path) as station:
        station.send(sent, Progress(), Memory())
    own = {LOCKS + "mode": mode, LOCKS + "retain-until-date": "2100-01-01T00:00:00Z"}
    for there in store.objects.values():
        there.headers.update(own)

    with reached(store, tmp_path, lock=Lock(retention_days=30)) as station:
        station.send(sent, Progress(), Memory())

        assert station.capabilities.locks is True


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "InvalidRequest"), (501, "NotImplemented"), (404, "NoSuchThing")],
)
def test_a_check_says_that_a_bucket_has_no_lock(
    tmp_path: Path, status: int, code: str
) -> None:
    no = error(status, "ObjectLockConfigurationNotFoundError")
    said = no if status == 404 else error(status, code)
    store = MemoryS3(faults=[always("GET", "object-lock", said)])

    with reached(store, tmp_path, lock=BOTH) as station:
        if status == 501:
            assert "object lock" in station.check()  # it does not say
            assert station.capabilities.locks is None
            return
        with pytest.raises(Barred, match="no object lock"):
            station.check()


def test_a_retention_that_no_time_has_is_said_so(tmp_path: Path) -> None:
    lock = Lock(retention_days=10**8)

    with (
        reached(MemoryS3(), tmp_path, lock=lock) as station,
        pytest.raises(Barred, match="too long"),
    ):
        station.send(item(tmp_path, SMALL), Progress(), Memory())


def test_nothing_is_asked_of_a_lock_that_nobody_wants(tmp_path: Path) -> None:
    store = MemoryS3()

    with reached(store, tmp_path) as station:
        station.send(item(tmp_path, SMALL), Progress(), Memory())

    assert locks(store) == [set()]
    assert [asked.method for asked in store.asked] == ["HEAD", "PUT"]
