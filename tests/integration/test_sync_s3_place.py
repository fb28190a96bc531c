"""What is found out of an S3 store, kept of it, and left in it."""

import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from dock_agent.clock import Instant, stamp
from dock_agent.errors import Barred, NotTaken, SyncError, Unreachable
from dock_agent.recording import Proof
from dock_agent.simulated.clock import BEGIN, ManualClock
from dock_agent.sync.destination import NOTHING_KNOWN, Capabilities, Progress
from dock_agent.sync.s3.client import Knowledge
from support.answering import Asked, Said
from support.memory_s3 import HANGS_UP, Fault, MemoryS3, always, error, lost_reply
from support.place_s3 import reached
from support.sending import Memory, item

MARKER = "station-1/dock-agent.destination"


def found(capabilities: Capabilities) -> tuple[bool | None, ...]:
    """Return the verdicts."""
    c = capabilities
    return c.objects, c.parts, c.whole, c.conditional


def test_a_good_store_is_found_to_be_one(tmp_path: Path) -> None:
    store = MemoryS3()

    with reached(store, tmp_path, clock=ManualClock()) as station:
        line = station.check()

        assert found(station.capabilities) == (True, True, True, True)
        assert station.capabilities.asked_at == stamp(BEGIN)
    assert line == "writable; checks SHA-256 itself"
    assert store.objects == {}
    assert store.uploads == {}


class Rushing(ManualClock):
    """A clock by which a store takes an hour for whatever it does."""

    def now(self) -> Instant:
        self.advance(timedelta(hours=1))
        return super().now()


def test_a_store_that_trickles_while_it_is_tried_is_left(tmp_path: Path) -> None:
    with (
        reached(MemoryS3(), tmp_path, clock=Rushing()) as station,
        pytest.raises(Unreachable, match="slower than 1024 bytes a second"),
    ):
        station.check()


@pytest.mark.parametrize(
    ("store", "verdicts", "line"),
    [
        (
            MemoryS3(checks_objects=False),
            (False, True, True, True),
            "does not check all",
        ),
        (MemoryS3(checks_parts=False), (True, False, True, True), "does not check all"),
        (MemoryS3(conditional=False), (True, True, True, False), "itself"),
        (MemoryS3(echoes=False), (True, True, True, True), "tells no SHA-256"),
    ],
)
def test_a_check_says_what_a_store_does_not_do(
    tmp_path: Path,
    store: MemoryS3,
    verdicts: tuple[bool, ...],
    line: str,
) -> None:
    with reached(store, tmp_path) as station:
        said = station.check()

        assert found(station.capabilities) == verdicts
    assert said.startswith("writable; ")
    assert line in said
    assert store.objects == {}


def test_a_check_does_not_wait_for_the_rest_of_what_is_other_from_its_beginning(
    tmp_path: Path,
) -> None:
    store = MemoryS3()

    def other(asked: Asked) -> Said | None:
        """Begin another body, and hang up in the midst of it."""
        if asked.method != "GET" or ".probe" not in asked.path or len(store.asked) < 6:
            return None
        said = store.answer(asked)
        return replace(said, body=b"?" * 1000, length=len(said.body))

    store.faults.append(other)

    with reached(store, tmp_path) as station:
        said = station.check()

        assert station.capabilities.whole is False
    assert said == (
        "writable; what it puts together of parts is not what was sent: read back"
    )


def test_a_check_writes_the_right_bytes_first_and_then_the_wrong_ones(
    tmp_path: Path,
) -> None:
    store = MemoryS3()

    with reached(store, tmp_path) as station:
        station.check()

    methods = [a.method for a in store.asked if "probe" in a.path and "?" not in a.path]
    assert methods == ["PUT", "GET", "HEAD", "PUT", "DELETE", "PUT", "GET", "DELETE"]


