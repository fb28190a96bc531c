"""Real S3 stores on a bad day; boto3 judges what they hold."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dock_agent.errors import Barred, Unreachable
from dock_agent.recording import PART_SIZE, Proof
from dock_agent.simulated.clock import ManualClock
from dock_agent.sync.destination import Object, Progress
from dock_agent.sync.s3.destination import S3
from support import s3_sender
from support.place_s3 import Reach, fetched, listed
from support.rclone_s3 import rclone_s3
from support.s3_program import BUCKET, S3Program
from support.seaweed import Seaweed
from support.sending import (
    Hearing,
    Interrupted,
    Interrupting,
    Memory,
    item,
    sha256,
)
from support.stores import ITSELF, STORES

SMALL, LARGE = 1000, 2 * PART_SIZE + 5
ROOT = Path(__file__).parents[2]
KEYS = {
    "spaces": "a b/c  d.MP4",
    "letters": "Ü/日本語/٣.MP4",
    "signs": "=3A+~'()&=;:@,$!*#?[]{}|^`\"<>.MP4",
    "per cent": "50%/%41%2F.MP4",
    "plus": "a+b.MP4",
    "controls": "a\tb\x7f.MP4",
    "long": "x" * 200 + "/" + "y" * 200,
}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, S3Program]]:
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(store.made(tmp_path_factory.mktemp(name)))
            for name, store in STORES.items()
        }


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, stores: dict[str, S3Program]) -> S3Program:
    made: S3Program = stores[request.param]
    return made


@pytest.fixture(params=STORES)
def own_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[S3Program]:
    folder = tmp_path / "store"
    folder.mkdir()
    with STORES[request.param].made(folder) as made:
        yield made


@pytest.fixture
def station(store: S3Program, tmp_path: Path) -> Iterator[S3]:
    with closing(reach(store, tmp_path).s3()) as made:
        yield made


def reach(store: S3Program, folder: Path, **more: Any) -> Reach:
    return Reach(store.endpoint, folder, f"{folder.name}/", key_id=store.key_id, **more)


def arrived(store: S3Program, folder: Path, sent: Object) -> bool:
    """Whether boto3 finds these bytes under that name, and no others."""
    body = fetched(store.judge, f"{folder.name}/{sent.key}")
    return body is not None and sha256(body) == sent.digest


@pytest.mark.parametrize("name", STORES)
def test_a_check_finds_out_what_a_store_does(
    stores: dict[str, S3Program], tmp_path: Path, name: str
) -> None:
    with closing(reach(stores[name], tmp_path).s3()) as station:
        line = station.check()
        found = station.capabilities

    expected = STORES[name].found
    assert line == f"writable; {STORES[name].words}"
    assert (found.objects, found.parts) == (expected.objects, expected.parts)
    assert (found.whole, found.conditional) == (expected.whole, expected.conditional)
    assert listed(stores[name].judge, f"{tmp_path.name}/") == []
    assert uploads(stores[name], tmp_path.name) == []


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_store_that_checks_and_tells_is_believed_and_any_other_read_back(
    stores: dict[str, S3Program], tmp_path: Path, name: str, size: int
) -> None:
    sent = item(tmp_path, size)

    with closing(reach(stores[name], tmp_path).s3()) as station:
        station.check()
        done = station.send(sent, Progress(), Memory())
        told = station.confirm(sent, done, sent=True)

    assert told is not None
    believed = STORES[name].words == ITSELF
    assert told.proof is (Proof.ECHOED if believed else Proof.READ_BACK)
    assert arrived(stores[name], tmp_path, sent)


def test_a_wrong_secret_bars_the_place(store: S3Program, tmp_path: Path) -> None:
    with closing(reach(store, tmp_path, secret="wrong").s3()) as wrong:
        for ask in (wrong.probe, wrong.check, wrong.marker):
            with pytest.raises(Barred, match=r"SignatureDoesNotMatch|AccessDenied"):
                ask()
        with pytest.raises(Barred):
            wrong.send(item(tmp_path), Progress(), Memory())


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_bucket_that_is_not_there_bars_the_place(
    store: S3Program, tmp_path: Path, size: int
) -> None:
    with closing(reach(store, tmp_path, bucket="nowhere").s3()) as lost:
        for ask in (lost.probe, lost.check, lost.marker):
            with pytest.raises(Barred, match=r"AccessDenied|NoSuchBucket"):
                ask()
        with pytest.raises(Barred):
            lost.send(item(tmp_path, size), Progress(), Memory())


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_of_whatever_signs_is_signed_and_quoted_right(
    store: S3Program, station: S3, tmp_path: Path, kind: str
) -> None:
    sent = item(tmp_path, key=KEYS[kind])

    done = station.send(sent, Progress(), Memory())
    told = station.confirm(sent, done)

    assert told is not None
    assert listed(store.judge, f"{tmp_path.name}/") == [sent.key]


def test_an_upload_that_somebody_aborted_is_begun_again(
    store: S3Program, station: S3, tmp_path: Path
) -> None:
    sent, memory, after = item(tmp_path, LARGE), Interrupting(after=1), Memory()
    with pytest.raises(Interrupted):
        station.send(sent, Progress(), memory)
    abort(store, tmp_path.name)

    station.send(sent, memory.newest, after)

    assert after.newest.generation == memory.newest.generation + 1
    assert arrived(store, tmp_path, sent)


def test_an_upload_that_is_aborted_in_the_midst_of_it_is_begun_again(
    store: S3Program, tmp_path: Path
) -> None:
    """One part at a time: one on its way may keep a store from the abort."""
    sent, memory = item(tmp_path, LARGE), Memory()

    def remember(progress: Progress) -> None:
        memory(progress)
        if progress.generation == 1 and len(progress.parts) == 1:
            abort(store, tmp_path.name)

    with closing(reach(store, tmp_path, ahead=1).s3()) as station:
        station.send(sent, Progress(), remember)

    assert memory.newest.generation == 2
    assert arrived(store, tmp_path, sent)


@pytest.mark.parametrize("name", [n for n in STORES if not STORES[n].forgets])
def test_a_part_that_somebody_overwrote_does_no_harm(
    stores: dict[str, S3Program], tmp_path: Path, name: str
) -> None:
    store, sent, memory = stores[name], item(tmp_path, LARGE), Interrupting(after=2)

    with closing(reach(store, tmp_path).s3()) as station:
        with pytest.raises(Interrupted):
            station.send(sent, Progress(), memory)
        overwrite_part_one(store, f"{tmp_path.name}/{sent.key}", memory.newest)
        station.send(sent, memory.newest, Memory())

    assert arrived(store, tmp_path, sent)


def test_a_file_of_too_many_parts_is_put_together_of_larger_ones(
    store: S3Program, tmp_path: Path
) -> None:
    sent = item(tmp_path, 4 * PART_SIZE + 5)

    with closing(reach(store, tmp_path, most_parts=2).s3()) as station:
        done = station.send(sent, Progress(), Memory())
        told = station.confirm(sent, done, sent=True)

    assert told is not None
    assert len(done.parts) == 2
    assert arrived(store, tmp_path, sent)


@pytest.mark.parametrize("hours", [-1, 1, 24 * 400])
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_station_whose_clock_is_wrong_signs_in_the_time_of_the_store(
    store: S3Program, tmp_path: Path, hours: int, size: int
) -> None:
    clock = ManualClock(datetime.now(UTC) + timedelta(hours=hours))
    sent = item(tmp_path, size)

    with closing(reach(store, tmp_path, clock=clock).s3()) as station:
        done = station.send(sent, Progress(), Memory())
        told = station.confirm(sent, done)
        offset = station.capabilities.clock_offset_ms

    assert told is not None
    assert offset is not None
    assert abs(offset / 1000 + hours * 3600) < 60


def test_a_clock_that_is_put_right_in_the_midst_of_an_upload_does_no_harm(
    store: S3Program, tmp_path: Path
) -> None:
    clock = ManualClock(datetime.now(UTC) - timedelta(hours=3))
    sent = item(tmp_path, LARGE)

    def remember(progress: Progress) -> None:
        if len(progress.parts) == 1:
            clock.advance(timedelta(hours=3))

    with closing(reach(store, tmp_path, clock=clock).s3()) as station:
        station.send(sent, Progress(), remember)

    assert arrived(store, tmp_path, sent)


def test_a_place_keeps_its_first_id(store: S3Program, tmp_path: Path) -> None:
    with closing(reach(store, tmp_path).s3()) as station:
        station.mark("first")

        with pytest.raises(Barred, match="first"):
            station.mark("second")

    key = f"{tmp_path.name}/dock-agent.destination"
    assert fetched(store.judge, key) == b'{"id":"first"}'


def test_a_sender_that_is_killed_sends_at_most_one_part_again(
    store: S3Program, tmp_path: Path
) -> None:
    size = 6 * PART_SIZE + 5
    sent = item(tmp_path, size)
    acknowledged = killed_after(3, store, tmp_path, size)

    done = sender(store, tmp_path, size)
    lines = (done.stdout or "").splitlines()

    assert done.returncode == 0, done.stderr
    assert lines[-1] in {"echoed", "read-back"}
    _, moved, _ = lines[-2].split(" ", 2)
    assert int(moved) <= size - acknowledged
    assert arrived(store, tmp_path, sent)
    assert uploads(store, tmp_path.name) == []


def test_a_store_that_is_killed_in_the_midst_of_it_goes_on_where_it_was(
    own_store: S3Program, tmp_path: Path
) -> None:
    sent, memory, after = item(tmp_path, 3 * PART_SIZE + 5), Memory(), Memory()
    hearing, forgets = Hearing(), "rclone" in own_store.command()[0]

    def remember(progress: Progress) -> None:
        memory(progress)
        if len(progress.parts) == 2:
            own_store.kill()

    with closing(reach(own_store, tmp_path).s3()) as station:
        with pytest.raises(Unreachable):
            station.send(sent, Progress(), remember)
        own_store.start()
        done = station.send(hearing.of(sent), memory.newest, after)
        told = station.confirm(sent, done, sent=True)

    assert told is not None
    assert hearing.total == sent.size - (0 if forgets else 2 * PART_SIZE)
    assert after.newest.generation == (2 if forgets else 1)
    assert arrived(own_store, tmp_path, sent)


def test_a_store_with_an_ipv6_address_is_reached(tmp_path: Path) -> None:
    if not socket.has_ipv6 or not Path("/proc/net/if_inet6").read_text():
        pytest.skip("no IPv6 here")
    sent = item(tmp_path)
    (tmp_path / "store").mkdir()

    with (
        rclone_s3(tmp_path / "store", host="[::1]") as store,
        closing(reach(store, tmp_path).s3()) as station,
    ):
        done = station.send(sent, Progress(), Memory())

        assert station.confirm(sent, done) is not None


def abort(store: S3Program, prefix: str) -> None:
    for key, ident in uploads(store, prefix):
        store.judge.abort_multipart_upload(Bucket=BUCKET, Key=key, UploadId=ident)


def uploads(store: S3Program, prefix: str) -> list[tuple[str, str]]:
    """Return the uploads under way below a prefix, as boto3 lists them."""
    there = store.judge.list_multipart_uploads(Bucket=BUCKET).get("Uploads", [])
    return [
        (each["Key"], each["UploadId"])
        for each in there
        if each["Key"].startswith(f"{prefix}/")
    ]


def overwrite_part_one(store: S3Program, key: str, known: Progress) -> None:
    more = {"ChecksumAlgorithm": "SHA256"} if isinstance(store, Seaweed) else {}
    store.judge.upload_part(
        Bucket=BUCKET,
        Key=key,
        UploadId=(known.upload or "").partition(":")[2],
        PartNumber=1,
        Body=bytes(PART_SIZE),
        **more,
    )


def start(store: S3Program, folder: Path, size: int) -> subprocess.Popen[str]:
    """Start a sender of its own."""
    prefix = f"{folder.name}/"
    arguments = [str(folder), store.endpoint, prefix, str(size), store.key_id]
    return subprocess.Popen(
        [sys.executable, s3_sender.__file__, *arguments],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def sender(
    store: S3Program, folder: Path, size: int
) -> "subprocess.CompletedProcess[str]":
    """Run a sender to its end."""
    with start(store, folder, size) as child:
        out, err = child.communicate(timeout=120)
    return subprocess.CompletedProcess([], child.returncode, out, err)


def killed_after(parts: int, store: S3Program, folder: Path, size: int) -> int:
    """Kill a sender in the midst of the next part; return what it had acknowledged."""
    with start(store, folder, size) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        for _ in range(parts + 1):  # a line for the begin, too
            line = child.stdout.readline()
        threading.Event().wait(0.005)
        child.kill()
        left = child.stdout.read().splitlines()
        child.stderr.close()
    return int([line, *left][-1].split()[0])
