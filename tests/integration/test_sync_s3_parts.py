"""Uploads in parts to a store that forgets, mixes up, hangs up, or is old."""

import base64
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest

from dock_agent.errors import (
    FixityError,
    LeaseLost,
    NotTaken,
    Portal,
    Refused,
    Unreachable,
)
from dock_agent.recording import PART_SIZE, Proof
from dock_agent.simulated.clock import ManualClock
from dock_agent.sync.destination import Acknowledged, Capabilities, Progress
from support.answering import Asked, Said
from support.memory_s3 import (
    HANGS_UP,
    SHA,
    Fault,
    Kept,
    MemoryS3,
    Upload,
    always,
    error,
    lost_reply,
    once,
    sha,
)
from support.place_s3 import reached
from support.sending import (
    Hearing,
    Interrupted,
    Interrupting,
    Memory,
    file,
    item,
    sha256,
)

LARGE = 4 * PART_SIZE + 5  # five parts: two pages of the store's list
KNOWN = Capabilities(
    objects=True,
    parts=True,
    whole=True,
    conditional=True,
    asked_at="2026-03-05T08:00:00.000000Z",
)
KEY = "station-1/"
one_by_one = partial(reached, ahead=1)  # so that the order of parts is known


def is_there(store: MemoryS3, digest: str) -> bool:
    """Whether it holds that one object, and nothing begun."""
    bodies = [there.body for there in store.objects.values()]
    return [sha256(body) for body in bodies] == [digest] and store.uploads == {}


def numbers(store: MemoryS3) -> list[int]:
    """Return the number of each part that was sent, in order."""
    paths = [asked.path for asked in store.made("PUT", "partNumber=")]
    return [int(p.partition("partNumber=")[2].partition("&")[0]) for p in paths]


def test_every_part_says_twice_what_its_bytes_hash_to(tmp_path: Path) -> None:
    store, sent = MemoryS3(), item(tmp_path, LARGE)

    with reached(store, tmp_path) as station:
        station.send(sent, Progress(), Memory())

    told = [
        (asked.headers["x-amz-content-sha256"], asked.headers[SHA])
        for asked in store.made("PUT", "partNumber=")
    ]
    expected = [base64.b64encode(bytes.fromhex(d)).decode() for d in sent.parts]
    assert told == list(zip(sent.parts, expected, strict=True))
    assert [sha(asked.body) for asked in store.made("PUT", "partNumber=")] == expected


def test_progress_counts_what_was_acknowledged(tmp_path: Path) -> None:
    memory = Memory()

    with one_by_one(MemoryS3(), tmp_path) as station:
        done = station.send(item(tmp_path, LARGE), Progress(), memory)

    sizes = [number * PART_SIZE for number in range(5)]
    assert [progress.sent for progress in memory.kept] == [*sizes, LARGE]
    assert done.sent == LARGE


def test_what_a_store_lists_on_several_pages_is_not_sent_again(tmp_path: Path) -> None:
    store, sent, memory = MemoryS3(), item(tmp_path, LARGE), Interrupting(after=4)

    with one_by_one(store, tmp_path, known=KNOWN, clock=ManualClock()) as station:
        with pytest.raises(Interrupted):
            station.send(sent, Progress(), memory)
        done = station.send(sent, memory.newest, Memory())
        told = station.confirm(sent, done, sent=True)

    assert numbers(store) == [1, 2, 3, 4, 5]
    assert is_there(store, sent.digest)
    assert told is not None
    assert told.proof is Proof.ECHOED


def other_bytes(upload: Upload) -> None:
    upload.parts[2] = (bytes(PART_SIZE), sha(bytes(PART_SIZE)))


def shorter(upload: Upload) -> None:
    upload.parts[2] = (upload.parts[2][0][:-1], upload.parts[2][1])


def gone(upload: Upload) -> None:
    del upload.parts[2]