@pytest.mark.parametrize("said", [error(403, "AccessDenied"), error(400, "BadDigest")])
def test_a_store_that_refuses_the_right_bytes_is_not_said_to_refuse_the_wrong(
    tmp_path: Path, said: Said
) -> None:
    store = MemoryS3(faults=[always("PUT", ".probe", said)])

    with reached(store, tmp_path) as station:
        with pytest.raises(Barred, match="writing a small object"):
            station.check()

        assert station.capabilities == NOTHING_KNOWN


def test_a_key_that_may_not_write_parts_is_barred_with_the_stores_words(
    tmp_path: Path,
) -> None:
    store = MemoryS3(faults=[always("POST", "uploads=", error(403, "AccessDenied"))])

    with reached(store, tmp_path) as station:
        with pytest.raises(Barred, match="AccessDenied so it is"):
            station.check()

        assert station.capabilities.parts is None
        assert station.capabilities.asked_at is None


def test_a_store_that_checks_and_returns_something_else_is_not_said_to_be_good(
    tmp_path: Path,
) -> None:
    store = MemoryS3(returns=lambda there: bytes(len(there.body)))

    with reached(store, tmp_path) as station:
        with pytest.raises(Barred, match="does not return what it was sent"):
            station.check()

        assert station.capabilities.objects is False
        assert station.capabilities.asked_at is None


def wrong_ones(said: Said) -> MemoryS3:
    """Return a store that says so to what is not what its digest says."""
    store = MemoryS3(checks_objects=False, checks_parts=False)

    def fault(asked: Asked) -> Said | None:
        return said if asked.method == "PUT" and asked.body == b"??" else None

    store.faults.append(fault)
    return store


@pytest.mark.parametrize("code", ["BadDigest", "XAmzContentSHA256Mismatch"])
def test_wrong_bytes_that_are_refused_for_their_digest_are_checked(
    tmp_path: Path, code: str
) -> None:
    with reached(wrong_ones(error(400, code)), tmp_path) as station:
        station.check()

        assert found(station.capabilities)[:2] == (True, True)


def test_wrong_bytes_that_are_refused_for_another_reason_say_nothing(
    tmp_path: Path,
) -> None:
    with reached(wrong_ones(error(400, "InvalidArgument")), tmp_path) as station:
        station.check()

        assert found(station.capabilities)[:2] == (None, None)


@pytest.mark.parametrize("said", [Said(503), Said(502), Said(0, hangs_up=True)])
def test_a_store_that_is_unwell_while_it_is_tried_leaves_no_verdict(
    tmp_path: Path, said: Said
) -> None:
    with reached(wrong_ones(said), tmp_path) as station:
        with pytest.raises(Unreachable):
            station.check()

        assert station.capabilities.objects is None
        assert station.capabilities.asked_at is None


@pytest.mark.parametrize(
    "fault",
    [always("PUT", ".probe", said) for said in (error(403, "AccessDenied"), Said(503))],
    ids=["forbidden", "unwell"],
)
def test_what_a_store_did_before_says_nothing_once_it_fails(
    tmp_path: Path, fault: Fault
) -> None:
    known = Capabilities(objects=True, parts=True, whole=True, asked_at=stamp(BEGIN))
    store = MemoryS3(faults=[fault])

    with reached(store, tmp_path, known=known, clock=ManualClock()) as station:
        with pytest.raises(SyncError):
            station.check()

        assert found(station.capabilities)[:3] == (None, None, None)


def test_what_is_learnt_at_once_is_all_kept() -> None:
    knowledge, before = Knowledge(), sys.getswitchinterval()
    undone, over = 0, threading.Event()

    def drift() -> None:
        offset = 0
        while not over.is_set():
            knowledge.learn(clock_offset_ms=offset)
            offset += 1

    other = threading.Thread(target=drift)
    sys.setswitchinterval(1e-6)
    other.start()
    try:
        for verdict in [True, None] * 20_000:
            knowledge.learn(objects=verdict)
            undone += knowledge.known.objects is not verdict
    finally:
        over.set()
        other.join()
        sys.setswitchinterval(before)

    assert undone == 0


