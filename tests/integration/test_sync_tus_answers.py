"""Whatever a tus server answers, the station draws the right conclusion."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path

import pytest

from dock_agent.errors import (
    Barred,
    Busy,
    Full,
    NotTaken,
    Portal,
    Refused,
    SyncError,
    Unreachable,
)
from dock_agent.recording import PART_SIZE
from dock_agent.simulated.clock import BEGIN, ManualClock
from dock_agent.sync.destination import Object, Progress
from dock_agent.sync.tus.client import Site
from dock_agent.sync.tus.destination import Tus
from dock_agent.sync.tus.words import LEAST, Upload
from support.place_tus import tus
from support.sending import Hearing, Interrupted, Memory, file, item, sha256
from support.tus_gateway import Gateway, Said, gateway

SHORT, LONG = 1000, 2 * PART_SIZE + 5
PAGE = Said(200, {"content-type": "text/html"}, b"<html>Welcome", strange=True)
ELSEWHERE = Said(302, {"location": "http://portal.example/"}, strange=True)
MEANINGS: list[tuple[Said, type[SyncError]]] = [
    (Said(401), Barred),
    (Said(403), Barred),
    (Said(402), Full),
    (Said(507), Full),
    (Said(423), NotTaken),
    (Said(500), NotTaken),
    (Said(502), NotTaken),
    (Said(429), Busy),
    (Said(503), Busy),
    (PAGE, Portal),
    (ELSEWHERE, Portal),
    (Said(511), Portal),
]
IDS = [f"{said.status}-{kind.__name__}" for said, kind in MEANINGS]


@dataclass
class Here:
    """A gateway, our client of it, and the clock that it goes by."""

    gateway: Gateway
    station: Tus
    clock: ManualClock

    def cut(self, sent: Object, most: int = PART_SIZE + 1) -> Progress:
        """Send until so many bytes have moved; return what is known then."""
        memory = Memory()
        with pytest.raises(Interrupted):
            self.station.send(Hearing(most=most).of(sent), Progress(), memory)
        return memory.newest

    def held(self) -> list[str]:
        """Return the digest of each upload."""
        return [sha256(bytes(each.data)) for each in self.gateway.uploads.values()]


@pytest.fixture
def here() -> Iterator[Here]:
    clock = ManualClock()
    with gateway() as made, closing(tus(Site(made.endpoint), clock=clock)) as station:
        yield Here(made, station, clock)


def upload_url(done: Progress) -> str:
    upload = Upload.of(done.upload)
    assert upload is not None
    return upload.url


@pytest.mark.parametrize(("said", "kind"), MEANINGS, ids=IDS)
@pytest.mark.parametrize("method", ["POST", "PATCH", "HEAD", "GET"])
def test_each_answer_to_each_request_is_the_error_that_it_means(
    here: Here, tmp_path: Path, method: str, said: Said, kind: type[SyncError]
) -> None:
    sent = item(tmp_path, SHORT)
    done = replace(here.station.send(sent, Progress(), Memory()), sent=0)
    asks: dict[str, Callable[[], object]] = {
        "POST": lambda: here.station.send(sent, Progress(), Memory()),
        "PATCH": lambda: here.station.send(sent, Progress(), Memory()),
        "HEAD": lambda: here.station.send(sent, done, Memory()),
        "GET": lambda: here.station.confirm(sent, done, sent=True),
    }
    here.gateway.says[method] = [said] * 9  # some are tried a few times

    with pytest.raises(SyncError) as told:
        asks[method]()

    assert type(told.value) is kind


@pytest.mark.parametrize("status", [200, 204, 404, 410])
def test_an_answer_that_is_no_tus_servers_neither_counts_nor_begins_again(
    here: Here, tmp_path: Path, status: int
) -> None:
    sent, memory = item(tmp_path, LONG), Memory()
    known = here.cut(sent)
    for method in ("HEAD", "PATCH"):
        strange = Said(status, {"upload-offset": str(LONG)}, strange=True)
        here.gateway.says[method] = [strange]

        with pytest.raises(Portal, match="not as a tus server") as told:
            here.station.send(sent, known, memory)

        # Whoever knows an upload's address could end it.
        assert upload_url(known) not in str(told.value)
    assert memory.kept == []
    assert here.gateway.count("POST") == 1


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_says_how_long_it_wants_to_be_left(
    here: Here, tmp_path: Path, status: int
) -> None:
    here.gateway.says["PATCH"] = [Said(status, {"retry-after": "17"})]

    with pytest.raises(Busy) as told:
        here.station.send(item(tmp_path, SHORT), Progress(), Memory())

    assert told.value.wait_s == 17


@pytest.mark.parametrize(
    "said",
    [
        Said(412, {"tus-version": "2.0.0"}),
        Said(412, {}, b"Unsupported TUS version"),
        Said(400, {}, b"Invalid tus-resumable\n"),
    ],
)
def test_a_server_of_another_version_bars_us_in_words(
    here: Here, tmp_path: Path, said: Said
) -> None:
    here.gateway.says["POST"] = [said]

    with pytest.raises(Barred, match=r"beginning .*: 4\d\d"):
        here.station.send(item(tmp_path, SHORT), Progress(), Memory())


def test_an_object_that_is_too_large_is_refused(here: Here, tmp_path: Path) -> None:
    here.gateway.says["POST"] = [Said(413, {}, b"Upload-Length exceeds maximum")]

    with pytest.raises(Refused, match="413 Upload-Length exceeds maximum"):
        here.station.send(item(tmp_path, SHORT), Progress(), Memory())


def test_requests_that_are_too_large_for_a_proxy_become_smaller(
    here: Here, tmp_path: Path
) -> None:
    here.gateway.most = 1 << 20
    sent = item(tmp_path, LONG)

    done = here.station.send(sent, Progress(), Memory())

    assert here.station.confirm(sent, done, sent=True) is not None
    assert here.gateway.count("PATCH") == 3 + 17


def test_a_proxy_that_takes_no_request_at_all_is_a_persons_business(
    here: Here, tmp_path: Path
) -> None:
    here.gateway.most = 10

    with pytest.raises(Refused, match="413"):
        here.station.send(item(tmp_path, LONG), Progress(), Memory())

    assert min(len(each.body) for each in here.gateway.asked if each.body) == LEAST


def test_an_offset_that_is_not_ours_is_asked_for_and_gone_on_from(
    here: Here, tmp_path: Path
) -> None:
    sent = item(tmp_path, LONG)
    here.gateway.says["PATCH"] = [None, Said(409)]

    done = here.station.send(sent, Progress(), Memory())

    assert here.station.confirm(sent, done, sent=True) is not None
    assert here.gateway.count("HEAD") == 1
    assert done.generation == 1


@pytest.mark.parametrize("said", [Said(409), Said(460)])
def test_a_server_that_takes_nothing_time_after_time_is_left(
    here: Here, tmp_path: Path, said: Said
) -> None:
    here.gateway.says["PATCH"] = [said] * 100

    with pytest.raises(NotTaken, match="no more than 0 bytes"):
        here.station.send(item(tmp_path, SHORT), Progress(), Memory())

    assert here.gateway.count("PATCH") == 3


def test_an_upload_that_a_cut_request_still_holds_is_waited_for_a_moment(
    here: Here, tmp_path: Path
) -> None:
    sent = item(tmp_path, LONG)
    here.gateway.says["PATCH"] = [None, Said(423), Said(423)]

    done = here.station.send(sent, Progress(), Memory())

    assert here.station.confirm(sent, done, sent=True) is not None
    assert here.gateway.count("PATCH") == 3 + 2


def test_what_was_damaged_on_the_way_is_sent_again(here: Here, tmp_path: Path) -> None:
    sent, moved = item(tmp_path, SHORT), Hearing()
    here.gateway.says["PATCH"] = [Said(460)]

    done = here.station.send(moved.of(sent), Progress(), Memory())

    assert moved.total == 2 * SHORT
    assert here.station.confirm(sent, done, sent=True) is not None


@pytest.mark.parametrize("status", [404, 410])
def test_an_upload_that_is_gone_before_its_last_byte_is_begun_again(
    here: Here, tmp_path: Path, status: int
) -> None:
    sent = item(tmp_path, LONG)
    known = here.cut(sent)
    here.gateway.says["HEAD"] = [Said(status)]

    done = here.station.send(sent, known, Memory())

    assert done.generation == known.generation + 1
    assert here.station.confirm(sent, done, sent=True) is not None


@pytest.mark.parametrize("status", [404, 410])
def test_an_upload_that_goes_while_it_is_sent_to_is_begun_again_next_time(
    here: Here, tmp_path: Path, status: int
) -> None:
    sent, memory = item(tmp_path, LONG), Memory()
    here.gateway.says = {"PATCH": [None, Said(status)], "HEAD": [Said(status)]}

    with pytest.raises(NotTaken, match="gone"):
        here.station.send(sent, Progress(), memory)
    done = here.station.send(sent, memory.newest, Memory())

    assert done.generation == 2
    assert here.station.confirm(sent, done, sent=True) is not None


def test_an_upload_of_another_length_is_not_ours(here: Here, tmp_path: Path) -> None:
    sent = item(tmp_path, LONG)
    known = here.cut(sent)
    here.gateway.uploads["/uploads/0"].size += 1

    done = here.station.send(sent, known, Memory())

    assert done.generation == known.generation + 1


def test_a_server_that_lost_acknowledged_bytes_is_sent_them_again(
    here: Here, tmp_path: Path
) -> None:
    sent, rest = item(tmp_path, LONG), Hearing()
    known = here.cut(sent)
    del here.gateway.uploads["/uploads/0"].data[100:]

    done = here.station.send(rest.of(sent), known, Memory())

    assert (known.sent, rest.total) == (PART_SIZE, LONG - 100)
    assert here.station.confirm(sent, done, sent=True) is not None


def test_a_server_that_says_it_took_more_than_it_was_sent_is_not_believed(
    here: Here, tmp_path: Path
) -> None:
    here.gateway.lies = True

    with pytest.raises(NotTaken, match="how much it took"):
        here.station.send(item(tmp_path, SHORT), Progress(), Memory())


@pytest.mark.parametrize(
    ("trusted", "later", "generation"),
    [
        (True, timedelta(hours=2), 2),
        (True, timedelta(minutes=30), 1),
        (False, timedelta(hours=2), 1),  # our clock may be wrong: the server is asked
    ],
)
def test_an_upload_that_expired_half_sent_is_begun_again(
    here: Here, tmp_path: Path, *, trusted: bool, later: timedelta, generation: int
) -> None:
    sent = item(tmp_path, LONG)
    here.gateway.expires = format_datetime(BEGIN + timedelta(hours=1), usegmt=True)
    known = here.cut(sent)
    here.clock.trusted = trusted
    here.clock.advance(later)

    done = here.station.send(sent, known, Memory())

    assert done.generation == generation


def test_an_expiry_that_is_put_off_with_each_request_is_kept(
    here: Here, tmp_path: Path
) -> None:
    at = datetime(2026, 3, 6, tzinfo=UTC)
    later = {"upload-expires": format_datetime(at, usegmt=True)}
    patched = Said(204, {"upload-offset": str(SHORT), **later})
    here.gateway.says["PATCH"] = [patched]

    done = here.station.send(item(tmp_path, SHORT), Progress(), Memory())

    upload = Upload.of(done.upload)
    assert upload is not None
    assert upload.expires == at


def test_what_is_gone_after_its_last_byte_is_never_success_by_itself(
    here: Here, tmp_path: Path
) -> None:
    sent = item(tmp_path, SHORT)
    here.gateway.forgets = True

    done = here.station.send(sent, Progress(), Memory())

    assert done.sent == SHORT
    assert here.station.confirm(sent, done, sent=True) is None


def test_what_is_taken_whole_and_never_shown_goes_to_a_person_in_the_end(
    here: Here, tmp_path: Path
) -> None:
    sent, done = item(tmp_path, SHORT), Progress()
    here.gateway.forgets = True
    for _ in range(3):
        done = here.station.send(sent, done, Memory())

    with pytest.raises(Refused, match="taken whole 3 times"):
        here.station.send(sent, done, Memory())

    assert here.gateway.count("POST") == 3


def test_a_body_that_is_changed_on_the_way_is_never_confirmed(
    here: Here, tmp_path: Path
) -> None:
    sent, memory = item(tmp_path, LONG), Memory()
    here.gateway.flips = True

    done = here.station.send(sent, Progress(), memory)

    assert done.sent == LONG
    assert here.station.confirm(sent, done, sent=True) is None
    assert here.station.confirm(sent, done) is None


def test_a_body_that_was_changed_on_the_way_is_sent_again_as_a_new_upload(
    here: Here, tmp_path: Path
) -> None:
    sent = item(tmp_path, LONG)
    here.gateway.flips = True
    done = here.station.send(sent, Progress(), Memory())
    here.gateway.flips = False

    after = here.station.send(sent, done, Memory())

    assert after.generation == done.generation + 1
    assert here.station.confirm(sent, after) is not None
    assert here.held()[1] == sent.digest


def test_a_read_back_that_is_cut_goes_on_where_it_was(
    here: Here, tmp_path: Path
) -> None:
    sent, heard = item(tmp_path, LONG), Hearing()
    done = here.station.send(sent, Progress(), Memory())
    here.gateway.cuts = 3

    told = here.station.confirm(heard.of(sent), done, sent=True)

    assert told is not None
    assert heard.total == LONG
    asked = [each for each in here.gateway.asked if each.method == "GET"]
    begins = [int(each.headers.get("range", "bytes=0-")[6:-1]) for each in asked]
    assert len(begins) == 4
    assert all(before < after for before, after in pairwise(begins))


@pytest.mark.parametrize(
    ("before", "after"), [({"etag": '"1"'}, {"etag": '"2"'}), ({}, {})]
)
def test_the_halves_of_two_objects_are_not_taken_for_one(
    here: Here, tmp_path: Path, before: dict[str, str], after: dict[str, str]
) -> None:
    sent, half = item(tmp_path, LONG), PART_SIZE
    done = here.station.send(sent, Progress(), Memory())
    data = file(sent).read_bytes()
    first = Said(200, before, data[:half] + b"?" * (LONG - half), cut=half)
    rest = Said(206, after, data[half:])
    here.gateway.says["GET"] = [first, rest]

    with pytest.raises(NotTaken, match="another object"):
        here.station.confirm(sent, done, sent=True)


def test_a_read_back_without_ranges_begins_anew(here: Here, tmp_path: Path) -> None:
    sent = item(tmp_path, LONG)
    done = here.station.send(sent, Progress(), Memory())
    here.gateway.cuts, here.gateway.ranges = 1, False

    assert here.station.confirm(sent, done, sent=True) is not None


def test_a_read_back_that_gets_no_further_ends(here: Here, tmp_path: Path) -> None:
    sent = item(tmp_path, LONG)
    done = here.station.send(sent, Progress(), Memory())
    here.gateway.cuts, here.gateway.ranges = 1000, False

    with pytest.raises(Unreachable):
        here.station.confirm(sent, done, sent=True)

    assert here.gateway.count("GET") == 2


def test_what_our_own_side_raises_ends_a_read_back(here: Here, tmp_path: Path) -> None:
    sent, moved = item(tmp_path, LONG), Hearing()
    done = here.station.send(sent, Progress(), Memory())

    def stalled(count: int) -> None:
        moved(count)
        if moved.total > PART_SIZE:
            raise Unreachable("it came too slowly")

    with pytest.raises(Unreachable, match="too slowly"):
        here.station.confirm(replace(sent, moved=stalled), done, sent=True)

    assert here.gateway.count("GET") == 1


def test_more_bytes_than_were_sent_are_not_read_to_their_end(
    here: Here, tmp_path: Path
) -> None:
    sent, heard = item(tmp_path, SHORT), Hearing()
    done = here.station.send(sent, Progress(), Memory())
    here.gateway.says["GET"] = [Said(200, {}, bytes(32 << 20))]

    assert here.station.confirm(heard.of(sent), done, sent=True) is None
    assert heard.total < 8 << 20


def test_a_check_that_fails_leaves_nothing_behind(here: Here) -> None:
    here.gateway.says["GET"] = [Said(500)] * 9

    with pytest.raises(NotTaken):
        here.station.check()

    assert here.gateway.uploads == {}
    assert here.gateway.count("DELETE") == 1