@pytest.mark.parametrize("change", [other_bytes, shorter, gone])
def test_a_part_that_is_listed_other_than_we_remember_is_sent_again(
    tmp_path: Path, change: Callable[[Upload], None]
) -> None:
    store, sent, memory = MemoryS3(), item(tmp_path, LARGE), Interrupting(after=3)

    with one_by_one(store, tmp_path) as station:
        with pytest.raises(Interrupted):
            station.send(sent, Progress(), memory)
        change(*store.uploads.values())
        station.send(sent, memory.newest, Memory())

    assert numbers(store) == [1, 2, 3, 2, 4, 5]
    assert is_there(store, sent.digest)


def test_a_part_that_is_listed_shorter_is_sent_again_whatever_its_etag(
    tmp_path: Path,
) -> None:
    store, sent, memory = MemoryS3(), item(tmp_path, LARGE), Interrupting(after=3)

    def first_is_shorter(asked: Asked) -> Said | None:
        if asked.method != "GET" or numbers(store) != [1, 2, 3]:
            return None
        said, size = store.answer(asked), str(PART_SIZE).encode()
        return replace(said, body=said.body.replace(size, b"8388607", 1))

    with one_by_one(store, tmp_path) as station:
        with pytest.raises(Interrupted):
            station.send(sent, Progress(), memory)
        store.faults.append(first_is_shorter)
        station.send(sent, memory.newest, Memory())

    assert numbers(store) == [1, 2, 3, 1, 4, 5]
    assert is_there(store, sent.digest)


@pytest.mark.parametrize("change", [other_bytes, shorter, gone])
def test_a_part_that_changes_after_it_was_sent_is_seen_before_it_is_put_together(
    tmp_path: Path, change: Callable[[Upload], None]
) -> None:
    store, sent, memory = MemoryS3(), item(tmp_path, LARGE), Memory()

    def remember(progress: Progress) -> None:
        memory(progress)
        if progress.sent == LARGE and len(numbers(store)) == 5:
            change(*store.uploads.values())

    with one_by_one(store, tmp_path) as station:
        station.send(sent, Progress(), remember)

    assert numbers(store) == [1, 2, 3, 4, 5, 2]
    assert is_there(store, sent.digest)
    assert memory.newest.generation == 1


def test_a_part_whose_etag_we_do_not_know_is_sent_again(tmp_path: Path) -> None:
    store, sent, memory = MemoryS3(), item(tmp_path, LARGE), Interrupting(after=2)

    with one_by_one(store, tmp_path) as station:
        with pytest.raises(Interrupted):
            station.send(sent, Progress(), memory)
        known = replace(
            memory.newest, parts=(Acknowledged(1, "other"), memory.newest.parts[1])
        )
        station.send(sent, known, Memory())

    assert numbers(store) == [1, 2, 1, 3, 4, 5]
    assert is_there(store, sent.digest)


def test_an_upload_that_vanishes_in_the_midst_of_it_is_begun_again(
    tmp_path: Path,
) -> None:
    store, sent, memory = MemoryS3(), item(tmp_path, LARGE), Memory()

    def remember(progress: Progress) -> None:
        memory(progress)
        if progress.generation == 1 and len(progress.parts) == 2:
            store.uploads.clear()

    with reached(store, tmp_path) as station:
        station.send(sent, Progress(), remember)

    assert memory.newest.generation == 2
    assert is_there(store, sent.digest)


@pytest.mark.parametrize("words", ["partNumber=1", "uploadId"])
def test_a_store_that_forgets_each_upload_is_asked_three_times_and_no_more(
    tmp_path: Path, words: str
) -> None:
    method = "PUT" if "part" in words else "GET"
    store, memory = MemoryS3(), Memory()
    store.faults.append(always(method, words, error(404, "NoSuchUpload")))

    with reached(store, tmp_path) as station, pytest.raises(NotTaken, match="forgets"):
        station.send(item(tmp_path, PART_SIZE + 5), Progress(), memory)

    assert memory.newest.generation == 3
    assert store.uploads == {}


