"""Two real tus servers: the official one, and SeaweedFS' by path."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from dock_agent.errors import FixityError, NotTaken, Refused, Unreachable
from dock_agent.recording import PART_SIZE, Proof
from dock_agent.sync.destination import Object, Progress
from dock_agent.sync.tus.client import Site
from dock_agent.sync.tus.destination import MARKER, Tus
from dock_agent.sync.tus.words import CLOSING, Upload
from support import tus_sender
from support.place_tus import by_path, place, prefix_of, tus, weed_place
from support.places import Place
from support.process import wait_until
from support.seaweed import Seaweed, seaweed
from support.sending import Hearing, Interrupted, Memory, file, item, sha256
from support.tus_sender import remembered
from support.tus_server import TusServer, tus_server

ROOT = Path(__file__).parents[2]
SPOKEN = {"tus-resumable": "1.0.0"}
SHORT, LONG = 1000, 20 << 20
KINDS = ["tus", "tus-path"]
Server = TusServer | Seaweed


@dataclass
class Here:
    """A server, and what we make of it."""

    server: Server
    place: Place
    site: Site

    @property
    def station(self) -> Tus:
        assert isinstance(self.place.destination, Tus)
        return self.place.destination

    def offset(self, done: Progress) -> int:
        """Ask the server itself how far an upload is, once it has let go of it.

        For a moment it may still be busy with a request that was cut.
        """
        upload = Upload.of(done.upload)
        assert upload is not None
        url, locked = upload.url, 423
        wait_until(lambda: _nothing_sent(url).status_code != locked)
        answer = httpx.head(url, headers=SPOKEN, trust_env=False)
        return int(answer.headers["upload-offset"])

    def forget(self, done: Progress) -> None:
        """Take an upload away behind our back."""
        upload = Upload.of(done.upload)
        assert upload is not None
        self.offset(done)
        answer = httpx.delete(upload.url, headers=SPOKEN, trust_env=False)
        answer.raise_for_status()


def _nothing_sent(url: str) -> httpx.Response:
    """Send no byte, at an offset that is wrong, or changes nothing."""
    headers = {**SPOKEN, "upload-offset": "0"}
    headers["content-type"] = "application/offset+octet-stream"
    return httpx.patch(url, headers=headers, content=b"", trust_env=False)


MAKERS: dict[str, Callable[[Path], AbstractContextManager[Server]]] = {
    "tus": tus_server,
    "tus-path": seaweed,
}


def put_up(folder: Path, server: Server, held: ExitStack) -> Here:
    """Return a place on a server."""
    if isinstance(server, TusServer):
        site = Site(server.endpoint, prefix_of(folder))
        return Here(server, held.enter_context(place(folder, server)), site)
    site = by_path(server, prefix_of(folder))
    return Here(server, held.enter_context(weed_place(folder, server)), site)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Server]]:
    with ExitStack() as held:
        yield {
            kind: held.enter_context(make(tmp_path_factory.mktemp(kind)))
            for kind, make in MAKERS.items()
        }


@pytest.fixture(params=KINDS)
def here(
    request: pytest.FixtureRequest, servers: dict[str, Server], tmp_path: Path
) -> Iterator[Here]:
    with ExitStack() as held:
        yield put_up(tmp_path, servers[request.param], held)


@pytest.fixture(params=KINDS)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Here]:
    """Yield a place on a server of its own, which may be killed."""
    (tmp_path / "server").mkdir()
    with ExitStack() as held:
        server = held.enter_context(MAKERS[request.param](tmp_path / "server"))
        yield put_up(tmp_path, server, held)


@pytest.fixture
def weed(servers: dict[str, Server], tmp_path: Path) -> Iterator[Here]:
    with ExitStack() as held:
        yield put_up(tmp_path, servers["tus-path"], held)


@pytest.mark.parametrize("size", [0, 1, PART_SIZE, PART_SIZE + 1, LONG])
def test_an_object_of_any_size_is_read_back_before_it_counts(
    here: Here, tmp_path: Path, size: int
) -> None:
    sent, memory = item(tmp_path, size), Memory()

    done = here.station.send(sent, Progress(), memory)
    told = here.station.confirm(sent, done, sent=True)

    assert told is not None
    assert (told.proof, told.digest) == (Proof.READ_BACK, sent.digest)
    assert sha256(here.place.found(sent.key) or b"") == sent.digest
    assert memory.newest == done
    assert done.sent == size


def test_progress_is_remembered_every_eight_mebibytes_and_at_the_end(
    here: Here, tmp_path: Path
) -> None:
    memory = Memory()

    here.station.send(item(tmp_path, LONG), Progress(), memory)

    steps = [done.sent for done in memory.kept]
    assert steps[0] == 0
    assert steps[-1] == LONG
    assert max(b - a for a, b in pairwise(steps)) <= PART_SIZE


def test_bytes_are_told_as_they_go_and_as_they_come_in_small_pieces(
    here: Here, tmp_path: Path
) -> None:
    out, back = Hearing(), Hearing()
    sent = item(tmp_path, LONG)

    done = here.station.send(out.of(sent), Progress(), Memory())
    here.station.confirm(back.of(sent), done, sent=True)

    assert (out.total, back.total) == (LONG, LONG)
    assert max(out.counts) <= 1 << 20


@pytest.mark.parametrize("most", [1 << 20, PART_SIZE + (3 << 20), LONG - 1])
def test_an_upload_cut_anywhere_goes_on_at_the_servers_own_offset(
    here: Here, tmp_path: Path, most: int
) -> None:
    sent, memory = item(tmp_path, LONG), Memory()
    with pytest.raises(Interrupted):
        here.station.send(Hearing(most=most).of(sent), Progress(), memory)
    there = here.offset(memory.newest)

    rest = Hearing()
    with closing(here.place.again()) as again:
        done = again.send(rest.of(sent), memory.newest, Memory())

    assert there >= memory.newest.sent
    assert rest.total == LONG - there
    assert done.generation == memory.newest.generation
    assert here.station.confirm(sent, done, sent=True) is not None
    assert sha256(here.place.found(sent.key) or b"") == sent.digest


def test_a_killed_sender_sends_again_no_more_than_was_in_flight(
    here: Here, tmp_path: Path
) -> None:
    stop = PART_SIZE + (3 << 20)
    command = [sys.executable, tus_sender.__file__, str(tmp_path), str(LONG)]
    paths = f"{ROOT}:{ROOT / 'tests'}"
    with subprocess.Popen(
        [*command, json.dumps(asdict(here.site)), str(stop)],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "there\n"
        child.kill()
    known = remembered(tmp_path)
    there = here.offset(known)

    rest, sent = Hearing(), item(tmp_path, LONG)
    done = here.station.send(rest.of(sent), known, Memory())

    assert known.sent == PART_SIZE
    assert rest.total == LONG - there
    assert known.sent <= there <= stop
    assert here.station.confirm(sent, done, sent=True) is not None
    assert here.place.keys() == [sent.key]


def test_a_killed_server_is_gone_on_with_at_the_offset_it_comes_back_with(
    own: Here, tmp_path: Path
) -> None:
    sent, memory, moved = item(tmp_path, LONG), Memory(), Hearing()

    def kill(count: int) -> None:
        moved(count)
        if moved.total > PART_SIZE + (2 << 20):
            own.server.kill()

    with pytest.raises(Unreachable):
        own.station.send(replace(sent, moved=kill), Progress(), memory)
    own.server.start()
    there = own.offset(memory.newest)
    rest = Hearing()
    done = own.station.send(rest.of(sent), memory.newest, Memory())

    assert PART_SIZE <= memory.newest.sent <= there
    assert rest.total == LONG - there
    assert own.station.confirm(sent, done, sent=True) is not None
    assert sha256(own.place.found(sent.key) or b"") == sent.digest


def test_an_upload_that_was_taken_away_half_is_begun_again(
    here: Here, tmp_path: Path
) -> None:
    sent, memory = item(tmp_path, LONG), Memory()
    with pytest.raises(Interrupted):
        here.station.send(Hearing(most=LONG - 1).of(sent), Progress(), memory)
    here.forget(memory.newest)

    rest = Hearing()
    done = here.station.send(rest.of(sent), memory.newest, Memory())

    assert done.generation == memory.newest.generation + 1
    assert rest.total == LONG
    assert here.station.confirm(sent, done, sent=True) is not None


def test_what_was_taken_whole_unnoticed_is_not_sent_again(
    here: Here, tmp_path: Path
) -> None:
    sent, memory = item(tmp_path, LONG), Memory()
    here.station.send(sent, Progress(), memory)
    before_the_last_answer = memory.kept[-2]

    again = Hearing()
    done = here.station.send(again.of(sent), before_the_last_answer, Memory())

    assert done.sent == LONG
    assert done.generation == before_the_last_answer.generation
    assert again.total in {0, LONG}  # at most read back
    assert here.station.confirm(sent, done, sent=True) is not None


def test_what_was_sent_and_then_lost_is_never_confirmed_and_begun_again(
    here: Here, tmp_path: Path
) -> None:
    sent = item(tmp_path, SHORT)
    done = here.station.send(sent, Progress(), Memory())
    if here.site.read_endpoint:
        where = f"{here.site.read_endpoint}/{here.site.prefix}"
        httpx.delete(f"{where}?recursive=true", trust_env=False).raise_for_status()
    else:
        here.forget(done)

    assert here.station.confirm(sent, done, sent=True) is None
    assert here.station.confirm(sent, done) is None
    if here.site.read_endpoint:
        assert here.station.look(sent, done) is None
    else:  # servers forget uploads that are over: that is no loss
        with pytest.raises(NotTaken, match="cannot be asked"):
            here.station.look(sent, done)
    after = here.station.send(sent, done, Memory())
    assert after.generation == done.generation + 1
    assert here.station.confirm(sent, after) is not None


@pytest.mark.parametrize("at", [0, 5, PART_SIZE, LONG - 1])
def test_our_own_file_that_changed_is_found_before_the_server_has_it_whole(
    here: Here, tmp_path: Path, at: int
) -> None:
    sent, memory = item(tmp_path, LONG), Memory()
    data = bytearray(file(sent).read_bytes())
    data[at] ^= 1
    file(sent).write_bytes(data)

    with pytest.raises(FixityError):
        here.station.send(sent, Progress(), memory)

    assert here.place.found(sent.key) is None
    assert here.station.confirm(sent, memory.newest) is None


def test_an_empty_file_that_is_gone_does_not_become_an_empty_object(
    here: Here, tmp_path: Path
) -> None:
    sent = item(tmp_path, 0)
    file(sent).unlink()

    with pytest.raises(FixityError):
        here.station.send(sent, Progress(), Memory())

    assert here.place.found(sent.key) is None


def test_what_was_damaged_while_our_file_was_wrong_is_sent_again_once_it_is_right(
    here: Here, tmp_path: Path
) -> None:
    sent, memory = item(tmp_path, LONG), Memory()
    right = file(sent).read_bytes()
    file(sent).write_bytes(bytes(PART_SIZE - CLOSING) + right[PART_SIZE - CLOSING :])
    with pytest.raises(FixityError):
        here.station.send(sent, Progress(), memory)
    file(sent).write_bytes(right)

    known = memory.newest
    for _ in range(3):
        known = settled(here, sent, known)

    told = here.station.confirm(sent, known)
    assert told is not None
    assert sha256(here.place.found(sent.key) or b"") == sent.digest


def settled(here: Here, sent: Object, known: Progress) -> Progress:
    """Send and ask, as the worker does time after time; by path a person clears."""
    try:
        return here.station.send(sent, known, Memory())
    except Refused:
        prefix = f"{here.site.read_endpoint}/{here.site.prefix}"
        httpx.delete(f"{prefix}?recursive=true", trust_env=False).raise_for_status()
        return known


def test_a_look_tells_the_size_that_is_said_to_be_there(
    here: Here, tmp_path: Path
) -> None:
    sent = item(tmp_path, SHORT)
    nothing = here.station.look(sent, Progress())
    done = here.station.send(sent, Progress(), Memory())

    seen = here.station.look(sent, done)

    assert nothing is None
    assert seen is not None
    assert seen.size == SHORT


def test_a_check_proves_a_small_object_and_leaves_nothing(here: Here) -> None:
    here.station.probe()

    said = here.station.check()

    assert said == "writable; everything is read back, it checks nothing"
    assert here.place.keys() == []
    assert here.station.capabilities.objects is False
    assert here.station.capabilities.whole is True


def test_by_path_another_object_of_that_name_stays_as_it_is(
    weed: Here, tmp_path: Path
) -> None:
    sent = item(tmp_path, LONG)
    assert weed.place.put is not None
    weed.place.put(sent.key, bytes(LONG))

    with pytest.raises(Refused, match="already called"):
        weed.station.send(sent, Progress(), Memory())

    assert weed.place.found(sent.key) == bytes(LONG)


def test_by_path_what_came_in_between_is_seen_before_the_closing_request(
    weed: Here, tmp_path: Path
) -> None:
    sent = item(tmp_path, PART_SIZE)
    assert weed.place.put is not None
    put = weed.place.put

    def remember(done: Progress) -> None:
        if done.sent == PART_SIZE - CLOSING:
            put(sent.key, b"theirs")

    with pytest.raises(Refused, match="already called"):
        weed.station.send(sent, Progress(), remember)

    assert weed.place.found(sent.key) == b"theirs"


def test_by_path_our_own_bytes_that_are_there_count_as_sent(
    weed: Here, tmp_path: Path
) -> None:
    sent, moved = item(tmp_path, SHORT), Hearing()
    assert weed.place.put is not None
    weed.place.put(sent.key, file(sent).read_bytes())

    done = weed.station.send(moved.of(sent), Progress(), Memory())

    assert done.upload is None
    assert done.sent == SHORT == moved.total  # read, not sent
    assert weed.station.confirm(sent, done, sent=True) is not None


def test_by_path_a_page_that_is_evidence_is_no_portal(
    weed: Here, tmp_path: Path
) -> None:
    sent = item(tmp_path, SHORT, key="data/MISC/INDEX.HTM")

    done = weed.station.send(sent, Progress(), Memory())

    assert weed.station.confirm(sent, done) is not None


def test_by_path_a_place_is_marked_once_and_keeps_its_mark(weed: Here) -> None:
    unmarked = weed.station.marker()
    weed.station.mark("one")
    weed.station.mark("one")

    assert unmarked is None
    assert weed.station.marker() == "one"
    assert json.loads(weed.place.found(MARKER) or b"") == {"id": "one"}


def test_several_threads_send_through_one_station(here: Here, tmp_path: Path) -> None:
    objects = [
        item(tmp_path, PART_SIZE + seed, f"data/{seed}.MP4", seed) for seed in range(6)
    ]

    def sent_whole(sent: Object) -> bool:
        done = here.station.send(sent, Progress(), Memory())
        return here.station.confirm(sent, done, sent=True) is not None

    here.station.probe()  # they share what it connects
    with ThreadPoolExecutor(3) as pool:
        assert all(pool.map(sent_whole, objects))
    assert here.place.keys() == sorted(each.key for each in objects)


def test_a_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with closing(tus(Site("http://127.0.0.1:1/files"))) as station:
        with pytest.raises(Unreachable):
            station.probe()

        with pytest.raises(Unreachable):
            station.send(item(tmp_path), Progress(), Memory())
