"""What is sent to a content destination, and what is believed of it."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote

import pytest

from dock_agent.errors import FixityError, NotTaken, Refused, Unreachable
from dock_agent.recording import Proof
from dock_agent.sync.axis import metadata
from dock_agent.sync.content import Content
from dock_agent.sync.destination import Object, Progress
from support.axis_boxes import Blob, Box, Can
from support.axis_docking import faulty, spot, there
from support.axis_server import AxisServer, Reply, Request, axis_server
from support.place_axis import axis
from support.places import about
from support.sending import Hearing, Interrupted, Memory, file, item, sent_whole

SIZE = 100_000
EXAMPLE = Can.HEAD  # the API's own example: HEAD of anything, and no digests
ECHOED = "it gives nothing back; the MD5 that it computes is the proof"
ECHOES = Can.DIGEST | Can.ETAG


@pytest.fixture
def server() -> Iterator[AxisServer]:
    with axis_server() as made:
        yield made
        assert made.refused == []


@pytest.fixture
def sent(tmp_path: Path) -> Object:
    return item(tmp_path, SIZE)


def md5(sent: Object) -> str:
    return hashlib.md5(file(sent).read_bytes(), usedforsecurity=False).hexdigest()


@dataclass
class Reads:
    """A content that counts how often it is begun, and may be another each time."""

    contents: list[bytes]
    begun: int = 0

    def blocks(self, offset: int, length: int) -> Iterator[bytes]:
        data = self.contents[min(self.begun, len(self.contents) - 1)]
        self.begun += 1
        for at in range(offset, offset + length, 1000):
            yield data[at : min(at + 1000, offset + length)]


def reading(sent: Object, content: Content) -> Object:
    return replace(sent, content=content)


def test_an_object_goes_with_the_md5_that_tells_a_damaged_body(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    with closing(axis(server.write(tmp_path))) as destination:
        destination.send(sent, Progress(), Memory())

    where = spot(sent)
    put = next(r for r in server.asked if (r.method, r.path) == ("PUT", _path(sent)))
    assert put.headers["etag"] == md5(sent)
    assert put.headers["content-type"] == "video/mp4"
    assert (
        server.boxes[where.container].blobs[where.name].told["containertype"] == "mp4"
    )


def test_an_objects_headers_tell_its_path_and_its_digest(
    server: AxisServer, tmp_path: Path
) -> None:
    path = "data/DCIM/Été 日本 & more/" + "0" * 100 + ".MP4"
    sent = item(tmp_path, what=about(path))

    with closing(axis(server.write(tmp_path))) as destination:
        assert sent_whole(destination, sent) is not None

    told = _blob(server, sent).told
    headers = {f"x-object-meta-{key}": value for key, value in told.items()}
    assert metadata.told_path(headers) == path
    assert metadata.told_digest(headers) == sent.digest
    assert told["dock-docking"] == sent.about.docking
    assert all(len(value.encode()) <= 32 for value in told.values())


@pytest.mark.parametrize("name", ["x" * 300, "a\tb", "日本" * 60])
def test_what_no_header_has_room_for_is_told_whole_beside_the_object(
    server: AxisServer, tmp_path: Path, name: str
) -> None:
    sent = item(tmp_path, what=about(f"data/DCIM/{name}.MP4"))

    with closing(axis(server.write(tmp_path))) as destination:
        assert sent_whole(destination, sent) is not None

    where, told = spot(sent), _blob(server, sent).told
    beside = server.boxes[where.container].blobs[told["dock-story"]]
    story = json.loads(beside.data)
    assert unquote(story["Dock-Path"]) == sent.about.file
    assert story["Object"] == where.name
    assert "dock-path-1" not in told


def test_a_body_that_is_damaged_on_its_way_is_not_taken(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    server.garbles = lambda path, data: data[:-1] + b"?" if ".mp4" in path else data

    with (
        closing(axis(server.write(tmp_path))) as destination,
        pytest.raises(NotTaken, match="422"),
    ):
        destination.send(sent, Progress(), Memory())

    assert there(server, sent) is None


def test_a_file_that_changes_while_it_is_sent_does_not_arrive(
    tmp_path: Path, sent: Object
) -> None:
    """Not even at a place that checks nothing: the last block stays here."""
    whole = file(sent).read_bytes()
    changing = reading(sent, Reads([whole, b"?" + whole[1:]]))

    with axis_server(can=Can.GET | Can.HEAD) as server:
        with (
            closing(axis(server.write(tmp_path))) as destination,
            pytest.raises(FixityError),
        ):
            destination.send(changing, Progress(), Memory())

        assert there(server, sent) is None


def test_our_own_file_is_measured_with_a_sign_of_life_for_each_block(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    """The MD5 of a large file takes minutes, and nothing moves meanwhile."""
    content, hearing = Reads([file(sent).read_bytes()]), Hearing()

    with closing(axis(server.write(tmp_path))) as destination:
        destination.send(hearing.of(reading(sent, content)), Progress(), Memory())

    beats = list(takewhile(lambda count: count == 0, hearing.counts))
    assert len(beats) == SIZE // 1000


def test_an_object_that_was_cut_is_begun_anew_and_not_measured_again(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    content, memory = Reads([file(sent).read_bytes()]), Memory()
    counted = reading(sent, content)

    with closing(axis(server.write(tmp_path))) as destination:
        with pytest.raises(Interrupted):
            destination.send(Hearing(most=SIZE // 2).of(counted), Progress(), memory)
        assert content.begun == 2
        done = destination.send(counted, memory.newest, memory)
        told = destination.confirm(counted, done, sent=True)

    assert content.begun == 3
    assert told is not None


@pytest.mark.parametrize("can", [Can.ALL, Can.HEAD | ECHOES])
def test_an_answer_that_was_lost_does_not_mean_that_it_is_sent_again(
    tmp_path: Path, sent: Object, can: Can
) -> None:
    with axis_server(can=can) as server:
        full, memory = can is Can.ALL, Memory()
        connection = server.write(tmp_path, FullStoreAndReadSupport=full)
        with closing(axis(connection)) as destination:
            server.lose = _puts(_path(sent))
            with pytest.raises(Unreachable):
                destination.send(sent, Progress(), memory)
        server.lose = lambda _: False
        puts = server.count("PUT", _path(sent))

        with closing(axis(connection)) as later:
            done = later.send(sent, memory.newest, memory)
            told = later.confirm(sent, done, sent=True)

        assert server.count("PUT", _path(sent)) == puts
        assert told is not None
        assert told.proof is (Proof.READ_BACK if full else Proof.ECHOED)


def test_somebody_who_was_first_meanwhile_is_not_replaced(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    def first(request: Request) -> Reply | None:
        if (request.method, request.path) == ("PUT", _path(sent)):
            where = spot(sent)
            server.boxes[where.container].blobs[where.name] = Blob(b"theirs")
        return None

    with (
        faulty(server, first),
        closing(axis(server.write(tmp_path))) as destination,
        pytest.raises(Refused, match="already called"),
    ):
        destination.send(sent, Progress(), Memory())

    assert there(server, sent) == b"theirs"


def test_an_answer_that_speaks_of_other_bytes_is_no_success(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    def other(request: Request) -> Reply | None:
        mine = (request.method, request.path) == ("PUT", _path(sent))
        return Reply(201, {"ETag": "0" * 32}) if mine else None

    with (
        faulty(server, other),
        closing(axis(server.write(tmp_path))) as destination,
        pytest.raises(NotTaken, match="other bytes"),
    ):
        destination.send(sent, Progress(), Memory())


@pytest.mark.parametrize("full", [True, False])
def test_what_is_kept_damaged_is_never_confirmed(
    server: AxisServer, tmp_path: Path, sent: Object, *, full: bool
) -> None:
    server.damages = lambda path, data: data[:-1] + b"?" if ".mp4" in path else data

    file = server.write(tmp_path, FullStoreAndReadSupport=full)
    with closing(axis(file)) as destination:
        told = sent_whole(destination, sent)

    assert told is None


def test_other_bytes_that_are_given_back_outweigh_an_echo(
    tmp_path: Path, sent: Object
) -> None:
    """Even at a place that gave nothing back when it was tried."""

    def only(request: Request) -> Reply | None:
        tried = request.method == "GET" and request.path.startswith("Dock_Check")
        return Reply(403) if tried else None

    with axis_server() as server, faulty(server, only):
        server.damages = lambda path, data: data[:-1] if ".mp4" in path else data
        file = server.write(tmp_path, FullStoreAndReadSupport=False)
        with closing(axis(file)) as destination:
            assert "the MD5 that it computes is the proof" in destination.check()
            assert sent_whole(destination, sent) is None


@pytest.mark.parametrize("length", [SIZE - 1, SIZE + 1])
def test_what_is_kept_shorter_or_longer_is_never_confirmed(
    server: AxisServer, tmp_path: Path, sent: Object, length: int
) -> None:
    with closing(axis(server.write(tmp_path))) as destination:
        done = destination.send(sent, Progress(), Memory())
        _blob(server, sent).data = (file(sent).read_bytes() + b"?")[:length]

        assert destination.confirm(sent, done) is None
        assert destination.confirm(sent, done, sent=True) is None


@pytest.mark.parametrize("heads", [Can.HEAD, Can.NOTHING])
def test_where_nothing_is_given_back_the_md5_that_it_computes_is_the_proof(
    tmp_path: Path, sent: Object, heads: Can
) -> None:
    with axis_server(can=ECHOES | heads) as server:
        file = server.write(tmp_path, FullStoreAndReadSupport=False)
        with closing(axis(file)) as destination:
            done = destination.send(sent, Progress(), Memory())
            told = destination.confirm(sent, done, sent=True)
            later = destination.confirm(sent, done)
            seen = destination.look(sent, done)

            assert told is not None
            assert (told.proof, told.digest) == (Proof.ECHOED, sent.digest)
            assert told.etag == md5(sent)
            assert later is None
            assert seen is not None
            assert seen.size == SIZE
            assert destination.capabilities.objects


@pytest.mark.parametrize(
    "can",
    [
        pytest.param(Can.ETAG, id="takes a damaged body"),
        pytest.param(Can.DIGEST, id="repeats what it was told"),
        pytest.param(Can.NOTHING, id="neither"),
        pytest.param(EXAMPLE, id="the example server"),
    ],
)
def test_where_an_md5_proves_nothing_nothing_is_confirmed_and_it_says_so(
    tmp_path: Path, sent: Object, can: Can
) -> None:
    with axis_server(can=can) as server:
        file = server.write(tmp_path, FullStoreAndReadSupport=False)
        with closing(axis(file)) as destination:
            told = sent_whole(destination, sent)
            said = destination.check()

        assert told is None
        assert there(server, sent) is not None
        assert "no object will ever be confirmed" in said
        assert not destination.capabilities.objects


@pytest.mark.parametrize("can", [Can.ALL, ECHOES | Can.HEAD])
def test_an_echo_counts_for_nothing_where_the_object_is_gone(
    tmp_path: Path, sent: Object, can: Can
) -> None:
    with axis_server(can=can) as server:
        file = server.write(tmp_path, FullStoreAndReadSupport=False)
        with closing(axis(file)) as destination:
            done = destination.send(sent, Progress(), Memory())
            del server.boxes[spot(sent).container].blobs[spot(sent).name]

            assert destination.confirm(sent, done, sent=True) is None


def test_an_echo_counts_for_nothing_where_objects_are_given_back(
    server: AxisServer, tmp_path: Path, sent: Object
) -> None:
    def kept_back(request: Request) -> Reply | None:
        mine = (request.method, request.path) == ("GET", _path(sent))
        return Reply(403) if mine else None

    file = server.write(tmp_path, FullStoreAndReadSupport=False)
    with faulty(server, kept_back), closing(axis(file)) as destination:
        assert sent_whole(destination, sent) is None


def test_a_place_that_lets_nothing_be_tried_proves_nothing(
    tmp_path: Path, sent: Object
) -> None:
    def strict(request: Request) -> Reply | None:
        return Reply(400) if request.path.startswith("Dock_Check") else None

    with axis_server(can=ECHOES) as server, faulty(server, strict):
        file = server.write(tmp_path, FullStoreAndReadSupport=False)
        with closing(axis(file)) as destination:
            assert sent_whole(destination, sent) is None
            with pytest.raises(Refused, match="Dock_Check"):
                destination.check()


@pytest.mark.parametrize(
    ("can", "said"),
    [
        (Can.ALL, "every object is read back"),
        (ECHOES | Can.HEAD, ECHOED),
        (ECHOES, f"{ECHOED}; it does not say what a docking has there"),
        (
            Can.HEAD,
            "nothing it says is proof: no object will ever be confirmed there",
        ),
    ],
)
def test_a_check_says_how_it_proves(tmp_path: Path, can: Can, said: str) -> None:
    with axis_server(can=can) as server:
        file = server.write(tmp_path, FullStoreAndReadSupport=False)
        with closing(axis(file)) as destination:
            assert destination.check() == f"writable; {said}; it expects video as mkv"

        left = server.boxes["Dock_Check"].blobs
        assert len(left) == (Can.DELETE not in can)


def test_the_example_server_is_looked_at_by_what_it_was_told(
    tmp_path: Path, sent: Object
) -> None:
    with axis_server(can=EXAMPLE) as server:
        server.lengths = False
        file = server.write(tmp_path, FullStoreAndReadSupport=False)
        with closing(axis(file)) as destination:
            done = destination.send(sent, Progress(), Memory())
            again = destination.send(sent, Progress(), Memory())
            seen = destination.look(sent, done)

        assert again.sent == SIZE
        assert server.count("PUT", _path(sent)) == 1
        assert seen is not None
        assert seen.size == SIZE


def test_an_object_of_another_digest_is_not_taken_for_ours(
    tmp_path: Path, sent: Object
) -> None:
    where = spot(sent)
    theirs = Blob(b"theirs", {"dock-sha256-1": "0" * 32, "dock-sha256-2": "0" * 32})
    with axis_server(can=EXAMPLE) as server:
        server.boxes[where.container] = Box(blobs={where.name: theirs})
        file = server.write(tmp_path, FullStoreAndReadSupport=False)

        with (
            closing(axis(file)) as destination,
            pytest.raises(Refused, match="already called"),
        ):
            destination.send(sent, Progress(), Memory())

        assert _blob(server, sent) is theirs


def _blob(server: AxisServer, sent: Object) -> Blob:
    where = spot(sent)
    return server.boxes[where.container].blobs[where.name]


def _path(sent: Object) -> str:
    return f"{spot(sent).container}/{spot(sent).name}"


def _puts(path: str) -> Callable[[Request], bool]:
    return lambda request: (request.method, request.path) == ("PUT", path)