@pytest.mark.parametrize("code", ["InvalidPart", "InvalidPartOrder", "EntityTooSmall"])
def test_parts_that_are_not_taken_together_are_listed_again(
    tmp_path: Path, code: str
) -> None:
    store, sent, memory = MemoryS3(), item(tmp_path, PART_SIZE + 5), Memory()
    store.faults.append(once("POST", "uploadId", error(400, code)))

    with one_by_one(store, tmp_path) as station:
        station.send(sent, Progress(), memory)

    assert numbers(store) == [1, 2]
    assert memory.newest.generation == 1
    assert is_there(store, sent.digest)


def test_parts_that_are_never_taken_together_are_begun_again_twice_and_no_more(
    tmp_path: Path,
) -> None:
    store, memory = MemoryS3(), Memory()
    store.faults.append(always("POST", "uploadId", error(400, "InvalidPart")))

    with reached(store, tmp_path) as station, pytest.raises(NotTaken):
        station.send(item(tmp_path, PART_SIZE + 5), Progress(), memory)

    assert memory.newest.generation == 3
    assert len(store.made("POST", "uploadId")) == 6
    assert store.uploads == {}


def test_a_beginning_whose_answer_was_lost_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    store, sent, memory = MemoryS3(), item(tmp_path, PART_SIZE + 5), Memory()
    store.faults.append(lost_reply(store, "POST", "uploads="))
    other = Upload(f"{KEY}{sent.key}.other", {})
    store.uploads["theirs"] = other

    with reached(store, tmp_path) as station:
        with pytest.raises(Unreachable):
            station.send(sent, Progress(), memory)
        begun = [ident for ident in store.uploads if ident != "theirs"]
        assert len(begun) == 1
        station.send(sent, memory.newest, memory)

    assert store.uploads == {"theirs": other}
    assert store.made("DELETE", begun[0])


def lost(count: int) -> None:
    """Hear what a worker hears, once another has taken over what it sends."""
    if count == 0:
        raise LeaseLost("another has it")


@pytest.mark.parametrize("forgot", [True, False], ids=["begins", "completes"])
def test_whoever_was_held_up_until_another_took_over_ends_no_upload_of_its(
    tmp_path: Path, *, forgot: bool
) -> None:
    store, sent, memory = MemoryS3(), item(tmp_path, PART_SIZE + 5), Memory()
    store.faults.append(once("POST", "uploadId", error(500, "InternalError")))
    with reached(store, tmp_path) as station:
        with pytest.raises(NotTaken):
            station.send(sent, Progress(), memory)
        if forgot:
            store.uploads.clear()
        store.uploads["theirs"] = Upload(f"{KEY}{sent.key}", {})

        with pytest.raises(LeaseLost):
            station.send(replace(sent, moved=lost), memory.newest, memory)

    assert "theirs" in store.uploads


@pytest.mark.parametrize("status", [403, 404, 501])
def test_a_store_that_does_not_list_uploads_is_sent_to_all_the_same(
    tmp_path: Path, status: int
) -> None:
    store, sent = MemoryS3(), item(tmp_path, PART_SIZE + 5)
    store.faults.append(always("GET", "uploads=", error(status, "NotImplemented")))

    with reached(store, tmp_path) as station:
        station.send(sent, Progress(), Memory())

    assert is_there(store, sent.digest)


def test_an_upload_of_ours_is_let_go_where_the_object_is_there(tmp_path: Path) -> None:
    store, sent, memory = MemoryS3(), item(tmp_path, PART_SIZE + 5), Interrupting()

    with reached(store, tmp_path) as station:
        with pytest.raises(Interrupted):
            station.send(sent, Progress(), memory)
        key = f"{KEY}{sent.key}"
        whole = file(sent).read_bytes()
        store.answer(Asked("PUT", f"/evidence/{quote(key)}", {SHA: sha(whole)}, whole))
        done = station.send(sent, memory.newest, Memory())
        told = station.confirm(sent, done, sent=True)

    assert told is not None
    assert told.proof is Proof.READ_BACK
    assert store.uploads == {}


@pytest.mark.parametrize(
    "body",
    [b"<Error><Code>InternalError</Code></Error>", b"", b"<html/>", b"   \n"],
)
def test_an_upload_that_fails_with_a_good_status_is_not_taken(
    tmp_path: Path, body: bytes
) -> None:
    store = MemoryS3(faults=[always("POST", "uploadId", Said(200, {}, body))])

    with reached(store, tmp_path) as station, pytest.raises(NotTaken):
        station.send(item(tmp_path, PART_SIZE + 5), Progress(), Memory())


