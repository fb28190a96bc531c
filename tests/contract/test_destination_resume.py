"""What every `Destination` promises of a sending that was cut short."""

from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from dock_agent.errors import FixityError, Refused
from dock_agent.recording import PART_SIZE
from dock_agent.sync.destination import Object, Progress
from support.places import Place
from support.sending import (
    Hearing,
    Interrupted,
    Interrupting,
    Memory,
    Stopping,
    file,
    item,
    sha256,
)

LONG = 20 << 20
MOST_STEPS = 100


@pytest.mark.parametrize("size", [0, 1000, PART_SIZE + 1, LONG])
def test_a_sender_that_is_stopped_after_every_step_sends_everything_once(
    place: Place, tmp_path: Path, size: int
) -> None:
    sent, done = item(tmp_path, size), Progress()

    for _ in range(MOST_STEPS):
        known = done
        done, went, ended = _step(place, sent, known)
        if place.resumes and place.found(sent.key) is None:
            assert went <= size - known.sent
        if ended:
            break

    with closing(place.again()) as last:
        assert last.confirm(sent, done, sent=True) is not None
    assert place.keys() == [sent.key]
    assert sha256(place.found(sent.key) or b"") == sent.digest


def test_progress_is_remembered_as_it_is_acknowledged(
    resuming: Place, tmp_path: Path
) -> None:
    memory = Memory()

    resuming.destination.send(item(tmp_path, LONG), Progress(), memory)

    sent = [progress.sent for progress in memory.kept]
    assert sent == sorted(sent)
    assert sent[0] == 0  # the upload is known before anything is sent to it
    # Each part as it is acknowledged, in whichever order that is.
    assert max(after - before for before, after in pairwise(sent)) <= PART_SIZE
    assert sent[-1] >= 2 * PART_SIZE
    assert {progress.upload for progress in memory.kept} == {memory.newest.upload}


def test_an_upload_goes_on_where_it_was(resuming: Place, tmp_path: Path) -> None:
    sent = item(tmp_path, LONG)
    known, hearing, after = _interrupted(resuming, sent), Hearing(), Memory()

    with closing(resuming.again()) as later:
        done = later.send(hearing.of(sent), known, after)

        assert later.confirm(sent, done, sent=True) is not None
    assert sha256(resuming.found(sent.key) or b"") == sent.digest
    assert hearing.total <= LONG - known.sent
    assert {progress.upload for progress in after.kept} <= {known.upload}
    assert {progress.generation for progress in after.kept} <= {known.generation}


def test_an_upload_that_the_destination_forgot_is_begun_again(
    resuming: Place, tmp_path: Path
) -> None:
    sent = item(tmp_path, LONG)
    known = _interrupted(resuming, sent)
    forgotten = replace(known, upload=(known.upload or "") + "f")

    after = Memory()
    done = resuming.destination.send(sent, forgotten, after)

    assert resuming.destination.confirm(sent, done, sent=True) is not None
    assert sha256(resuming.found(sent.key) or b"") == sent.digest
    assert after.newest.generation == known.generation + 1


def test_an_upload_that_was_completed_unnoticed_is_not_sent_again(
    resuming: Place, tmp_path: Path
) -> None:
    sent, memory, again = item(tmp_path, LONG), Memory(), Memory()
    resuming.destination.send(sent, Progress(), memory)

    done = resuming.destination.send(sent, memory.newest, again)

    assert resuming.destination.confirm(sent, done, sent=True) is not None
    assert resuming.keys() == [sent.key]
    assert {progress.upload for progress in again.kept} <= {memory.newest.upload}


def test_our_own_file_that_changed_since_the_cut_is_never_confirmed(
    resuming: Place, tmp_path: Path
) -> None:
    sent = item(tmp_path, LONG)
    known = _interrupted(resuming, sent)
    data = file(sent).read_bytes()
    file(sent).write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    with pytest.raises(FixityError):
        resuming.destination.send(sent, known, Memory())

    assert resuming.destination.confirm(sent, known) is None


def test_an_upload_that_goes_on_overwrites_nothing_that_came_in_between(
    shared: Place, resuming: Place, tmp_path: Path
) -> None:
    sent = item(tmp_path, LONG)
    known = _interrupted(resuming, sent)
    assert shared.put is not None
    shared.put(sent.key, b"theirs")

    with pytest.raises(Refused, match="already called"):
        resuming.destination.send(sent, known, Memory())

    assert resuming.found(sent.key) == b"theirs"


def test_nothing_is_overwritten_that_came_while_the_last_part_was_sent(
    shared: Place, resuming: Place, tmp_path: Path
) -> None:
    sent = item(tmp_path, LONG)
    came: list[str] = []
    put = shared.put
    assert put is not None

    def remember(progress: Progress) -> None:
        if progress.sent == LONG and resuming.found(sent.key) is None:
            put(sent.key, b"theirs")
            came.append(sent.key)

    refused = False
    try:
        done = resuming.destination.send(sent, Progress(), remember)
        resuming.destination.confirm(sent, done, sent=True)
    except Refused:
        refused = True

    assert refused == bool(came)
    if came:
        assert resuming.found(sent.key) == b"theirs"
        assert resuming.destination.confirm(sent, Progress()) is None
    else:  # it was complete with its last part: nobody could come in between
        assert sha256(resuming.found(sent.key) or b"") == sent.digest


def _step(place: Place, sent: Object, done: Progress) -> tuple[Progress, int, bool]:
    """Send until the next step is remembered.

    Returns what is known then, how many bytes went, and whether that was all.
    """
    memory, hearing = Stopping(), Hearing()
    with closing(place.again()) as sender:
        try:
            return sender.send(hearing.of(sent), done, memory), hearing.total, True
        except Interrupted:
            return memory.newest, hearing.total, False


def _interrupted(place: Place, sent: Object) -> Progress:
    """Send two parts of three, and stop there; return what is known then."""
    memory = Interrupting(after=2)
    with pytest.raises(Interrupted):
        place.destination.send(sent, Progress(), memory)
    return memory.newest