def test_an_upload_that_the_check_began_is_let_go_if_it_fails(tmp_path: Path) -> None:
    store = MemoryS3(faults=[always("POST", "uploadId", error(500, "InternalError"))])

    with reached(store, tmp_path) as station, pytest.raises(NotTaken):
        station.check()

    assert store.uploads == {}


@pytest.mark.parametrize("turn", [1, 2], ids=["an object", "parts"])
def test_a_check_that_is_cut_leaves_nothing_behind(tmp_path: Path, turn: int) -> None:
    store = MemoryS3()

    def cut(asked: Asked) -> Said | None:
        reads = asked.method == "GET" and ".probe/" in asked.path
        return HANGS_UP if reads and len(store.made("GET", ".probe/")) == turn else None

    store.faults.append(cut)
    with reached(store, tmp_path) as station, pytest.raises(Unreachable):
        station.check()

    assert store.objects == {}
    assert store.uploads == {}


def test_a_try_whose_last_answer_was_lost_leaves_nothing_behind(tmp_path: Path) -> None:
    store = MemoryS3()
    store.faults.append(lost_reply(store, "POST", "uploadId"))

    with reached(store, tmp_path) as station, pytest.raises(Unreachable):
        station.check()

    assert store.objects == {}


def test_a_key_that_may_not_delete_is_said_to_leave_something(tmp_path: Path) -> None:
    store = MemoryS3(faults=[always("DELETE", ".probe", error(403, "AccessDenied"))])

    with reached(store, tmp_path) as station:
        said = station.check()

    assert "may not delete" in said


def test_what_was_known_is_told_again_until_something_else_is_found(
    tmp_path: Path,
) -> None:
    known = Capabilities(objects=True, whole=False, asked_at=stamp(BEGIN))

    with reached(MemoryS3(), tmp_path, known=known, clock=ManualClock()) as station:
        before = station.capabilities
        station.check()

        assert before == known
        assert station.capabilities.whole is True


def test_a_clock_offset_is_kept_and_used_from_the_first_request(
    tmp_path: Path,
) -> None:
    hour = timedelta(hours=1) // timedelta(milliseconds=1)
    known = msgspec.structs.replace(NOTHING_KNOWN, clock_offset_ms=hour)
    store = MemoryS3()

    with reached(store, tmp_path, known=known, clock=ManualClock()) as station:
        station.probe()

    assert store.asked[0].headers["x-amz-date"] == "20260305T090000Z"


@pytest.mark.parametrize("offset", [10**15, -(10**15)])
def test_a_clock_offset_that_no_time_has_is_not_used(
    tmp_path: Path, offset: int
) -> None:
    known = msgspec.structs.replace(NOTHING_KNOWN, clock_offset_ms=offset)
    store = MemoryS3()

    with reached(store, tmp_path, known=known, clock=ManualClock()) as station:
        station.probe()

    assert store.asked[0].headers["x-amz-date"] == "20260305T080000Z"


@pytest.mark.parametrize("date", ["Fri, 31 Dec 9999 23:59:59 GMT", "soon", ""])
def test_a_date_that_cannot_be_changes_no_clock(tmp_path: Path, date: str) -> None:
    said = Said(403, {"date": date}, error(403, "AccessDenied").body)

    with reached(lambda _: said, tmp_path, clock=ManualClock()) as station:
        with pytest.raises(Barred):
            station.probe()

        assert station.capabilities.clock_offset_ms is None


def test_a_skewed_clock_that_the_store_gives_no_time_for_is_said_so(
    tmp_path: Path,
) -> None:
    said = Said(403, {"date": ""}, error(403, "RequestTimeTooSkewed").body)

    with (
        reached(lambda _: said, tmp_path, clock=ManualClock()) as station,
        pytest.raises(Barred, match="clock and ours differ"),
    ):
        station.probe()