def test_blanks_before_the_answer_do_no_harm(tmp_path: Path) -> None:
    store, sent = MemoryS3(), item(tmp_path, PART_SIZE + 5)

    def slow(asked: Asked) -> Said | None:
        if asked.method != "POST" or "uploadId" not in asked.path:
            return None
        said = store.answer(asked)
        return replace(said, body=b"  \n \n" + said.body)

    store.faults.append(slow)
    with reached(store, tmp_path) as station:
        station.send(sent, Progress(), Memory())

    assert is_there(store, sent.digest)


def test_a_part_that_is_taken_without_an_etag_is_not_taken(tmp_path: Path) -> None:
    said = Said(200, {"x-amz-request-id": "1"})
    store = MemoryS3(faults=[always("PUT", "partNumber", said)])

    with reached(store, tmp_path) as station, pytest.raises(NotTaken, match="ETag"):
        station.send(item(tmp_path, PART_SIZE + 5), Progress(), Memory())


def test_whoever_takes_a_part_and_is_no_store_is_a_portal(tmp_path: Path) -> None:
    store = MemoryS3(faults=[always("PUT", "partNumber", Said(200, {}, b"thanks"))])

    with reached(store, tmp_path) as station, pytest.raises(Portal):
        station.send(item(tmp_path, PART_SIZE + 5), Progress(), Memory())


@pytest.mark.parametrize("size", [1000, PART_SIZE + 5])
@pytest.mark.parametrize("same_size", [True, False])
def test_another_object_that_comes_just_before_ours_is_never_replaced(
    tmp_path: Path, size: int, *, same_size: bool
) -> None:
    theirs = bytes(size) if same_size else b"theirs"
    method, words = ("PUT", "data/") if size == 1000 else ("POST", "uploadId")
    store, sent = MemoryS3(), item(tmp_path, size)
    path = f"/evidence/{KEY}{quote(sent.key)}"

    def just_before(asked: Asked) -> Said | None:
        if asked.method == method and words in asked.path and not store.objects:
            store.answer(Asked("PUT", path, {SHA: sha(theirs)}, theirs))
        return None

    store.faults.append(just_before)
    with (
        reached(store, tmp_path, known=KNOWN, clock=ManualClock()) as station,
        pytest.raises(Refused, match="already called"),
    ):
        station.send(sent, Progress(), Memory())

    assert [there.body for there in store.objects.values()] == [theirs]
    assert store.uploads == {}


def cut(words: str, times: int) -> Fault:
    """Hang up so often when such a part is sent."""
    left = [times]

    def fault(asked: Asked) -> Said | None:
        if asked.method != "PUT" or words not in asked.path or not left[0]:
            return None
        left[0] -= 1
        return HANGS_UP

    return fault


def test_a_cut_costs_one_part_and_not_the_call(tmp_path: Path) -> None:
    store, sent, hearing = MemoryS3(), item(tmp_path, LARGE), Hearing()
    store.faults.append(cut("partNumber=3", times=2))

    with one_by_one(store, tmp_path) as station:
        station.send(hearing.of(sent), Progress(), Memory())

    assert numbers(store) == [1, 2, 3, 4, 5, 3, 3]
    assert hearing.total <= LARGE + 2 * PART_SIZE
    assert is_there(store, sent.digest)


@pytest.mark.parametrize("ahead", [1, 2])
@pytest.mark.parametrize("part", [1, 3, 5])
def test_a_part_that_was_taken_and_its_answer_lost_is_not_sent_again(
    tmp_path: Path, part: int, ahead: int
) -> None:
    store, sent, memory = MemoryS3(), item(tmp_path, LARGE), Memory()
    store.faults.append(lost_reply(store, "PUT", f"partNumber={part}"))

    with reached(store, tmp_path, ahead=ahead) as station:
        station.send(sent, Progress(), memory)

    assert sorted(numbers(store)) == [1, 2, 3, 4, 5]
    assert is_there(store, sent.digest)


