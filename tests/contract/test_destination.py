"""What every `Destination` promises, held against each that there is.

Of the S3 store boto3 is the judge: it fetches what is there, and hashes it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dock_agent.clock import SystemClock
from dock_agent.errors import FixityError, Refused
from dock_agent.recording import PART_SIZE, Proof
from dock_agent.simulated.clock import ManualClock
from dock_agent.simulated.cloud import SimulatedCloud
from dock_agent.sync.destination import Destination, Object, Progress
from dock_agent.sync.directory import Directory
from dock_agent.vault.real import RealDisk
from support.seaweed import BUCKET, Seaweed, seaweed
from support.sending import Interrupted, Interrupting, Memory, at, item, s3, sha256

SIZES = [0, 1, PART_SIZE - 1, PART_SIZE, PART_SIZE + 1, 20 << 20]
SHORT, LONG = 1000, 20 << 20
CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "one bit": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "shorter": lambda data: data[:-1],
    "empty": lambda _: b"",
}


@dataclass
class Place:
    """A destination, and a look at what it holds that does not go through it."""

    destination: Destination
    found: Callable[[str], bytes | None]
    put: Callable[[str, bytes], object]
    keys: Callable[[], list[str]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    with seaweed(tmp_path_factory.mktemp("weed")) as made:
        yield made


@pytest.fixture(params=["simulated", "s3", "directory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    made = _place(request, tmp_path)
    yield made
    made.destination.close()


@pytest.fixture(params=["simulated", "s3"])
def resuming(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Yield those that go on where they were; a directory's copy is begun anew."""
    made = _place(request, tmp_path)
    yield made
    made.destination.close()


def _place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    match request.param:
        case "simulated":
            return _simulated()
        case "directory":
            return _directory(tmp_path / "share")
        case _:
            return _s3(request.getfixturevalue("store"), tmp_path)


def _simulated() -> Place:
    cloud = SimulatedCloud(ManualClock())
    return Place(
        cloud, cloud.objects.get, cloud.objects.__setitem__, lambda: [*cloud.objects]
    )


def _directory(root: Path) -> Place:
    root.mkdir()

    def found(key: str) -> bytes | None:
        return (root / key).read_bytes() if (root / key).exists() else None

    def put(key: str, data: bytes) -> None:
        (root / key).parent.mkdir(parents=True)
        (root / key).write_bytes(data)

    def keys() -> list[str]:
        return [str(p.relative_to(root)) for p in root.rglob("*") if p.is_file()]

    return Place(Directory(root, RealDisk()), found, put, keys)


def _s3(store: Seaweed, folder: Path) -> Place:
    judge: Any = store.judge
    prefix = f"{folder.name}/"

    def found(key: str) -> bytes | None:
        try:
            answer = judge.get_object(Bucket=BUCKET, Key=prefix + key)
        except ClientError:
            return None
        data: bytes = answer["Body"].read()
        return data

    def keys() -> list[str]:
        listed = judge.list_objects_v2(Bucket=BUCKET, Prefix=prefix)
        names = [
            each["Key"].removeprefix(prefix) for each in listed.get("Contents", [])
        ]
        return [name for name in names if not name.startswith(".")]

    return Place(
        s3(at(store.endpoint), folder, SystemClock(), prefix=prefix),
        found,
        lambda key, data: judge.put_object(Bucket=BUCKET, Key=prefix + key, Body=data),
        keys,
    )


@pytest.mark.parametrize("size", SIZES)
def test_an_object_of_any_size_arrives_whole_and_is_confirmed(
    place: Place, tmp_path: Path, size: int
) -> None:
    sent = item(tmp_path, size)

    told = place.destination.send(sent, Progress(), Memory())

    assert told.proof in {Proof.READ_BACK, Proof.ECHOED}
    assert told.digest == sent.digest
    assert sha256(place.found(sent.key) or b"") == sent.digest
    asked = place.destination.confirm(sent)
    assert asked is not None
    assert (asked.proof, asked.digest) == (told.proof, told.digest)


@pytest.mark.parametrize("size", [SHORT, LONG])
def test_an_object_that_is_sent_twice_is_one_object(
    place: Place, tmp_path: Path, size: int
) -> None:
    sent = item(tmp_path, size)
    place.destination.send(sent, Progress(), Memory())

    again = Memory()
    told = place.destination.send(sent, Progress(), again)

    assert told.digest == sent.digest
    assert place.keys() == [sent.key]
    assert again.new_parts() == 0


@pytest.mark.parametrize(
    ("size", "theirs"),
    [
        (0, b"theirs"),
        (SHORT, b""),
        (SHORT, b"x" * SHORT),
        (LONG, b""),
        (LONG, b"theirs"),
    ],
)
def test_another_object_of_that_name_is_never_overwritten(
    place: Place, tmp_path: Path, size: int, theirs: bytes
) -> None:
    sent = item(tmp_path, size)
    place.put(sent.key, theirs)

    with pytest.raises(Refused, match="already called"):
        place.destination.send(sent, Progress(), Memory())

    assert place.found(sent.key) == theirs
    assert place.destination.confirm(sent) is None


