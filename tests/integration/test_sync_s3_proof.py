"""What an S3 store must do before we say that it has an object."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from dock_agent.clock import stamp
from dock_agent.errors import Barred, FixityError, NotTaken, Refused, Unreachable
from dock_agent.recording import PART_SIZE, Proof
from dock_agent.simulated.clock import BEGIN, ManualClock
from dock_agent.sync.destination import (
    NOTHING_KNOWN,
    Capabilities,
    Confirmation,
    Object,
    Progress,
)
from dock_agent.sync.s3.destination import S3
from support.answering import SILENT, Asked, Said
from support.memory_s3 import (
    HANGS_UP,
    Fault,
    Kept,
    MemoryS3,
    always,
    error,
    etag_of,
    lost_reply,
    once,
)
from support.place_s3 import reached
from support.sending import Hearing, Interrupted, Memory, file, item, sha256

SMALL, LARGE = 1000, PART_SIZE + (3 << 20)  # two parts
KNOWN = Capabilities(
    objects=True, parts=True, whole=True, conditional=True, asked_at=stamp(BEGIN)
)
LATER = ManualClock(BEGIN + timedelta(days=7, seconds=1))


def sent_and_asked(station: S3, sent: Object) -> Confirmation | None:
    done = station.send(sent, Progress(), Memory())
    return station.confirm(sent, done, sent=True)


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_digest_that_is_echoed_counts_where_the_store_is_known_to_check(
    tmp_path: Path, size: int
) -> None:
    store, sent = MemoryS3(), item(tmp_path, size)

    with reached(store, tmp_path, known=KNOWN, clock=ManualClock()) as station:
        told = sent_and_asked(station, sent)

    assert told is not None
    assert told.proof is Proof.ECHOED
    assert store.made("GET", "data/") == store.made("GET", "uploadId")  # none read


@pytest.mark.parametrize(
    ("size", "unknown"),
    [
        (SMALL, {"objects": None}),
        (SMALL, {"objects": False}),
        (LARGE, {"parts": None}),
        (LARGE, {"parts": False}),
        (LARGE, {"whole": None}),
        (LARGE, {"whole": False}),
        (SMALL, {"asked_at": None}),
        (SMALL, {"asked_at": "yesterday"}),
        (SMALL, {"asked_at": stamp(BEGIN - timedelta(days=7))}),
    ],
)
def test_a_digest_that_is_echoed_counts_nothing_where_that_is_not_known(
    tmp_path: Path, size: int, unknown: dict[str, bool | str | None]
) -> None:
    known = msgspec.structs.replace(KNOWN, **unknown)

    with reached(MemoryS3(), tmp_path, known=known, clock=ManualClock()) as station:
        told = sent_and_asked(station, item(tmp_path, size))

    assert told is not None
    assert told.proof is Proof.READ_BACK


def test_what_is_known_for_a_week_is_asked_again_when_it_is_worth_it(
    tmp_path: Path,
) -> None:
    sent = item(tmp_path, LARGE)

    with reached(MemoryS3(), tmp_path, known=KNOWN, clock=LATER) as station:
        told = sent_and_asked(station, sent)

        assert station.capabilities.asked_at == stamp(LATER.now().utc)
    assert told is not None
    assert told.proof is Proof.ECHOED


def test_a_store_is_tried_by_one_thread_and_what_others_sent_is_read_back(
    tmp_path: Path,
) -> None:
    store, others = MemoryS3(), list[Confirmation | None]()
    sent, other = item(tmp_path, LARGE), item(tmp_path, LARGE, "b", seed=1)

    with reached(store, tmp_path) as station:

        def meanwhile(asked: Asked) -> None:
            if ".probe/" in asked.path and not others:
                others.append(None)
                others.append(sent_and_asked(station, other))

        store.faults.append(meanwhile)
        told = sent_and_asked(station, sent)

    proofs = [one.proof for one in (told, others[-1]) if one is not None]
    assert proofs == [Proof.ECHOED, Proof.READ_BACK]
    assert len(store.made("POST", ".probe/")) == 3  # two begun, one put together


def test_a_store_that_may_not_be_tried_is_read_back(tmp_path: Path) -> None:
    store = MemoryS3(faults=[always("PUT", ".probe", error(403, "AccessDenied"))])

    with reached(store, tmp_path) as station:
        told = sent_and_asked(station, item(tmp_path, LARGE))
        station.send(item(tmp_path, LARGE, "b", seed=1), Progress(), Memory())

        assert station.capabilities.objects is None
    assert told is not None
    assert told.proof is Proof.READ_BACK
    assert len(store.made("PUT", ".probe")) == 1  # it is not tried for each object


@pytest.mark.parametrize(
    "said", [error(403, "AccessDenied"), error(400, "X"), error(500, "InternalError")]
)
@pytest.mark.parametrize("asked", [("PUT", ".probe"), ("POST", ".probe")])
def test_a_store_that_passed_a_week_ago_and_fails_now_is_read_back(
    tmp_path: Path, asked: tuple[str, str], said: Said
) -> None:
    store, sent = MemoryS3(), item(tmp_path, LARGE)
    with reached(store, tmp_path, known=KNOWN, clock=LATER) as station:
        done = station.send(sent, Progress(), Memory())
        store.faults.append(always(*asked, said))

        with suppress(Unreachable):  # asked again later, and not believed till then
            told = station.confirm(sent, done, sent=True)
            assert told is not None
            assert told.proof is Proof.READ_BACK

        assert not station.capabilities.whole


def test_a_store_that_passed_a_week_ago_and_returns_other_bytes_now_is_barred(
    tmp_path: Path,
) -> None:
    store, sent = MemoryS3(), item(tmp_path, LARGE)
    with reached(store, tmp_path, known=KNOWN, clock=LATER) as station:
        done = station.send(sent, Progress(), Memory())
        store.returns = lambda there: bytes(len(there.body))

        for _ in range(2):
            with pytest.raises(Barred, match="does not return what it was sent"):
                station.confirm(sent, done, sent=True)

        assert station.capabilities.asked_at is None


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_what_was_there_before_is_read_back_whatever_is_echoed(
    tmp_path: Path, size: int
) -> None:
    store, sent, hearing = MemoryS3(), item(tmp_path, size), Hearing()

    with reached(store, tmp_path, known=KNOWN, clock=ManualClock()) as station:
        station.send(sent, Progress(), Memory())
        told = sent_and_asked(station, hearing.of(sent))

    assert told is not None
    assert told.proof is Proof.READ_BACK
    assert hearing.total == size  # once: there is no need to read it twice


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_what_is_asked_for_later_is_read_back_whatever_is_echoed(
    tmp_path: Path, size: int
) -> None:
    sent = item(tmp_path, size)

    with reached(MemoryS3(), tmp_path, known=KNOWN, clock=ManualClock()) as station:
        done = station.send(sent, Progress(), Memory())
        told = station.confirm(sent, done)

    assert told is not None
    assert told.proof is Proof.READ_BACK


def test_what_was_sent_and_its_answer_lost_is_read_back(tmp_path: Path) -> None:
    store, sent = MemoryS3(), item(tmp_path, SMALL)
    store.faults.append(lost_reply(store, "PUT", "data/"))

    with reached(store, tmp_path, known=KNOWN, clock=ManualClock()) as station:
        with pytest.raises(Unreachable):
            station.send(sent, Progress(), Memory())
        told = sent_and_asked(station, sent)

    assert told is not None
    assert told.proof is Proof.READ_BACK


@pytest.mark.parametrize("conditional", [True, False])
def test_what_was_put_together_and_its_answer_lost_is_read_back(
    tmp_path: Path, *, conditional: bool
) -> None:
    known = msgspec.structs.replace(KNOWN, conditional=conditional)
    store, sent, hearing = MemoryS3(), item(tmp_path, LARGE), Hearing()
    store.faults.append(lost_reply(store, "POST", "uploadId"))

    with reached(store, tmp_path, known=known, clock=ManualClock()) as station:
        done = station.send(hearing.of(sent), Progress(), Memory())
        told = station.confirm(sent, done, sent=True)

    assert told is not None
    assert told.proof is Proof.READ_BACK
    assert hearing.total == LARGE  # it was not sent twice
    assert store.uploads == {}


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("known", [KNOWN, NOTHING_KNOWN])
def test_a_digest_of_something_else_is_not_believed(
    tmp_path: Path, size: int, known: Capabilities
) -> None:
    store, sent = MemoryS3(), item(tmp_path, size)

    with reached(store, tmp_path, known=known, clock=ManualClock()) as station:
        done = station.send(sent, Progress(), Memory())
        for key, there in store.objects.items():
            store.objects[key] = replace(there, told="other")
        told = station.confirm(sent, done, sent=True)

    assert told is not None
    assert told.proof is Proof.READ_BACK


def multipart_garbage(there: Kept) -> bytes:
    """Keep single objects, and return zeros for what was put together of parts."""
    return bytes(len(there.body)) if "-" in there.told else there.body


def test_a_store_that_checks_all_and_returns_another_body_is_never_believed(
    tmp_path: Path,
) -> None:
    liar, sent = MemoryS3(returns=multipart_garbage), item(tmp_path, LARGE)

    with reached(liar, tmp_path, clock=ManualClock()) as station:
        line = station.check()
        told = sent_and_asked(station, sent)
        later = station.confirm(sent, Progress())

        assert station.capabilities.parts is True
        assert station.capabilities.whole is False
    assert "not what was sent" in line
    assert told is None
    assert later is None


def test_a_liar_that_was_never_tried_is_tried_before_it_is_believed(
    tmp_path: Path,
) -> None:
    liar, sent = MemoryS3(returns=multipart_garbage), item(tmp_path, LARGE)

    with reached(liar, tmp_path, clock=ManualClock()) as station:
        told = sent_and_asked(station, sent)

        assert station.capabilities.whole is False
    assert told is None


def test_a_liar_is_shown_to_a_person_in_the_end(tmp_path: Path) -> None:
    liar, sent = MemoryS3(returns=multipart_garbage), item(tmp_path, LARGE)

    with reached(liar, tmp_path, clock=ManualClock()) as station:
        assert sent_and_asked(station, sent) is None
        with pytest.raises(Refused, match="already called"):
            sent_and_asked(station, sent)


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("echoes", [True, False])
def test_a_store_that_checks_nothing_and_keeps_other_bytes_is_never_believed(
    tmp_path: Path, size: int, *, echoes: bool
) -> None:
    liar = MemoryS3(
        checks_objects=False,
        checks_parts=False,
        echoes=echoes,
        returns=lambda there: bytes(len(there.body)),
    )
    sent = item(tmp_path, size)

    with reached(liar, tmp_path, clock=ManualClock()) as station:
        with suppress(Barred):  # it is tried first, where it is worth it
            assert sent_and_asked(station, sent) is None
        with pytest.raises(Barred, match="does not return what it was sent"):
            station.check()
        assert sent_and_asked_again(station, sent) is None


def sent_and_asked_again(station: S3, sent: Object) -> Confirmation | None:
    with pytest.raises(Refused):
        sent_and_asked(station, sent)
    return station.confirm(sent, Progress())


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("sent_now", [True, False])
def test_a_store_that_lost_the_bytes_and_kept_the_entry_is_not_believed(
    tmp_path: Path, size: int, *, sent_now: bool
) -> None:
    store, sent = MemoryS3(), item(tmp_path, size)
    known = Capabilities(asked_at=stamp(BEGIN))

    with reached(store, tmp_path, known=known, clock=ManualClock()) as station:
        done = station.send(sent, Progress(), Memory())
        store.faults.append(always("GET", sent.key[:8], error(404, "NoSuchKey")))

        with pytest.raises(NotTaken, match="NoSuchKey"):
            station.confirm(sent, done, sent=sent_now)
        seen = station.look(sent, done)
    assert seen is not None
    assert seen.size == size


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body[:-1] + bytes([body[-1] ^ 1]),
        lambda body: body[:-1],
        lambda body: body + b"x",
        lambda _: b"",
    ],
    ids=["one bit", "shorter", "longer", "empty"],
)
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_bytes_that_rotted_below_their_entry_are_not_believed(
    tmp_path: Path, size: int, change: Callable[[bytes], bytes]
) -> None:
    store, sent = MemoryS3(), item(tmp_path, size)

    with reached(store, tmp_path, clock=ManualClock()) as station:
        done = station.send(sent, Progress(), Memory())
        store.returns = lambda there: change(there.body)

        assert station.confirm(sent, done) is None


@pytest.mark.parametrize("more", [4 << 20, 1, 0, -1])
def test_bytes_of_which_nobody_says_how_many_are_counted(
    tmp_path: Path, more: int
) -> None:
    store, sent, hearing = MemoryS3(), item(tmp_path, LARGE), Hearing()

    def silent(asked: Asked) -> Said | None:
        if asked.method not in {"HEAD", "GET"}:
            return None
        return replace(store.answer(asked), length=SILENT)

    def believed() -> bool:
        with suppress(Unreachable, NotTaken):  # it may have been cut
            return station.confirm(hearing.of(sent), done) is not None
        return False

    with reached(store, tmp_path) as station:
        done = station.send(sent, Progress(), Memory())
        store.faults.append(silent)
        store.returns = lambda there: (there.body + bytes(4 << 20))[: LARGE + more]

        assert believed() is (more == 0)
    assert hearing.total <= LARGE + (1 << 20)  # what has no end is not read to it


def test_an_object_that_was_replaced_while_it_was_looked_at_is_not_believed(
    tmp_path: Path,
) -> None:
    store, sent = MemoryS3(), item(tmp_path, SMALL)

    def replaced(asked: Asked) -> Said | None:
        if asked.method == "GET":
            for key, there in store.objects.items():
                store.objects[key] = replace(there, body=b"y" * SMALL)
        return None

    with reached(store, tmp_path) as station:
        done = station.send(sent, Progress(), Memory())
        store.faults.append(replaced)

        with pytest.raises(NotTaken, match="not the object that was looked at"):
            station.confirm(sent, done)


def cut_after(store: MemoryS3, count: int, times: int) -> Fault:
    """Hang up so many times, each time once so many bytes more have come."""
    left = [times]

    def fault(asked: Asked) -> Said | None:
        said = store.answer(asked) if asked.method == "GET" else None
        if said is None or left[0] == 0 or len(said.body) <= count:
            return None
        left[0] -= 1
        return replace(said, body=said.body[:count], length=len(said.body))

    return fault


def test_a_cut_while_it_is_read_back_costs_only_what_had_not_come(
    tmp_path: Path,
) -> None:
    store, sent, hearing = MemoryS3(), item(tmp_path, LARGE), Hearing()

    with reached(store, tmp_path) as station:
        done = station.send(sent, Progress(), Memory())
        etag = etag_of(*store.objects.values())
        store.faults.append(cut_after(store, 2 << 20, times=5))
        told = station.confirm(hearing.of(sent), done)

    assert told is not None
    assert hearing.total == LARGE
    gets = store.made("GET", "data/DCIM")[-6:]
    ranges = [asked.headers.get("range") for asked in gets]
    assert ranges == [None, *(f"bytes={n * (2 << 20)}-" for n in range(1, 6))]
    assert {asked.headers.get("if-match") for asked in gets[1:]} == {etag}


def test_a_reading_that_gets_nowhere_ends(tmp_path: Path) -> None:
    store, sent = MemoryS3(), item(tmp_path, LARGE)

    with reached(store, tmp_path) as station:
        done = station.send(sent, Progress(), Memory())
        store.asked.clear()
        store.faults.append(cut_after(store, 1000, times=1000))

        with pytest.raises(Unreachable):
            station.confirm(sent, done)
    assert len(store.made("GET")) == 3


def test_a_store_that_knows_no_ranges_is_read_from_the_begin(tmp_path: Path) -> None:
    store, sent, hearing = MemoryS3(), item(tmp_path, LARGE), Hearing()

    def no_ranges(asked: Asked) -> Said | None:
        whole = {n: v for n, v in asked.headers.items() if n != "range"}
        return (
            store.answer(replace(asked, headers=whole))
            if asked.method == "GET"
            else None
        )

    with reached(store, tmp_path) as station:
        done = station.send(sent, Progress(), Memory())
        store.faults += [cut_after(store, 2 << 20, times=1), no_ranges]
        told = station.confirm(hearing.of(sent), done)

    assert told is not None
    assert hearing.total == LARGE + (2 << 20)


@pytest.mark.parametrize("said", ["bytes 0-9/10", "bytes */5", "", "bytes 2097152-9/x"])
def test_a_range_that_is_another_is_not_believed(tmp_path: Path, said: str) -> None:
    store, sent = MemoryS3(), item(tmp_path, LARGE)

    def other(asked: Asked) -> Said | None:
        if "range" not in asked.headers:
            return None
        answer = store.answer(asked)
        return replace(answer, headers={**answer.headers, "content-range": said})

    with reached(store, tmp_path) as station:
        done = station.send(sent, Progress(), Memory())
        store.faults += [cut_after(store, 2 << 20, times=1), other]

        with pytest.raises(NotTaken, match="other bytes"):
            station.confirm(sent, done)


def test_an_object_that_is_replaced_between_two_cuts_is_not_believed(
    tmp_path: Path,
) -> None:
    store, sent = MemoryS3(), item(tmp_path, LARGE)

    def replaced(asked: Asked) -> Said | None:
        if "range" in asked.headers:
            for key, there in store.objects.items():
                store.objects[key] = replace(there, body=bytes(LARGE))
        return None

    with reached(store, tmp_path) as station:
        done = station.send(sent, Progress(), Memory())
        store.faults += [replaced, cut_after(store, 2 << 20, times=1)]

        with pytest.raises(NotTaken):
            station.confirm(sent, done)


def test_what_hears_of_the_bytes_ends_the_reading_whatever_it_raises(
    tmp_path: Path,
) -> None:
    store, sent = MemoryS3(), item(tmp_path, LARGE)

    def stalled(count: int) -> None:
        del count
        raise Unreachable("too slow")

    with reached(store, tmp_path) as station:
        done = station.send(sent, Progress(), Memory())
        store.asked.clear()

        with pytest.raises(Unreachable, match="too slow"):
            station.confirm(replace(sent, moved=stalled), done)
        with pytest.raises(Interrupted):
            station.confirm(Hearing(most=1).of(sent), done)
    assert len(store.made("GET")) == 2


def test_a_store_that_does_not_say_how_long_it_is_is_read_back(tmp_path: Path) -> None:
    store, sent = MemoryS3(), item(tmp_path, SMALL)

    def silent(asked: Asked) -> Said | None:
        said = store.answer(asked)
        return replace(said, length=SILENT) if asked.method in {"HEAD", "GET"} else said

    store.faults.append(silent)
    with reached(store, tmp_path, known=KNOWN, clock=ManualClock()) as station:
        done = station.send(sent, Progress(), Memory())
        told = station.confirm(sent, done, sent=True)

        with pytest.raises(NotTaken, match="how long"):
            station.look(sent, done)
    assert told is not None
    assert told.proof is Proof.READ_BACK


def test_an_object_that_is_longer_or_shorter_is_not_even_read(tmp_path: Path) -> None:
    store, sent = MemoryS3(), item(tmp_path, SMALL)

    with reached(store, tmp_path) as station:
        done = station.send(sent, Progress(), Memory())
        for key, there in store.objects.items():
            store.objects[key] = replace(there, body=there.body + b"x")
        store.asked.clear()

        assert station.confirm(sent, done) is None
    assert store.made("GET") == []


def test_a_part_of_which_another_digest_is_told_is_not_taken(tmp_path: Path) -> None:
    said = Said(200, {"etag": '"e"', "x-amz-checksum-sha256": "other"})
    store = MemoryS3(faults=[always("PUT", "", said)])

    with reached(store, tmp_path) as station, pytest.raises(NotTaken, match="another"):
        station.send(item(tmp_path, SMALL), Progress(), Memory())


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_store_that_checks_nothing_never_gets_hold_of_a_file_that_changed(
    tmp_path: Path, size: int
) -> None:
    store = MemoryS3(checks_objects=False, checks_parts=False)
    sent = item(tmp_path, size)
    data = file(sent).read_bytes()
    file(sent).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    with reached(store, tmp_path) as station, pytest.raises(FixityError):
        station.send(sent, Progress(), Memory())

    assert store.objects == {}


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_where_the_store_checks_nothing_is_hashed_while_it_is_sent(
    tmp_path: Path, size: int
) -> None:
    store = MemoryS3(checks_objects=False, checks_parts=False)
    sent = item(tmp_path, size)
    file(sent).write_bytes(bytes(size))

    with reached(store, tmp_path, known=KNOWN, clock=ManualClock()) as station:
        done = station.send(sent, Progress(), Memory())  # nobody noticed

        assert station.confirm(sent, done) is None  # but this does


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_what_is_damaged_on_the_way_is_no_fault_of_ours(
    tmp_path: Path, size: int
) -> None:
    store = MemoryS3(faults=[once("PUT", "", error(400, "BadDigest"))])
    sent, memory = item(tmp_path, size), Memory()

    with reached(store, tmp_path, known=KNOWN, clock=ManualClock()) as station:
        with pytest.raises(NotTaken, match="on the way"):
            station.send(sent, Progress(), memory)
        station.send(sent, memory.newest, memory)

    assert [sha256(there.body) for there in store.objects.values()] == [sent.digest]


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_a_file_of_ours_that_changed_is_found_to_be_at_fault(
    tmp_path: Path, size: int
) -> None:
    store, sent = MemoryS3(), item(tmp_path, size)
    file(sent).write_bytes(bytes(size))

    with (
        reached(store, tmp_path, known=KNOWN, clock=ManualClock()) as station,
        pytest.raises(FixityError, match="no longer what it was"),
    ):
        station.send(sent, Progress(), Memory())

    assert store.objects == {}


def test_a_store_that_hangs_up_on_every_reading_is_out_of_reach(tmp_path: Path) -> None:
    store, sent = MemoryS3(), item(tmp_path, SMALL)

    with reached(store, tmp_path) as station:
        done = station.send(sent, Progress(), Memory())
        store.faults.append(always("GET", "", HANGS_UP))

        with pytest.raises(Unreachable):
            station.confirm(sent, done)