def told_another(said: Said) -> Said:
    """List the third part with the digest of something else."""
    other = f"</PartNumber><ChecksumSHA256>{sha(b'other')}</ChecksumSHA256>"
    return changed_third(said, b"</PartNumber>", other.encode())


def listed_shorter(said: Said) -> Said:
    """List the third part as shorter than it was sent."""
    return changed_third(said, str(PART_SIZE).encode(), b"8388607")


def changed_third(said: Said, old: bytes, new: bytes) -> Said:
    """Return a list of parts in which something of the third is another."""
    before, mark, rest = said.body.partition(b"<PartNumber>3</PartNumber>")
    if not mark:
        return said
    third, end, more = (mark + rest).partition(b"</Part>")
    third = third.replace(old, new, 1)
    return replace(said, body=before + third + end + more)


@pytest.mark.parametrize("change", [told_another, listed_shorter])
def test_a_part_without_an_answer_that_is_listed_as_another_is_sent_again(
    tmp_path: Path, change: Callable[[Said], Said]
) -> None:
    store, sent = MemoryS3(), item(tmp_path, LARGE)

    def as_another(asked: Asked) -> Said | None:
        if asked.method != "GET" or numbers(store).count(3) != 1:
            return None
        return change(store.answer(asked))

    store.faults += [lost_reply(store, "PUT", "partNumber=3"), as_another]
    with one_by_one(store, tmp_path) as station:
        station.send(sent, Progress(), Memory())

    assert numbers(store) == [1, 2, 3, 4, 5, 3]
    assert is_there(store, sent.digest)


def test_a_part_that_never_gets_through_ends_the_call(tmp_path: Path) -> None:
    store, sent = MemoryS3(), item(tmp_path, LARGE)
    store.faults.append(cut("partNumber=3", times=1000))

    with one_by_one(store, tmp_path) as station, pytest.raises(Unreachable):
        station.send(sent, Progress(), Memory())

    assert numbers(store) == [1, 2, 3, 4, 5, 3, 3, 3]


def test_nothing_is_sent_after_a_cut_before_the_store_answered_a_question(
    tmp_path: Path,
) -> None:
    store, sent = MemoryS3(), item(tmp_path, PART_SIZE + 5)
    store.faults.append(cut("partNumber=2", times=1))

    with one_by_one(store, tmp_path) as station:
        station.send(sent, Progress(), Memory())

    asked = [(each.method, "partNumber=" in each.path) for each in store.asked]
    first = asked.index(("PUT", True), asked.index(("PUT", True)) + 1)
    again = asked.index(("PUT", True), first + 1)
    assert again > first + 1
    assert {*asked[first + 1 : again]} == {("GET", False)}


def test_what_hears_of_the_bytes_ends_the_sending_whatever_it_raises(
    tmp_path: Path,
) -> None:
    store, sent = MemoryS3(), item(tmp_path, LARGE)
    told: list[int] = []

    def stalled(count: int) -> None:
        told.append(count)
        raise Unreachable("too slow")

    with (
        one_by_one(store, tmp_path) as station,
        pytest.raises(Unreachable, match="too slow"),
    ):
        station.send(replace(sent, moved=stalled), Progress(), Memory())

    assert len(told) == 1
    assert numbers(store) == []


@pytest.mark.parametrize("echoes", [True, False])
def test_digests_are_named_where_the_store_computes_them(
    tmp_path: Path, *, echoes: bool
) -> None:
    store, sent = MemoryS3(echoes=echoes), item(tmp_path, PART_SIZE + 5)

    with reached(store, tmp_path) as station:
        station.send(sent, Progress(), Memory())

    named = store.made("POST", "uploadId")[0].body.count(b"<ChecksumSHA256>")
    assert named == (2 if echoes else 0)