def test_an_id_is_a_small_object_of_its_own(tmp_path: Path) -> None:
    store = MemoryS3()

    with reached(store, tmp_path) as station:
        assert station.marker() is None
        station.mark("01ABC")
        assert station.marker() == "01ABC"
        station.mark("01ABC")

    assert store.objects[MARKER].body == b'{"id":"01ABC"}'
    assert len(store.made("PUT")) == 1
    assert store.made("PUT")[0].headers["if-none-match"] == "*"


@pytest.mark.parametrize("conditional", [True, False])
def test_an_id_that_came_first_is_left_alone(
    tmp_path: Path, *, conditional: bool
) -> None:
    store = MemoryS3(conditional=conditional)

    with reached(store, tmp_path) as first, reached(store, tmp_path) as second:
        first.mark("01ABC")

        with pytest.raises(Barred, match="01ABC"):
            second.mark("02DEF")

    assert store.objects[MARKER].body == b'{"id":"01ABC"}'


def test_an_id_that_comes_at_the_same_time_is_left_alone(tmp_path: Path) -> None:
    store = MemoryS3()

    def first(asked: Asked) -> Said | None:
        if asked.method == "PUT" and MARKER not in store.objects:
            body = b'{"id":"01ABC"}'
            del store.faults[:]
            store.answer(Asked("PUT", asked.path, {**asked.headers}, body))
        return None

    store.checks_objects = False
    store.faults.append(first)
    with reached(store, tmp_path) as station, pytest.raises(Barred, match="01ABC"):
        station.mark("02DEF")

    assert store.objects[MARKER].body == b'{"id":"01ABC"}'


def test_an_id_whose_answer_was_lost_is_our_own(tmp_path: Path) -> None:
    store = MemoryS3()
    store.faults.append(lost_reply(store, "PUT", "dock-agent"))

    with reached(store, tmp_path) as station:
        with pytest.raises(Unreachable):
            station.mark("01ABC")
        station.mark("01ABC")

        assert station.marker() == "01ABC"


def test_an_id_is_given_where_the_condition_was_never_heard_of(tmp_path: Path) -> None:
    store = MemoryS3()

    def never_heard(asked: Asked) -> Said | None:
        conditional = "if-none-match" in asked.headers
        return error(501, "NotImplemented") if conditional else None

    store.faults.append(never_heard)
    with reached(store, tmp_path) as station:
        station.mark("01ABC")

        assert station.marker() == "01ABC"


@pytest.mark.parametrize("body", [b"", b"{}", b'{"id": 1}', b"\xff", b"<html/>"])
def test_an_id_that_cannot_be_read_bars_the_place(tmp_path: Path, body: bytes) -> None:
    store = MemoryS3(checks_objects=False)

    with reached(store, tmp_path) as station:
        station.mark("01ABC")
        store.returns = lambda _: body

        with pytest.raises(Barred, match="cannot be read"):
            station.marker()
        with pytest.raises(Barred, match="cannot be read"):
            station.mark("01ABC")


def test_no_id_is_read_of_a_bucket_that_is_gone(tmp_path: Path) -> None:
    with reached(lambda _: error(404, "NoSuchBucket"), tmp_path) as station:
        with pytest.raises(Barred, match="NoSuchBucket"):
            station.marker()
        with pytest.raises(Barred, match="NoSuchBucket"):
            station.mark("01ABC")


def test_knowledge_that_is_kept_can_be_read_again(tmp_path: Path) -> None:
    with reached(MemoryS3(), tmp_path, clock=ManualClock()) as station:
        station.check()
        kept = msgspec.json.encode(station.capabilities)

    known = msgspec.json.decode(kept, type=Capabilities)
    sent = item(tmp_path, 1000)
    with reached(MemoryS3(), tmp_path, known=known, clock=ManualClock()) as station:
        done = station.send(sent, Progress(), Memory())
        told = station.confirm(sent, done, sent=True)

    assert told is not None
    assert told.proof is Proof.ECHOED
