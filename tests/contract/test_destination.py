"""What every `Destination` promises, held against each that there is.

Each has a judge of its own (`support.places`): what it finds is what is there.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dock_agent.errors import Barred, FixityError, NotTaken, Refused, Unreachable
from dock_agent.recording import PART_SIZE, Proof
from dock_agent.sync.destination import Object, Progress
from dock_agent.vault.layout import LONGEST, stored_path
from support.places import Place
from support.sending import (
    Hearing,
    Interrupted,
    Memory,
    file,
    item,
    sent_whole,
    sha256,
)

SIZES = [0, 1, PART_SIZE - 1, PART_SIZE, PART_SIZE + 1, 20 << 20]
SHORT, LONG = 1000, 20 << 20
MOST = (1 << 20) + (64 << 10)  # bytes that are told of at once: a piece and a bit
DOCUMENTED = (Unreachable, Barred, NotTaken, Refused, FixityError)
FOLDER = "dockings/2026/03/05/KT-Z3=3AKTZ3A00017/01KAVXG0000000000000000001/data"
CHANGES: dict[str, Callable[[bytes], bytes]] = {
    "one bit": lambda data: data[:-1] + bytes([data[-1] ^ 1]),
    "shorter": lambda data: data[:-1],
    "empty": lambda _: b"",
}
RAW_NAMES = {
    "ascii": bytes(b for b in range(1, 128) if b != ord("/")),
    "not text": bytes(range(128, 160)),
    "letters": "Ünïcödé 日本語 ٣ 𐎠.MP4".encode(),
    "longest": b"x" * (LONGEST - 4) + b".MP4",
    "shortened": b"\xff" * 255,
    "edges": b"-~ .dotted. ",
    "reserved": b"con/.part-1/~x/.../AUX.mp4",
}


@pytest.mark.parametrize("size", SIZES)
def test_an_object_of_any_size_arrives_whole_and_is_confirmed(
    place: Place, tmp_path: Path, size: int
) -> None:
    sent = item(tmp_path, size)

    done = place.destination.send(sent, Progress(), Memory())
    told = place.destination.confirm(sent, done, sent=True)

    assert told is not None
    assert told.proof in {Proof.READ_BACK, Proof.ECHOED}
    assert told.digest == sent.digest
    assert done.sent == size
    assert sha256(place.found(sent.key) or b"") == sent.digest


@pytest.mark.parametrize("size", [0, SHORT, LONG])
def test_the_bytes_that_prove_an_object_can_be_kept(
    place: Place, tmp_path: Path, size: int
) -> None:
    sent, came = item(tmp_path, size), bytearray()
    done = place.destination.send(sent, Progress(), Memory())

    def keep(offset: int, piece: bytes) -> None:
        came[offset:] = piece

    with closing(place.again()) as later:
        told = later.confirm(replace(sent, keep=keep), done)

    assert told is not None
    assert told.proof is Proof.READ_BACK
    assert sha256(bytes(came)) == sent.digest


@pytest.mark.parametrize("size", [0, SHORT, LONG])
def test_an_object_that_is_asked_for_later_is_read_back_whole(
    place: Place, tmp_path: Path, size: int
) -> None:
    sent = item(tmp_path, size)
    done = place.destination.send(sent, Progress(), Memory())
    hearing = Hearing()

    with closing(place.again()) as later:
        told = later.confirm(hearing.of(sent), done)

    assert told is not None
    assert (told.proof, told.digest) == (Proof.READ_BACK, sent.digest)
    assert hearing.total >= size


@pytest.mark.parametrize("size", [SHORT, LONG])
def test_an_object_that_is_sent_twice_is_one_object(
    place: Place, tmp_path: Path, size: int
) -> None:
    sent = item(tmp_path, size)
    place.destination.send(sent, Progress(), Memory())

    again = Memory()
    done = place.destination.send(sent, Progress(), again)

    assert place.destination.confirm(sent, done, sent=True) is not None
    assert place.keys() == [sent.key]
    assert again.new_parts() == 0


@pytest.mark.parametrize("size", [0, SHORT, LONG])
def test_an_object_that_was_there_before_is_kept_and_believed_only_once_read(
    shared: Place, tmp_path: Path, size: int
) -> None:
    sent, memory, hearing = item(tmp_path, size), Memory(), Hearing()
    put(shared, sent.key, file(sent).read_bytes())

    done = shared.destination.send(hearing.of(sent), Progress(), memory)
    told = shared.destination.confirm(hearing.of(sent), done, sent=True)

    assert told is not None
    assert (told.proof, told.digest) == (Proof.READ_BACK, sent.digest)
    assert hearing.total >= size
    assert memory.new_parts() == 0
    assert shared.keys() == [sent.key]


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
    shared: Place, tmp_path: Path, size: int, theirs: bytes
) -> None:
    sent = item(tmp_path, size)
    put(shared, sent.key, theirs)

    with pytest.raises(Refused, match="already called"):
        shared.destination.send(sent, Progress(), Memory())

    assert shared.found(sent.key) == theirs
    assert shared.destination.confirm(sent, Progress()) is None


@pytest.mark.parametrize("size", [SHORT, PART_SIZE + 1, LONG])
@pytest.mark.parametrize("change", CHANGES)
def test_our_own_file_that_changed_is_never_confirmed(
    place: Place, tmp_path: Path, size: int, change: str
) -> None:
    sent = item(tmp_path, size)
    file(sent).write_bytes(CHANGES[change](file(sent).read_bytes()))

    with pytest.raises(FixityError):
        sent_whole(place.destination, sent)

    assert place.destination.confirm(sent, Progress()) is None
    assert place.found(sent.key) is None


@pytest.mark.parametrize("size", [0, SHORT, PART_SIZE + 1])
def test_our_own_file_that_is_gone_is_no_fault_of_the_destination(
    place: Place, tmp_path: Path, size: int
) -> None:
    sent = item(tmp_path, size)
    file(sent).unlink()

    with pytest.raises(FixityError):
        sent_whole(place.destination, sent)

    assert place.found(sent.key) is None


@pytest.mark.parametrize("size", [0, SHORT, PART_SIZE + 1])
def test_our_own_file_is_not_looked_for_behind_a_symbolic_link(
    place: Place, tmp_path: Path, size: int
) -> None:
    sent = item(tmp_path, size)
    file(sent).rename(tmp_path / "elsewhere")
    file(sent).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(FixityError):
        sent_whole(place.destination, sent)

    assert place.found(sent.key) is None


def test_an_object_that_is_not_there_is_neither_confirmed_nor_seen(
    place: Place, tmp_path: Path
) -> None:
    absent = item(tmp_path, SHORT)

    assert place.destination.confirm(absent, Progress()) is None
    assert place.destination.confirm(absent, Progress(), sent=True) is None
    assert place.destination.look(absent, Progress()) is None


@pytest.mark.parametrize("size", [0, SHORT, LONG])
def test_a_look_tells_how_long_it_is(place: Place, tmp_path: Path, size: int) -> None:
    sent = item(tmp_path, size)
    done = place.destination.send(sent, Progress(), Memory())

    seen = place.destination.look(sent, done)

    assert seen is not None
    assert seen.size == size


@pytest.mark.parametrize("size", [SHORT, LONG])
@pytest.mark.parametrize("change", CHANGES)
def test_an_object_that_changed_over_there_is_not_confirmed(
    shared: Place, tmp_path: Path, size: int, change: str
) -> None:
    sent = item(tmp_path, size)
    done = shared.destination.send(sent, Progress(), Memory())
    theirs = CHANGES[change](file(sent).read_bytes())

    put(shared, sent.key, theirs)

    assert shared.destination.confirm(sent, done) is None
    seen = shared.destination.look(sent, done)
    assert seen is not None
    assert seen.size == len(theirs)


def test_all_bytes_are_told_of_in_small_pieces_on_their_way_there_and_back(
    place: Place, tmp_path: Path
) -> None:
    sent, there, back = item(tmp_path, LONG), Hearing(), Hearing()

    done = place.destination.send(there.of(sent), Progress(), Memory())
    place.destination.confirm(back.of(sent), done)

    assert there.total >= LONG
    assert back.total >= LONG
    assert max(*there.counts, *back.counts) <= MOST


@pytest.mark.parametrize(("size", "most"), [(SHORT, 1), (LONG, PART_SIZE + 1)])
def test_what_hears_of_the_bytes_may_end_the_sending_and_it_goes_on_later(
    place: Place, tmp_path: Path, size: int, most: int
) -> None:
    sent, memory = item(tmp_path, size), Memory()

    with pytest.raises(Interrupted):
        place.destination.send(Hearing(most=most).of(sent), Progress(), memory)

    assert place.destination.confirm(sent, memory.newest) is None
    done = place.destination.send(sent, memory.newest, Memory())
    assert place.destination.confirm(sent, done, sent=True) is not None
    assert sha256(place.found(sent.key) or b"") == sent.digest


@pytest.mark.parametrize("size", [SHORT, LONG])
def test_what_hears_of_the_bytes_may_end_the_reading_back(
    place: Place, tmp_path: Path, size: int
) -> None:
    sent = item(tmp_path, size)
    done = place.destination.send(sent, Progress(), Memory())

    with pytest.raises(Interrupted):
        place.destination.confirm(Hearing(most=1).of(sent), done)

    assert place.destination.confirm(sent, done) is not None


@pytest.mark.parametrize("kind", RAW_NAMES)
def test_a_name_of_whatever_a_vault_keeps_arrives_as_it_is(
    place: Place, tmp_path: Path, kind: str
) -> None:
    sent = item(tmp_path, key=f"{FOLDER}/{stored_path(RAW_NAMES[kind])}")

    told = sent_whole(place.destination, sent)

    assert told is not None
    assert place.keys() == [sent.key]
    assert sha256(place.found(sent.key) or b"") == sent.digest


def test_a_name_that_cannot_be_is_said_so_in_the_words_that_there_are(
    place: Place, tmp_path: Path
) -> None:
    sent = item(tmp_path, key=f"{FOLDER}/{'x' * 2000}")

    try:
        told = sent_whole(place.destination, sent)
    except DOCUMENTED:
        told = None

    assert (told is not None) == (place.found(sent.key) is not None)


def test_several_threads_send_through_one_destination_at_once(
    place: Place, tmp_path: Path
) -> None:
    sizes = [PART_SIZE + 5, SHORT, PART_SIZE + 6, SHORT + 1]
    sending = [
        item(tmp_path, size, f"{FOLDER}/{number}.MP4", seed=number)
        for number, size in enumerate(sizes)
    ]

    def send(sent: Object) -> bool:
        return sent_whole(place.destination, sent) is not None

    with ThreadPoolExecutor(len(sending)) as pool:
        confirmed = list(pool.map(send, sending))

    assert all(confirmed)
    there = {sent.key: sha256(place.found(sent.key) or b"") for sent in sending}
    assert there == {sent.key: sent.digest for sent in sending}


def test_a_good_place_is_found_to_be_one(place: Place) -> None:
    place.destination.probe()

    said = place.destination.check()

    assert said.startswith("writable; ")
    assert place.keys() == []
    assert place.destination.capabilities.asked_at is not None


def test_a_place_keeps_the_id_that_it_was_given_first(place: Place) -> None:
    # Where the server names everything itself, nothing is found again by its name.
    kept = None if place.put is None else "first"
    assert place.destination.marker() is None

    place.destination.mark("first")

    assert place.destination.marker() == kept
    with closing(place.again()) as later:
        assert later.marker() == kept
        later.mark("first")
    if kept is not None:
        with closing(place.again()) as other, pytest.raises(Barred):
            other.mark("second")
    assert place.destination.marker() == kept
    assert place.keys() == []


def test_a_place_that_has_an_id_is_sent_to_as_before(
    place: Place, tmp_path: Path
) -> None:
    sent = item(tmp_path, SHORT)
    place.destination.mark("first")

    told = sent_whole(place.destination, sent)

    assert told is not None
    assert place.keys() == [sent.key]


def put(place: Place, key: str, data: bytes) -> None:
    """Put something there behind the destination's back."""
    assert place.put is not None
    place.put(key, data)