def test_a_store_that_keeps_to_its_condition_for_objects_alone_overwrites_nothing(
    tmp_path: Path,
) -> None:
    store, sent = MemoryS3(), item(tmp_path, LARGE)

    def drops_it(asked: Asked) -> Said | None:
        """Complete as Ceph 16 and 18 do: whatever the condition."""
        if asked.method != "POST" or "if-none-match" not in asked.headers:
            return None
        headers = {n: v for n, v in asked.headers.items() if n != "if-none-match"}
        return store.answer(replace(asked, headers=headers))

    def remember(progress: Progress) -> None:
        if progress.sent == LARGE:
            store.objects[KEY + sent.key] = Kept(b"theirs", {}, "")

    store.faults.append(drops_it)

    with (
        reached(store, tmp_path, known=KNOWN, clock=ManualClock()) as station,
        pytest.raises(Refused, match="already called"),
    ):
        station.send(sent, Progress(), remember)

    assert [there.body for there in store.objects.values()] == [b"theirs"]


@pytest.mark.parametrize("size", [1000, PART_SIZE + 5])
def test_a_store_that_never_heard_of_the_condition_is_sent_to_without(
    tmp_path: Path, size: int
) -> None:
    store, sent = MemoryS3(conditional=False), item(tmp_path, size)

    def never_heard(asked: Asked) -> Said | None:
        conditional = "if-none-match" in asked.headers
        return error(501, "NotImplemented") if conditional else None

    store.faults.append(never_heard)
    with reached(store, tmp_path, known=KNOWN, clock=ManualClock()) as station:
        station.send(sent, Progress(), Memory())

        assert station.capabilities.conditional is False
    assert is_there(store, sent.digest)


@pytest.mark.parametrize("size", [1000, PART_SIZE + 5])
def test_the_condition_is_set_where_it_is_kept_to(tmp_path: Path, size: int) -> None:
    store = MemoryS3()

    with reached(store, tmp_path, known=KNOWN, clock=ManualClock()) as station:
        station.send(item(tmp_path, size), Progress(), Memory())

    last = store.made("PUT" if size == 1000 else "POST")[-1]
    assert last.headers["if-none-match"] == "*"


@pytest.mark.parametrize("size", [1000, PART_SIZE + 5])
@pytest.mark.parametrize("status", [409, 412])
def test_a_condition_that_failed_for_nothing_is_tried_again_later(
    tmp_path: Path, size: int, status: int
) -> None:
    method, words = ("PUT", "data/") if size == 1000 else ("POST", "uploadId")
    said = error(status, "ConditionalRequestConflict")
    store = MemoryS3(faults=[always(method, words, said)])

    with (
        reached(store, tmp_path, known=KNOWN, clock=ManualClock()) as station,
        pytest.raises(NotTaken),
    ):
        station.send(item(tmp_path, size), Progress(), Memory())


@pytest.mark.parametrize("size", [2 * PART_SIZE, LARGE, 5 * PART_SIZE])
def test_a_file_of_too_many_parts_is_sent_in_larger_ones(
    tmp_path: Path, size: int
) -> None:
    store, sent, hearing = MemoryS3(), item(tmp_path, size), Hearing()
    memory = Interrupting(after=1)

    with one_by_one(
        store, tmp_path, known=KNOWN, clock=ManualClock(), most_parts=2
    ) as station:
        with pytest.raises(Interrupted):
            station.send(sent, Progress(), memory)
        done = station.send(hearing.of(sent), memory.newest, Memory())
        told = station.confirm(sent, done, sent=True)

    assert numbers(store) == [1, 2]
    assert hearing.total == size - len(store.made("PUT", "partNumber=1")[0].body)
    assert is_there(store, sent.digest)
    assert told is not None
    assert told.proof is Proof.ECHOED


def test_a_file_of_too_many_parts_that_changed_is_never_confirmed(
    tmp_path: Path,
) -> None:
    store, sent = MemoryS3(), item(tmp_path, 3 * PART_SIZE)
    file(sent).write_bytes(bytes(3 * PART_SIZE))

    with reached(
        store, tmp_path, known=KNOWN, clock=ManualClock(), most_parts=2
    ) as station:
        with pytest.raises(FixityError):
            station.send(sent, Progress(), Memory())

        assert station.confirm(sent, Progress()) is None
    assert store.objects == {}
