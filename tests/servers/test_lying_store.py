"""A store that answers 200 with the right length and ETag, and returns another body.

Ceph's gateway over SQLite does, of each upload in parts: the last part, again and
again; where that one is short, some hundred bytes a second. Nothing of ours may be
lost by it, and nothing that is not there may count as confirmed.
"""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from dock_agent.clock import SystemClock
from dock_agent.errors import Refused, Unreachable
from dock_agent.recording import PART_SIZE, Proof, TransferState
from dock_agent.simulated.clock import ManualClock
from dock_agent.store import custody
from dock_agent.store.db import connect
from dock_agent.sync.destination import Capabilities, Progress
from dock_agent.sync.lane import Lane
from dock_agent.sync.worker import Worker
from dock_agent.sync.wrappers import Guarded
from support.ceph import Liar
from support.place_s3 import Reach, fetched
from support.queues import CLOUD, SEAL, Queue, states
from support.s3_program import BUCKET
from support.sending import Memory, item, sha256

SMALL, LARGE = 1000, PART_SIZE + (PART_SIZE >> 1)
DRIPS = PART_SIZE + 5
ROUNDS = 60  # six hours each: more than all tries that a file has
PROVEN = Capabilities(
    objects=True,
    parts=True,
    whole=True,
    conditional=True,
    asked_at="2026-03-05T08:00:00.000000Z",
)
"""What would have to be known of a store for its word to count."""


def reach(store: Liar, folder: Path, known: Capabilities | None = None) -> Reach:
    prefix = f"{folder.name}/"
    if known is None:
        return Reach(store.endpoint, folder, prefix)
    return Reach(store.endpoint, folder, prefix, known=known)


def test_it_lies(lying: Liar, tmp_path: Path) -> None:
    """If this fails, the store has been mended: find another that lies."""
    where = {"Bucket": BUCKET, "Key": tmp_path.name}
    bodies = [bytes([number]) * (5 << 20) for number in range(3)]

    begun = lying.judge.create_multipart_upload(**where)
    upload = {**where, "UploadId": begun["UploadId"]}
    parts = [
        {
            "PartNumber": number,
            "ETag": lying.judge.upload_part(**upload, PartNumber=number, Body=body)[
                "ETag"
            ],
        }
        for number, body in enumerate(bodies, 1)
    ]
    done = lying.judge.complete_multipart_upload(
        **upload, MultipartUpload={"Parts": parts}
    )

    head = lying.judge.head_object(**where)
    assert head["ContentLength"] == sum(map(len, bodies))
    assert head["ETag"].strip('"') == done["ETag"].strip('"')
    assert fetched(lying.judge, tmp_path.name) != b"".join(bodies)


def test_a_check_finds_it_out(lying: Liar, tmp_path: Path) -> None:
    with closing(reach(lying, tmp_path).s3()) as station:
        said = station.check()
        found = station.capabilities

    assert (found.objects, found.parts) == (True, True)
    assert (found.whole, found.conditional) == (False, False)
    assert said == (
        "writable; what it puts together of parts is not what was sent: read back"
    )


@pytest.mark.parametrize("known", [None, PROVEN], ids=["unknown", "believed"])
def test_what_it_put_together_is_never_confirmed_whatever_was_known_of_it(
    lying: Liar, tmp_path: Path, known: Capabilities | None
) -> None:
    sent = item(tmp_path, LARGE)

    with closing(reach(lying, tmp_path, known).s3()) as station:
        done = station.send(sent, Progress(), Memory())
        told = station.confirm(sent, done, sent=True)
        later = station.confirm(sent, done)

        seen = station.look(sent, done)
        with pytest.raises(Refused, match="already called"):
            station.confirm(sent, station.send(sent, done, Memory()), sent=True)
    assert (told, later) == (None, None)
    assert seen is not None
    assert seen.size == sent.size  # as long as ours, and another


def test_what_it_returns_as_it_was_sent_is_confirmed_by_its_bytes(
    lying: Liar, tmp_path: Path
) -> None:
    sent = item(tmp_path, SMALL)

    with closing(reach(lying, tmp_path).s3()) as station:
        done = station.send(sent, Progress(), Memory())
        told = station.confirm(sent, done, sent=True)

    assert told is not None
    assert told.proof is Proof.READ_BACK
    body = fetched(lying.judge, f"{tmp_path.name}/{sent.key}")
    assert sha256(body or b"") == sent.digest


def test_what_it_drips_is_given_up_and_not_confirmed(
    lying: Liar, tmp_path: Path
) -> None:
    sent = item(tmp_path, DRIPS)

    with closing(reach(lying, tmp_path).s3()) as station:
        guarded = Guarded(station, SystemClock(), over_s=0.5)
        done = guarded.send(sent, Progress(), Memory())

        with pytest.raises(Unreachable, match="slower than"):
            guarded.confirm(sent, done, sent=True)


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    with closing(connect(tmp_path / "store.db", create=True)) as conn:
        made = Queue(conn, tmp_path / "vault", ManualClock())
        made.docking(1, [0, SMALL, LARGE, DRIPS])
        yield made


def test_a_docking_survives_it_and_a_person_is_asked(
    lying: Liar, tmp_path: Path, queue: Queue
) -> None:
    conn, clock = queue.conn, queue.clock
    assert isinstance(clock, ManualClock)

    with closing(reach(lying, tmp_path).s3()) as station:
        # As the worker has it, but that it notices a trickle sooner.
        lane = Lane(Guarded(station, SystemClock(), over_s=0.2))
        for _ in range(ROUNDS):
            Worker(queue.vault, {CLOUD: lane}, clock).run_once(conn)
            clock.advance(timedelta(hours=6))

    found = states(conn)
    for key, state in found.items():
        size = (queue.vault / key).stat().st_size
        if key.endswith(SEAL):
            assert state is TransferState.BLOCKED  # the docking is not whole there
        else:
            large = size > PART_SIZE
            assert (state is TransferState.REFUSED) == large
            assert (state is TransferState.CONFIRMED) == (not large)
        assert sha256((queue.vault / key).read_bytes()) == queue.sent[key]
        if state is TransferState.CONFIRMED:
            there = fetched(lying.judge, f"{tmp_path.name}/{key}")
            assert sha256(there or b"") == queue.sent[key]
    custody.check(conn)
