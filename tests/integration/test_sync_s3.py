"""An S3 store, and whoever answers in its place, on a bad day."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dock_agent.clock import Clock, SystemClock
from dock_agent.errors import FixityError, Refused, Unreachable
from dock_agent.recording import PART_SIZE, Proof
from dock_agent.simulated.clock import ManualClock
from dock_agent.sync.destination import (
    Acknowledged,
    Destination,
    Object,
    Portal,
    Progress,
)
from dock_agent.sync.s3 import S3
from dock_agent.sync.s3_client import Place
from dock_agent.sync.transport import CAP
from support.answering import BEGUN, Asked, Checks, Liar, Said, server
from support.seaweed import BUCKET, SECRET, Seaweed, seaweed
from support.sending import Interrupted, Interrupting, Memory, at, item, s3, sha256

SMALL, LARGE = 1000, 2 * PART_SIZE + 5
HTML = {"content-type": "text/html"}
Reach = Callable[..., S3]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with seaweed(tmp_path_factory.mktemp("weed")) as made:
        yield made


@pytest.fixture
def own_store(tmp_path: Path) -> Iterator[Seaweed]:
    with seaweed(tmp_path) as made:
        yield made


@pytest.fixture
def reach(tmp_path: Path) -> Iterator[Reach]:
    """Make our clients of a store, and close them in the end."""
    with ExitStack() as held:

        def made(where: Place | str, clock: Clock | None = None, **more: str) -> S3:
            place = at(where) if isinstance(where, str) else where
            more = {"prefix": f"{tmp_path.name}/", **more}
            station = s3(place, tmp_path, clock or SystemClock(), **more)
            return held.enter_context(closing(station))

        yield made


@pytest.fixture
def station(store: Seaweed, reach: Reach) -> S3:
    return reach(store.endpoint)


@dataclass
class Reading:
    """A listener that does something once, when so many parts are known."""

    after: int
    act: Callable[[], object]
    memory: Memory = field(default_factory=Memory)

    def __call__(self, progress: Progress) -> None:
        self.memory(progress)
        if len(progress.parts) == self.after:
            self.act()
            self.after = -1


def fetched(store: Seaweed, key: str) -> bytes:
    judge = store.judge
    data: bytes = judge.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    return data


def test_a_real_store_hashes_what_it_takes_and_says_so(
    station: S3, tmp_path: Path
) -> None:
    small, large = item(tmp_path, SMALL, "a"), item(tmp_path, LARGE, "b")

    proofs = [station.send(one, Progress(), Memory()).proof for one in (small, large)]

    assert proofs == [Proof.ECHOED, Proof.ECHOED]
    assert "checks SHA-256 itself" in station.check()


def test_a_wrong_secret_goes_to_a_person(
    store: Seaweed, tmp_path: Path, reach: Reach
) -> None:
    wrong = reach(store.endpoint, secret=SECRET + "x")

    with pytest.raises(Refused, match="403"):
        wrong.send(item(tmp_path), Progress(), Memory())
    with pytest.raises(Refused, match="SignatureDoesNotMatch"):
        wrong.check()


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_bucket_that_the_key_is_not_for_goes_to_a_person(
    store: Seaweed, tmp_path: Path, reach: Reach, size: int
) -> None:
    lost = reach(at(store.endpoint, "nowhere"))

    with pytest.raises(Refused, match=r"403|NoSuchBucket"):
        lost.send(item(tmp_path, size), Progress(), Memory())
    with pytest.raises(Refused, match=r"AccessDenied|NoSuchBucket"):
        lost.check()


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_bucket_that_nobody_made_goes_to_a_person(
    tmp_path: Path, reach: Reach, size: int
) -> None:
    missing = b"<Error><Code>NoSuchBucket</Code><Message>no</Message></Error>"
    with server(lambda _: Said(404, {}, missing)) as url:
        station = reach(url)

        with pytest.raises(Refused, match="NoSuchBucket"):
            station.send(item(tmp_path, size), Progress(), Memory())
        with pytest.raises(Refused, match="NoSuchBucket"):
            station.send(item(tmp_path, LARGE), Progress("0:u", 1), Memory())


def test_an_upload_that_somebody_aborted_is_begun_again(
    store: Seaweed, station: S3, tmp_path: Path
) -> None:
    sent = item(tmp_path, LARGE)
    memory = Interrupting(after=1)
    with pytest.raises(Interrupted):
        station.send(sent, Progress(), memory)
    abort(store, tmp_path.name)

    after = Memory()
    told = station.send(sent, memory.newest, after)

    assert after.newest.generation == memory.newest.generation + 1
    assert told.digest == sent.digest
    assert sha256(fetched(store, f"{tmp_path.name}/{sent.key}")) == sent.digest


def test_an_upload_that_is_aborted_in_the_midst_of_it_is_tried_again(
    store: Seaweed, station: S3, tmp_path: Path
) -> None:
    sent = item(tmp_path, LARGE)
    reading = Reading(1, lambda: abort(store, tmp_path.name))

    with pytest.raises(Unreachable, match="forgot"):
        station.send(sent, Progress(), reading)
    told = station.send(sent, reading.memory.newest, Memory())

    assert told.digest == sent.digest


def test_a_part_that_somebody_overwrote_does_no_harm(
    store: Seaweed, station: S3, tmp_path: Path
) -> None:
    sent = item(tmp_path, LARGE)
    memory = Interrupting(after=2)
    with pytest.raises(Interrupted):
        station.send(sent, Progress(), memory)
    overwrite_part_one(store, f"{tmp_path.name}/{sent.key}", memory.newest)

    told = station.send(sent, memory.newest, Memory())

    assert told.digest == sent.digest
    assert sha256(fetched(store, f"{tmp_path.name}/{sent.key}")) == sent.digest


def test_parts_that_are_listed_other_than_we_remember_are_sent_again(
    tmp_path: Path, reach: Reach
) -> None:
    sent = item(tmp_path, 4 * PART_SIZE)
    put: list[str] = []
    listed = (
        "<L>"
        + part(1, PART_SIZE, "other")
        + part(2, PART_SIZE, "2")
        + part(3, PART_SIZE - 1, "3")
        + "</L>"
    )

    def answer(asked: Asked) -> Said:
        match asked.method:
            case "PUT":
                put.append(asked.path.partition("partNumber=")[2].partition("&")[0])
                return Said(200, {"etag": "new"})
            case "GET":
                return Said(200, {}, listed.encode())
        return Said(404)

    known = Progress("0:u", 1, tuple(Acknowledged(n, str(n)) for n in (1, 2, 3)))
    with server(answer) as url, pytest.raises(Refused):
        reach(url).send(sent, known, Memory())

    assert put == ["1", "3", "4"]


def test_a_store_that_is_killed_in_the_midst_of_it_goes_on_where_it_was(
    own_store: Seaweed, tmp_path: Path, reach: Reach
) -> None:
    station = reach(own_store.endpoint)
    sent = item(tmp_path, 3 * PART_SIZE + 5)
    reading = Reading(2, own_store.kill)

    with pytest.raises(Unreachable):
        station.send(sent, Progress(), reading)
    own_store.start()
    after = Memory()
    told = station.send(sent, reading.memory.newest, after)

    assert told.digest == sent.digest
    assert after.newest.upload == reading.memory.newest.upload
    assert [len(progress.parts) for progress in after.kept] == [3, 4]
    assert sha256(fetched(own_store, f"{tmp_path.name}/{sent.key}")) == sent.digest


@pytest.mark.parametrize("hours", [-1, 1, 24 * 400])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_station_whose_clock_is_wrong_signs_in_the_time_of_the_store(
    store: Seaweed, tmp_path: Path, reach: Reach, hours: int, size: int
) -> None:
    clock = ManualClock(datetime.now(UTC) + timedelta(hours=hours))
    station = reach(store.endpoint, clock)
    sent = item(tmp_path, size)

    told = station.send(sent, Progress(), Memory())

    assert told.digest == sent.digest


def test_a_clock_that_is_put_right_in_the_midst_of_an_upload_does_no_harm(
    store: Seaweed, tmp_path: Path, reach: Reach
) -> None:
    clock = ManualClock(datetime.now(UTC) - timedelta(hours=3))
    station = reach(store.endpoint, clock)
    sent = item(tmp_path, LARGE)

    told = station.send(
        sent, Progress(), Reading(1, lambda: clock.advance(timedelta(hours=3)))
    )

    assert told.digest == sent.digest


@pytest.mark.parametrize(
    "page",
    [
        Said(200, HTML, b"<html>Sign in</html>"),
        Said(200, {"content-type": "text/html; charset=utf-8"}),
        Said(302, {"location": "http://portal.example/login"}),
        Said(511, HTML, b"<html>Sign in</html>"),
    ],
    ids=["page", "empty page", "redirect", "511"],
)
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_portal_is_told_from_a_store(
    tmp_path: Path, reach: Reach, page: Said, size: int
) -> None:
    with server(lambda _: page) as url:
        station = reach(url)

        with pytest.raises(Portal):
            station.send(item(tmp_path, size), Progress(), Memory())
        with pytest.raises(Portal):
            station.check()


def test_a_store_that_names_another_region_is_no_portal(
    tmp_path: Path, reach: Reach
) -> None:
    said = Said(301, {"x-amz-request-id": "1", "x-amz-bucket-region": "eu-west-1"})
    with server(lambda _: said) as url:
        station = reach(url)

        with pytest.raises(Refused, match="301"):
            station.send(item(tmp_path), Progress(), Memory())


def test_evidence_that_is_called_a_page_is_no_portal(
    store: Seaweed, station: S3, tmp_path: Path
) -> None:
    sent = item(tmp_path, SMALL, "data/DCIM/index.html")

    told = station.send(sent, Progress(), Memory())

    found = store.judge.head_object(Bucket=BUCKET, Key=f"{tmp_path.name}/{sent.key}")
    assert found["ContentType"].startswith("text/html")  # the store guessed it
    assert told.digest == sent.digest


def test_a_refused_connection_is_tried_again(tmp_path: Path, reach: Reach) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    station = reach(f"http://127.0.0.1:{port}")

    with pytest.raises(Unreachable) as told:
        station.send(item(tmp_path), Progress(), Memory())

    assert not isinstance(told.value, Portal)


@pytest.mark.parametrize("endpoint", ["ftp://x", "http://[1", "nonsense", "http://"])
def test_an_endpoint_that_cannot_be_one_is_no_crash(
    tmp_path: Path, reach: Reach, endpoint: str
) -> None:
    station = reach(endpoint)

    with pytest.raises((Refused, Unreachable)):
        station.send(item(tmp_path), Progress(), Memory())


def test_an_answer_without_an_end_is_not_swallowed(reach: Reach) -> None:
    with server(lambda _: Said(200, {}, bytes(CAP + 1))) as url:
        station = reach(url)

        with pytest.raises(Unreachable, match="without an end"):
            station.check()


def test_a_list_of_parts_without_an_end_is_tried_again(
    tmp_path: Path, reach: Reach
) -> None:
    page = (
        b"<L><IsTruncated>true</IsTruncated>"
        b"<NextPartNumberMarker>1</NextPartNumberMarker></L>"
    )

    def answer(asked: Asked) -> Said:
        return Said(404) if asked.method == "HEAD" else Said(200, {}, page)

    with server(answer) as url:
        station = reach(url)

        with pytest.raises(Unreachable, match="without an end"):
            station.send(item(tmp_path, LARGE), Progress("0:u", 1), Memory())


@pytest.mark.parametrize("status", [500, 502, 503, 429, 507])
def test_a_store_that_is_busy_or_full_is_tried_again(
    tmp_path: Path, reach: Reach, status: int
) -> None:
    with server(lambda _: Said(status)) as url:
        station = reach(url)

        with pytest.raises(Unreachable):
            station.send(item(tmp_path), Progress(), Memory())


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("echoes", [True, False])
@pytest.mark.parametrize("checks", [Checks.NOTHING, "the other kind"])
def test_a_store_that_takes_everything_and_keeps_other_bytes_is_never_believed(
    tmp_path: Path, reach: Reach, size: int, checks: Checks | str, *, echoes: bool
) -> None:
    other = Checks.OBJECTS if size == LARGE else Checks.PARTS
    liar = Liar(checks if isinstance(checks, Checks) else other, echoes)
    sent = item(tmp_path, size)
    with server(liar) as url:
        station = reach(url)

        told = outcomes(station, sent, times=4)

        assert told[0] in {Unreachable, Refused}
        assert told[-1] is Refused  # not for ever again: a person looks
        assert station.confirm(sent) is None


def test_a_store_that_checks_nothing_does_not_hide_that_our_own_file_changed(
    tmp_path: Path, reach: Reach
) -> None:
    sent = item(tmp_path, SMALL)
    sent.path.write_bytes(bytes(SMALL))
    kept: list[bytes] = []

    def answer(asked: Asked) -> Said:
        if asked.method == "PUT":
            kept.append(asked.body)
        return Said(200, {"etag": '"e"'}, kept[0]) if kept else Said(404)

    with server(answer) as url, pytest.raises(FixityError):
        reach(url).send(sent, Progress(), Memory())


def test_an_upload_that_fails_with_a_good_status_is_tried_again(
    tmp_path: Path, reach: Reach
) -> None:
    sent = item(tmp_path, LARGE)
    late = b"<Error><Code>InternalError</Code></Error>"

    def answer(asked: Asked) -> Said:
        match asked.method:
            case "POST":
                return Said(200, {}, BEGUN if "uploads=" in asked.path else late)
            case "PUT":
                return Said(200, {"etag": '"e"'})
        return Said(404)

    with server(answer) as url, pytest.raises(Unreachable, match="InternalError"):
        reach(url).send(sent, Progress(), Memory())


def test_a_part_that_is_taken_without_an_etag_is_tried_again(
    tmp_path: Path, reach: Reach
) -> None:
    def answer(asked: Asked) -> Said:
        return Said(200, {}, BEGUN) if asked.method != "HEAD" else Said(404)

    with server(answer) as url, pytest.raises(Unreachable, match="ETag"):
        reach(url).send(item(tmp_path, LARGE), Progress(), Memory())


def test_nothing_is_asked_for_in_a_packed_form(reach: Reach) -> None:
    wanted: list[str] = []

    def answer(asked: Asked) -> Said:
        wanted.append(asked.headers["accept-encoding"])
        return Said(403)

    with server(answer) as url, pytest.raises(Refused):
        reach(url).check()

    assert wanted == ["identity"]


def test_an_object_that_takes_long_to_read_back_gives_signs_of_life(
    tmp_path: Path, reach: Reach
) -> None:
    sent = item(tmp_path, LARGE)
    whole = sent.path.read_bytes()
    memory = Memory()
    with server(lambda _: Said(200, {"etag": '"e"'}, whole)) as url:
        told = reach(url).send(sent, Progress("0:u", 1), memory)

    assert told.proof is Proof.READ_BACK
    assert memory.kept == [Progress("0:u", 1)] * 2


def test_a_store_that_breaks_off_while_it_is_read_back_is_not_believed(
    tmp_path: Path,
    reach: Reach,
) -> None:
    sent = item(tmp_path, SMALL)
    whole = sent.path.read_bytes()

    def answer(asked: Asked) -> Said:
        if asked.method == "HEAD":
            return Said(200, {"etag": '"e"'}, length=SMALL)
        return Said(200, {}, whole[:-1], length=SMALL)

    with server(answer) as url:
        station = reach(url)

        with pytest.raises(Unreachable):
            station.confirm(sent)


def abort(store: Seaweed, prefix: str) -> None:
    judge = store.judge
    listed = judge.list_multipart_uploads(Bucket=BUCKET)
    for upload in listed["Uploads"]:
        if upload["Key"].startswith(prefix):
            judge.abort_multipart_upload(
                Bucket=BUCKET, Key=upload["Key"], UploadId=upload["UploadId"]
            )


def part(number: int, size: int, etag: str) -> str:
    return (
        f"<Part><PartNumber>{number}</PartNumber><Size>{size}</Size>"
        f"<ETag>{etag}</ETag></Part>"
    )


def overwrite_part_one(store: Seaweed, key: str, known: Progress) -> None:
    upload = (known.upload or "").partition(":")[2]
    store.judge.upload_part(
        Bucket=BUCKET,
        Key=key,
        UploadId=upload,
        PartNumber=1,
        Body=bytes(PART_SIZE),
        ChecksumAlgorithm="SHA256",
    )


def outcomes(station: Destination, sent: Object, times: int) -> list[type[Exception]]:
    """Send as often, each time with what is known; return what was raised."""
    memory, raised = Memory(), list[type[Exception]]()
    for _ in range(times):
        with pytest.raises((Unreachable, Refused)) as told:
            station.send(sent, memory.newest, memory)
        raised.append(told.type)
    return raised