def test_an_upload_that_goes_on_overwrites_nothing_that_came_in_between(
    resuming: Place, tmp_path: Path
) -> None:
    sent = item(tmp_path, LONG)
    known = _interrupted(resuming, sent)
    resuming.put(sent.key, b"theirs")

    with pytest.raises(Refused, match="already called"):
        resuming.destination.send(sent, known, Memory())

    assert resuming.found(sent.key) == b"theirs"


def test_nothing_is_overwritten_that_came_while_the_last_part_was_sent(
    resuming: Place, tmp_path: Path
) -> None:
    sent = item(tmp_path, LONG)

    def remember(progress: Progress) -> None:
        if len(progress.parts) == len(sent.parts):
            resuming.put(sent.key, b"theirs")

    with pytest.raises(Refused, match="already called"):
        resuming.destination.send(sent, Progress(), remember)

    assert resuming.found(sent.key) == b"theirs"


@pytest.mark.parametrize("size", [SHORT, PART_SIZE + 1, LONG])
@pytest.mark.parametrize("change", CHANGES)
def test_our_own_file_that_changed_is_never_confirmed(
    place: Place, tmp_path: Path, size: int, change: str
) -> None:
    sent = item(tmp_path, size)
    sent.path.write_bytes(CHANGES[change](sent.path.read_bytes()))

    with pytest.raises(FixityError):
        place.destination.send(sent, Progress(), Memory())

    assert place.destination.confirm(sent) is None
    assert place.found(sent.key) is None


def test_our_own_file_that_is_gone_is_no_fault_of_the_destination(
    place: Place, tmp_path: Path
) -> None:
    sent = item(tmp_path, SHORT)
    sent.path.unlink()

    with pytest.raises(FixityError):
        place.destination.send(sent, Progress(), Memory())


def test_our_own_file_is_not_looked_for_behind_a_symbolic_link(
    place: Place, tmp_path: Path
) -> None:
    sent = item(tmp_path, SHORT)
    sent.path.rename(tmp_path / "elsewhere")
    sent.path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FixityError):
        place.destination.send(sent, Progress(), Memory())

    assert place.found(sent.key) is None


def test_an_object_that_is_not_there_is_not_confirmed(
    place: Place, tmp_path: Path
) -> None:
    absent = item(tmp_path, SHORT)

    assert place.destination.confirm(absent) is None


@pytest.mark.parametrize("size", [SHORT, LONG])
def test_an_object_that_was_changed_over_there_is_not_confirmed(
    place: Place, tmp_path: Path, size: int
) -> None:
    sent = item(tmp_path, size)
    data = sent.path.read_bytes()
    place.put(sent.key, data[:-1] + bytes([data[-1] ^ 1]))

    assert place.destination.confirm(sent) is None


def test_progress_is_remembered_after_each_part(
    resuming: Place, tmp_path: Path
) -> None:
    memory = Memory()

    resuming.destination.send(item(tmp_path, LONG), Progress(), memory)

    counts = [len(progress.parts) for progress in memory.kept]
    assert counts[:4] == [0, 1, 2, 3]
    assert {progress.upload for progress in memory.kept} == {memory.newest.upload}


def test_a_copy_that_takes_long_gives_signs_of_life(tmp_path: Path) -> None:
    share = _directory(tmp_path / "share")
    memory = Memory()

    share.destination.send(item(tmp_path, LONG), Progress(), memory)

    assert len(memory.kept) == 2 * LONG // PART_SIZE  # written, and read back


def test_an_upload_goes_on_where_it_was(resuming: Place, tmp_path: Path) -> None:
    sent = item(tmp_path, LONG)
    known = _interrupted(resuming, sent)

    after = Memory()
    told = resuming.destination.send(sent, known, after)

    assert told.digest == sent.digest
    assert sha256(resuming.found(sent.key) or b"") == sent.digest
    assert after.newest.upload == known.upload
    assert [part.number for part in after.newest.parts] == [1, 2, 3]
    assert all(len(progress.parts) == 3 for progress in after.kept)


def test_an_upload_that_the_destination_forgot_is_begun_again(
    resuming: Place, tmp_path: Path
) -> None:
    sent = item(tmp_path, LONG)
    known = _interrupted(resuming, sent)
    forgotten = replace(known, upload=(known.upload or "") + "f")

    after = Memory()
    told = resuming.destination.send(sent, forgotten, after)

    assert told.digest == sent.digest
    assert sha256(resuming.found(sent.key) or b"") == sent.digest
    assert after.newest.generation == known.generation + 1


def test_an_upload_that_was_completed_unnoticed_is_not_sent_again(
    resuming: Place, tmp_path: Path
) -> None:
    sent = item(tmp_path, LONG)
    memory = Memory()
    resuming.destination.send(sent, Progress(), memory)

    again = Memory()
    told = resuming.destination.send(sent, memory.newest, again)

    assert told.digest == sent.digest
    assert {progress.upload for progress in again.kept} <= {memory.newest.upload}


def test_a_check_says_how_it_proves_and_leaves_nothing(place: Place) -> None:
    said = place.destination.check()

    assert said.startswith("writable; ")
    assert place.keys() == []


def _interrupted(place: Place, sent: Object) -> Progress:
    """Send two parts of three, and stop there; return what is known then."""
    memory = Interrupting(after=2)
    with pytest.raises(Interrupted):
        place.destination.send(sent, Progress(), memory)
    return memory.newest
